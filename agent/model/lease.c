/* SPDX-License-Identifier: Apache-2.0 */
#include "model/lease.h"

#include <stddef.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Cells that are not named are 0 and mean "refused": LEASE_NONE as a target is written TO_NONE. */
#define TO_NONE LEASE_STATE_COUNT
static const int transitions[LEASE_STATE_COUNT][LEASE_EVENT_COUNT] = {
    [LEASE_NONE] = {[LEASE_EVENT_INTEND] = LEASE_ISSUING,
                    [LEASE_EVENT_GRANT] = LEASE_ACTIVE /* sessions have no intent */,
                    [LEASE_EVENT_FIND] = LEASE_REVOKING},
    [LEASE_ISSUING] = {[LEASE_EVENT_GRANT] = LEASE_ACTIVE,
                       [LEASE_EVENT_REVOKE] = LEASE_REVOKING,
                       [LEASE_EVENT_GONE] = LEASE_REVOKED /* CreateUser was refused for certain */},
    [LEASE_ACTIVE] = {[LEASE_EVENT_RENEW] = LEASE_ACTIVE,
                      [LEASE_EVENT_REVOKE] = LEASE_REVOKING,
                      [LEASE_EVENT_GONE] = LEASE_REVOKED /* a session that ended */},
    [LEASE_REVOKING] = {[LEASE_EVENT_REVOKE] = LEASE_REVOKING, [LEASE_EVENT_GONE] = LEASE_REVOKED},
    [LEASE_REVOKED] = {[LEASE_EVENT_PRUNE] = TO_NONE, [LEASE_EVENT_FIND] = LEASE_REVOKING},
};

static const char *const state_names[LEASE_STATE_COUNT] = {
    [LEASE_NONE] = "none",         [LEASE_ISSUING] = "issuing", [LEASE_ACTIVE] = "active",
    [LEASE_REVOKING] = "revoking", [LEASE_REVOKED] = "revoked",
};

static const char *const reason_names[] = {
    [REVOKE_NONE] = "none",
    [REVOKE_EXPIRED] = "expired",
    [REVOKE_CLIENT] = "client",
    [REVOKE_ADMIN] = "admin",
    [REVOKE_PEER_EXIT] = "peer_exit",
    [REVOKE_UNDELIVERED] = "undelivered",
    [REVOKE_FAILED_MINT] = "failed_mint",
    [REVOKE_RECOVERED] = "recovered",
    [REVOKE_SWEPT] = "swept",
};

int lease_next(enum lease_state state, enum lease_event event)
{
    int next;

    if ((unsigned)state >= LEASE_STATE_COUNT || (unsigned)event >= LEASE_EVENT_COUNT)
        return -1;
    next = transitions[state][event];
    if (next == 0)
        return -1;
    return next == TO_NONE ? LEASE_NONE : next;
}

const char *lease_state_name(enum lease_state state)
{
    return (size_t)state < COUNT(state_names) ? state_names[state] : "unknown";
}

int lease_state_parse(const char *text, enum lease_state *ret)
{
    for (size_t i = 0; i < COUNT(state_names); i++)
        if (strcmp(state_names[i], text) == 0) {
            *ret = (enum lease_state)i;
            return 0;
        }
    return -1;
}

const char *revoke_reason_name(enum revoke_reason reason)
{
    return (size_t)reason < COUNT(reason_names) ? reason_names[reason] : "unknown";
}

bool lease_is_live(const struct lease *lease)
{
    return lease->state == LEASE_ISSUING || lease->state == LEASE_ACTIVE ||
           lease->state == LEASE_REVOKING;
}

int64_t lease_asked_ttl_s(const struct lease *lease)
{
    return lease->renewed_ttl_s != 0 ? lease->renewed_ttl_s : lease->requested_ttl_s;
}
