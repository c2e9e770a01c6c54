/* SPDX-License-Identifier: Apache-2.0 */
/* Operations that nobody waits for: each carries its own copy of what it needs. */
#include "lease/lease_txn.h"

#include "base/clock.h"
#include "common/log.h"
#include "lease/held.h"
#include "lease/lease_journal.h"
#include "lease/lease_txn_private.h"

#include <stdlib.h>
#include <string.h>

struct posted {
    struct store_op op;
    struct lease_env *env;
    struct uuid id;
    struct lease lease;
    struct revoke_begin begin;
    struct err cause;
    int64_t retry_ms;
    bool ready;
    bool poke;
    bool ended; /* lease is a session that is over */
};

static void posted_done(struct store_op *op)
{
    struct posted *posted = op->arg;

    struct lease lease;

    if (op->rc == KMS_ESTOREFULL && posted->begin.reason != REVOKE_NONE)
        op->rc = held_begin(posted->env, &posted->begin, &lease, &op->err);
    if (op->rc == 0 && posted->ended)
        lease_journal_end(&posted->lease);
    /* A lost note costs nothing that recovery does not make good; still it must not be silent. */
    if (op->rc != 0 && op->rc != KMS_ENOLEASE && op->rc != KMS_EREFUSED)
        log_warning("lease store: %s", op->err.message);
    if (posted->poke)
        posted->env->due_changed(posted->env->due_changed_arg);
    free(posted);
}

static struct posted *posted_new(struct lease_env *env, const struct uuid *id,
                                 store_apply_fn *apply, bool urgent)
{
    struct posted *posted = calloc(1, sizeof *posted);

    if (posted == NULL)
        return NULL;
    posted->env = env;
    posted->id = *id;
    posted->op.apply = apply;
    posted->op.done = posted_done;
    posted->op.arg = posted;
    posted->op.urgent = urgent;
    return posted;
}

static int apply_created(struct store_txn *txn, void *arg, struct err *err)
{
    struct posted *posted = arg;
    struct lease lease;
    int rc = store_get(txn, &posted->id, &lease, err);

    if (rc != 0)
        return rc;
    memcpy(lease.user_id, posted->lease.user_id, sizeof lease.user_id);
    memcpy(lease.arn, posted->lease.arn, sizeof lease.arn);
    memcpy(lease.account_id, posted->lease.account_id, sizeof lease.account_id);
    lease.create_user_ms = posted->lease.create_user_ms;
    lease.create_answered = posted->lease.create_answered;
    lease.create_unclear = posted->lease.create_unclear;
    return store_put(txn, &lease, err);
}

void lease_txn_post_created(struct lease_env *env, const struct lease *lease)
{
    struct posted *posted = posted_new(env, &lease->id, apply_created, true);

    if (posted == NULL)
        return; /* revoke falls back to the lease tag */
    posted->op.lazy = true;
    posted->lease = *lease;
    store_submit(env->store, &posted->op);
}

int lease_txn_create_unclear(struct lease_env *env, const struct lease *lease, struct err *err)
{
    struct posted note = {.id = lease->id, .lease = *lease};

    return store_run(env->store, apply_created, &note, true, err);
}

static int apply_delivered(struct store_txn *txn, void *arg, struct err *err)
{
    struct posted *posted = arg;
    struct lease lease;
    int rc = store_get(txn, &posted->id, &lease, err);

    if (rc != 0)
        return rc;
    if (lease.state != LEASE_ACTIVE)
        return 0;
    lease.delivered = true;
    lease.ready = lease.ready || posted->ready;
    return store_put(txn, &lease, err);
}

void lease_txn_post_delivered(struct lease_env *env, const struct uuid *id, bool ready)
{
    struct posted *posted = posted_new(env, id, apply_delivered, true);

    if (posted == NULL)
        return; /* then the lease counts as undelivered and is revoked: safe */
    posted->op.lazy = true;
    posted->ready = ready;
    posted->poke = true;
    store_submit(env->store, &posted->op);
}

static int apply_posted_revoke(struct store_txn *txn, void *arg, struct err *err)
{
    struct posted *posted = arg;

    return lease_txn_apply_revoke(txn, &posted->begin, clock_aws_ms(), &posted->lease,
                                  &posted->ended, err);
}

void lease_txn_post_revoke(struct lease_env *env, const struct uuid *id, enum revoke_reason reason)
{
    struct posted *posted = posted_new(env, id, apply_posted_revoke, true);

    if (posted == NULL)
        return; /* an undelivered lease is found by its due row */
    posted->begin = (struct revoke_begin){.id = *id, .reason = reason};
    posted->poke = true;
    store_submit(env->store, &posted->op);
}

static int apply_renew_later(struct store_txn *txn, void *arg, struct err *err)
{
    struct posted *posted = arg;
    struct lease lease;
    char before[sizeof lease.error];
    int rc = store_get(txn, &posted->id, &lease, err);

    if (rc != 0)
        return rc;
    if (lease.state != LEASE_ACTIVE)
        return 0;
    memcpy(before, lease.error, sizeof before);
    lease.retry_ms = posted->retry_ms;
    lease_note_error(&lease, &posted->cause);
    if (strcmp(before, lease.error) == 0)
        return store_put(txn, &lease, err);
    return txn_put_and_audit(txn, &lease, AUDIT_FAILED,
                             &(struct audit_facts){.cause = &posted->cause}, err);
}

void lease_txn_post_renew_later(struct lease_env *env, const struct uuid *id, int64_t retry_ms,
                                const struct err *cause)
{
    struct posted *posted = posted_new(env, id, apply_renew_later, true);

    if (posted == NULL)
        return; /* the claim moved the row ahead: it comes back */
    posted->retry_ms = retry_ms;
    posted->cause = *cause;
    posted->poke = true;
    store_submit(env->store, &posted->op);
}
