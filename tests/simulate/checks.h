/* SPDX-License-Identifier: Apache-2.0 */
/* The invariants. Each ends the seed with a violation when it does not hold. */
#ifndef KMS_TESTS_SIMULATE_CHECKS_H
#define KMS_TESTS_SIMULATE_CHECKS_H

#include "cloud.h"
#include "lease/issue.h"
#include "lease/renew.h"
#include "lease/revoke.h"

/* What a client was told and did about a lease: causes of a revocation. */
struct grant {
    struct uuid id;
    int pid;                             /* bound to this process; 0: not bound */
    bool issued, delivered, undelivered; /* the reply went out whole; it did not */
    bool asked_to_revoke, active;        /* a client did; it was ACTIVE once */
    bool unrecorded;  /* its revocation was once held in memory: a crash forgets it, the key is dead
                       */
    unsigned crashes; /* of the agent before it was begun */
    int64_t told_end_ms, issued_ms;
    unsigned renewing; /* renewals that clients wait for */
    bool cut_short;    /* the agent died in one and is not back: its client heard of no new end */
};

void check_reset(void);
/* The agent died, and is there again. */
void check_agent_gone(void);
void check_agent_back(void);
struct grant *check_grant(const struct uuid *id); /* made when there is none */

/* ---- by the cloud ---- */
void check_user_made(const struct cloud_user *user, const char *lease_tag);
void check_fence_put(const struct cloud_user *user, const struct cloud_policy *fence);
void check_fence_deleted(const struct cloud_user *user);
void check_key_made(struct cloud_user *user, bool late);
void check_key_deleted(const struct cloud_user *user, const struct cloud_key *key);
_Noreturn void check_stranger_touched(const struct cloud_user *user, const char *action);

/* ---- by the clients ---- */
void check_issued(const struct issue *issue);
void check_renewing(const struct uuid *id);
void check_renewed(const struct renew *renew);
void check_revoked(const struct revoke *revoke);

/* ---- now and then, and at the end ---- */
/* Whatever happened, and with no agent at all: every key stops working at the end that its holder was told. Only a
 * renewal that the agent died in, or could not undo yet, may leave it the end that was asked for: the record says so. */
void check_every_key_ends(void);
/* All leases have ended and nothing is wrong any more: nothing is left. */
void check_nothing_left(void);

#endif
