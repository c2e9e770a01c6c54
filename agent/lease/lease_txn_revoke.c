/* SPDX-License-Identifier: Apache-2.0 */
/* The transitions of a revocation. */
#include "lease/lease_txn.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "lease/held.h"
#include "lease/lease_journal.h"
#include "lease/lease_txn_private.h"

#include <stdio.h>
#include <string.h>

struct txn_arg {
    const struct lease *in;
    struct lease *out;
    const struct revoke_begin *begin;
    const struct lease_call *call;
    bool ended;
};

int lease_begin_revoking(struct lease *lease, const struct revoke_begin *begin, int64_t now_ms,
                         bool *ret_again, struct err *err)
{
    bool session = lease->recipe.type == CREDENTIAL_SESSION;
    bool again = lease->state == LEASE_REVOKING;
    int next;

    *ret_again = again;
    if (lease->state == LEASE_REVOKED && begin->reason != REVOKE_NONE)
        return 0;
    if (begin->reason == REVOKE_NONE && !again)
        return err_set(err, KMS_EREFUSED, "the lease is not being revoked");
    next = lease_next(lease->state, session ? LEASE_EVENT_GONE : LEASE_EVENT_REVOKE);
    if (next < 0)
        return err_set(err, KMS_EREFUSED, "the lease is %s", lease_state_name(lease->state));
    lease->state = (enum lease_state)next;
    lease->retry_ms = now_ms + begin->hold_ms;
    if (!again) {
        lease->reason = begin->reason;
        lease->revoking_ms = now_ms;
        lease->early = now_ms < lease->expires_ms;
        lease->stage = REVOKE_KEY;
        lease->attempts = 0;
    }
    if (session)
        lease->revoked_ms = now_ms;
    return 0;
}

int lease_txn_apply_revoke(struct store_txn *txn, const struct revoke_begin *begin, int64_t now_ms,
                           struct lease *lease, bool *ret_ended, struct err *err)
{
    int rc = store_get(txn, &begin->id, lease, err);
    bool over = rc == 0 && lease->state == LEASE_REVOKED, again;

    *ret_ended = false;
    if (rc == 0)
        rc = lease_begin_revoking(lease, begin, now_ms, &again, err);
    if (rc != 0 || over)
        return rc;
    if (again)
        return store_put(txn, lease, err);
    *ret_ended = lease->state == LEASE_REVOKED;
    return txn_put_and_audit(txn, lease, *ret_ended ? AUDIT_REVOKED : AUDIT_REVOKING,
                             &(struct audit_facts){.actor = begin->actor}, err);
}

static int apply_begin_revoke(struct store_txn *txn, void *arg, struct err *err)
{
    struct txn_arg *a = arg;

    return lease_txn_apply_revoke(txn, a->begin, clock_aws_ms(), a->out, &a->ended, err);
}

int lease_txn_begin_revoke(struct lease_env *env, const struct revoke_begin *begin,
                           struct lease *ret, struct err *err)
{
    struct txn_arg arg = {.begin = begin, .out = ret};
    int rc = held_write(env, &begin->id, err);

    if (rc == 0)
        rc = store_run(env->store, apply_begin_revoke, &arg, true, err);
    if (rc == 0 && arg.ended && begin->actor == NULL)
        lease_journal_end(ret); /* nothing comes after it */
    return rc == KMS_ESTOREFULL ? held_begin(env, begin, ret, err) : rc;
}

static int apply_progress(struct store_txn *txn, void *arg, struct err *err)
{
    struct txn_arg *a = arg;
    const struct lease *in = a->in;
    struct lease lease;
    struct err cause = {0};
    bool newly_stuck;
    int rc = store_get(txn, &in->id, &lease, err);

    if (rc != 0)
        return rc;
    if (lease.state != LEASE_REVOKING)
        return 0;
    newly_stuck = in->stuck && !lease.stuck;
    lease.stage = in->stage;
    lease.attempts = in->attempts;
    lease.conflicts = in->conflicts;
    lease.conflict_ms = in->conflict_ms;
    lease.retry_ms = in->retry_ms;
    lease.stuck = in->stuck;
    lease.ended_by = in->ended_by;
    lease.verified_run = in->verified_run;
    lease.verified_boot_ms = in->verified_boot_ms;
    memcpy(lease.error, in->error, sizeof lease.error);
    memcpy(lease.error_action, in->error_action, sizeof lease.error_action);
    memcpy(lease.error_code, in->error_code, sizeof lease.error_code);
    memcpy(lease.error_request_id, in->error_request_id, sizeof lease.error_request_id);
    if (newly_stuck) {
        err_set(&cause, KMS_EAWSDENIED, "%s", in->error);
        snprintf(cause.aws_action, sizeof cause.aws_action, "%s", in->error_action);
        snprintf(cause.aws_request_id, sizeof cause.aws_request_id, "%s", in->error_request_id);
        return txn_put_and_audit(txn, &lease, AUDIT_STUCK, &(struct audit_facts){.cause = &cause},
                                 err);
    }
    return store_put(txn, &lease, err);
}

int lease_txn_progress(struct lease_env *env, const struct lease *lease, struct err *err)
{
    struct txn_arg arg = {.in = lease};
    struct store_held held;
    int rc;

    if (store_held_get(env->store, &lease->id, &held))
        return held_keep(env, lease, held.recorded, err);
    rc = store_run(env->store, apply_progress, &arg, true, err);
    if (rc == KMS_ESTOREFULL)
        return held_keep(env, lease, true, err);
    env->due_changed(env->due_changed_arg);
    return rc;
}

/* in: what the revocation knows; call: that told so, if the key was not killed by one of its own.
 */
static void become_gone(struct lease *lease, enum lease_state state, const struct lease *in,
                        const struct lease_call *call)
{
    lease->ended_by = in->ended_by.action[0] != '\0' ? in->ended_by : *call;
    lease->state = state;
    lease->revoked_ms = clock_aws_ms();
    lease->stuck = false;
    lease->user_gone = true;
    lease->retry_ms = 0;
}

static int apply_gone(struct store_txn *txn, void *arg, struct err *err)
{
    struct txn_arg *a = arg;
    struct lease lease;
    int next, rc = store_get(txn, &a->in->id, &lease, err);

    if (rc != 0)
        return rc;
    next = lease_next(lease.state, LEASE_EVENT_GONE);
    if (next < 0)
        return 0;
    become_gone(&lease, (enum lease_state)next, a->in, a->call);
    *a->out = lease;
    return txn_put_and_audit(txn, &lease, AUDIT_REVOKED,
                             &(struct audit_facts){.call = &lease.ended_by}, err);
}

int lease_txn_gone(struct lease_env *env, struct lease *lease, const struct lease_call *call,
                   struct err *err)
{
    struct lease stored = *lease;
    struct txn_arg arg = {.in = lease, .out = &stored, .call = call};
    int rc = store_run(env->store, apply_gone, &arg, true, err);

    if (rc == KMS_ESTOREFULL) {
        become_gone(&stored, LEASE_REVOKED, lease, call);
        rc = held_keep(env, &stored, true, err);
    }
    if (rc == 0) {
        metrics_count(METRIC_REVOCATIONS, lease->secret, revoke_reason_name(lease->reason));
        *lease = stored;
    }
    return rc;
}
