/* SPDX-License-Identifier: Apache-2.0 */
#include "lease/lease_txn.h"

#include "base/clock.h"
#include "lease/lease_txn_private.h"

#include <stdio.h>
#include <string.h>

struct txn_arg {
    const struct lease *in;
    struct lease *out;
    const struct lease_caps *caps;
    struct audit_facts facts;
    uint64_t run_id;
    bool made_nothing;
    bool refused;
};

const char *lease_error_name(const struct err *err)
{
    return err->aws_code[0] != '\0' ? err->aws_code : err_name(err->code);
}

void lease_note_error(struct lease *lease, const struct err *cause)
{
    snprintf(lease->error, sizeof lease->error, "%.*s", (int)sizeof lease->error - 1,
             cause->message);
    snprintf(lease->error_action, sizeof lease->error_action, "%s", cause->aws_action);
    snprintf(lease->error_code, sizeof lease->error_code, "%s", cause->aws_code);
    snprintf(lease->error_request_id, sizeof lease->error_request_id, "%s", cause->aws_request_id);
}

/* Appends the audit line of a transition. */
static int write_audit(struct store_txn *txn, enum audit_event event, const struct lease *lease,
                       const struct audit_facts *facts, struct err *err)
{
    struct audit audit;

    audit_from_lease(&audit, event, lease, clock_aws_ms());
    if (facts->actor != NULL)
        audit.owner = *facts->actor;
    if (facts->cause != NULL)
        audit_set_error(&audit, facts->cause);
    if (facts->call != NULL)
        audit_set_call(&audit, facts->call);
    return store_audit(txn, &audit, err);
}

int txn_put_and_audit(struct store_txn *txn, const struct lease *lease, enum audit_event event,
                      const struct audit_facts *facts, struct err *err)
{
    int rc = store_put(txn, lease, err);

    return rc != 0 ? rc : write_audit(txn, event, lease, facts, err);
}

static int check_caps(struct store_txn *txn, const struct lease *lease,
                      const struct lease_caps *caps, struct err *err)
{
    uint64_t count;
    int rc = store_count_secret(txn, lease->secret, &count, err);

    if (rc != 0)
        return rc;
    if (count >= caps->per_secret) {
        err_set(err, KMS_ELIMIT, "secret \"%s\" has %llu live leases, its limit (max_leases)",
                lease->secret, (unsigned long long)count);
        return err_hint(err, "revoke leases that are not needed, or raise max_leases");
    }
    rc = store_count_uid(txn, lease->owner.uid, &count, err);
    if (rc != 0)
        return rc;
    if (count >= caps->per_uid) {
        err_set(err, KMS_ELIMIT, "uid %u holds %llu live leases, its limit (max_leases_per_uid)",
                lease->owner.uid, (unsigned long long)count);
        return err_hint(err, "revoke leases that are not needed, or raise max_leases_per_uid");
    }
    return 0;
}

static int apply_intend(struct store_txn *txn, void *arg, struct err *err)
{
    struct txn_arg *a = arg;
    struct lease lease = *a->in;
    int rc = check_caps(txn, &lease, a->caps, err);

    if (rc != 0)
        return rc;
    lease.run_id = a->run_id;
    lease.state = (enum lease_state)lease_next(LEASE_NONE, LEASE_EVENT_INTEND);
    return store_put(txn, &lease, err);
}

int lease_txn_intend(struct lease_env *env, const struct lease *lease,
                     const struct lease_caps *caps, struct err *err)
{
    struct txn_arg arg = {.in = lease, .caps = caps, .run_id = env->run_id};

    return store_run(env->store, apply_intend, &arg, false, err);
}

/* A lease that ends before the scheduler looks by itself has to be told. */
static void tell_soon_due(struct lease_env *env, const struct lease *lease)
{
    if (due_next(lease).at_ms < clock_aws_ms() + DUE_LOOK_MS)
        env->due_changed(env->due_changed_arg);
}

static int apply_grant_session(struct store_txn *txn, void *arg, struct err *err)
{
    struct txn_arg *a = arg;
    struct lease lease = *a->in;
    int rc = check_caps(txn, &lease, a->caps, err);

    if (rc != 0)
        return rc;
    lease.run_id = a->run_id;
    lease.state = (enum lease_state)lease_next(LEASE_NONE, LEASE_EVENT_GRANT);
    *a->out = lease;
    return txn_put_and_audit(txn, &lease, AUDIT_ISSUED, &a->facts, err);
}

int lease_txn_grant_session(struct lease_env *env, const struct lease *lease,
                            const struct lease_caps *caps, const struct lease_call *call,
                            struct err *err)
{
    struct txn_arg arg = {.in = lease, .caps = caps, .run_id = env->run_id, .facts.call = call};
    struct lease stored;
    int rc;

    arg.out = &stored;
    rc = store_run(env->store, apply_grant_session, &arg, false, err);
    if (rc == 0)
        tell_soon_due(env, &stored);
    return rc;
}

/* ---- the mint's end ---- */
static int apply_grant(struct store_txn *txn, void *arg, struct err *err)
{
    struct txn_arg *a = arg;
    const struct lease *in = a->in;
    struct lease lease;
    int next, rc = store_get(txn, &in->id, &lease, err);

    if (rc != 0)
        return rc;
    memcpy(lease.user_id, in->user_id, sizeof lease.user_id);
    memcpy(lease.arn, in->arn, sizeof lease.arn);
    memcpy(lease.account_id, in->account_id, sizeof lease.account_id);
    memcpy(lease.access_key_id, in->access_key_id, sizeof lease.access_key_id);
    lease.create_user_ms = in->create_user_ms;
    lease.create_answered = true;
    lease.create_unclear = in->create_unclear;
    next = lease_next(lease.state, LEASE_EVENT_GRANT);
    a->refused = next < 0;
    if (a->refused) {
        lease.stage = REVOKE_KEY;
        lease.retry_ms = 0;
        *a->out = lease;
        return store_put(txn, &lease, err);
    }
    lease.state = (enum lease_state)next;
    *a->out = lease;
    return txn_put_and_audit(txn, &lease, AUDIT_ISSUED, &a->facts, err);
}

int lease_txn_grant(struct lease_env *env, struct lease *lease, const struct lease_call *call,
                    struct err *err)
{
    struct lease stored;
    struct txn_arg arg = {.in = lease, .out = &stored, .facts.call = call};
    int rc = store_run(env->store, apply_grant, &arg, true, err);

    if (rc != 0)
        return rc;
    *lease = stored;
    if (arg.refused) {
        env->due_changed(env->due_changed_arg);
        return err_set(err, KMS_EREFUSED, "the lease was revoked while it was being made");
    }
    tell_soon_due(env, lease);
    return 0;
}

static int apply_fail_mint(struct store_txn *txn, void *arg, struct err *err)
{
    struct txn_arg *a = arg;
    struct lease lease;
    int next, rc = store_get(txn, &a->in->id, &lease, err);

    if (rc != 0)
        return rc;
    next = lease_next(lease.state, a->made_nothing && lease.state == LEASE_ISSUING
                                       ? LEASE_EVENT_GONE
                                       : LEASE_EVENT_REVOKE);
    if (next < 0)
        return 0;
    lease.create_user_ms = a->in->create_user_ms;
    lease.create_unclear = a->in->create_unclear;
    lease.revoking_ms = clock_aws_ms();
    lease.reason = REVOKE_FAILED_MINT;
    lease.early = true;
    lease.state = (enum lease_state)next;
    lease.retry_ms = 0;
    if (lease.state == LEASE_REVOKED)
        lease.revoked_ms = lease.revoking_ms;
    lease_note_error(&lease, a->facts.cause);
    return txn_put_and_audit(txn, &lease, AUDIT_FAILED, &a->facts, err);
}

int lease_txn_fail_mint(struct lease_env *env, const struct lease *lease, bool made_nothing,
                        const struct err *cause, struct err *err)
{
    struct txn_arg arg = {.in = lease, .made_nothing = made_nothing, .facts.cause = cause};
    int rc = store_run(env->store, apply_fail_mint, &arg, true, err);

    env->due_changed(env->due_changed_arg);
    return rc;
}

static int apply_renew(struct store_txn *txn, void *arg, struct err *err)
{
    struct txn_arg *a = arg;
    const struct lease *in = a->in;
    struct lease lease;
    int next, rc = store_get(txn, &in->id, &lease, err);

    if (rc != 0)
        return rc;
    next = lease_next(lease.state, LEASE_EVENT_RENEW);
    if (next < 0 || lease.expires_ms <= clock_aws_ms())
        return err_set(err, KMS_EENDED, "the lease has ended or is being revoked");
    lease.state = (enum lease_state)next;
    lease.expires_ms = in->expires_ms;
    lease.renewed_ttl_s = in->renewed_ttl_s;
    lease.granted_ttl_s = in->granted_ttl_s;
    memcpy(lease.clamp_reason, in->clamp_reason, sizeof lease.clamp_reason);
    lease.retry_ms = 0;
    lease_note_error(&lease, &(struct err){0}); /* of renewals before */
    txn_fence_acknowledge(&lease);
    if (lease.recipe.type == CREDENTIAL_SESSION) {
        memcpy(lease.access_key_id, in->access_key_id, sizeof lease.access_key_id);
        memcpy(lease.arn, in->arn, sizeof lease.arn);
        lease.credential_expires_ms = in->credential_expires_ms;
    }
    *a->out = lease;
    return txn_put_and_audit(txn, &lease, AUDIT_RENEWED, &a->facts, err);
}

int lease_txn_renew(struct lease_env *env, struct lease *lease, const struct lease_owner *actor,
                    const struct lease_call *call, struct err *err)
{
    struct lease stored;
    struct txn_arg arg = {.in = lease, .out = &stored, .facts = {.actor = actor, .call = call}};
    int rc = store_run(env->store, apply_renew, &arg, true, err);

    if (rc != 0)
        return rc;
    *lease = stored;
    env->due_changed(env->due_changed_arg);
    return 0;
}
