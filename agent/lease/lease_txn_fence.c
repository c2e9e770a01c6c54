/* SPDX-License-Identifier: Apache-2.0 */
/* What the record says of a fence that a renewal moves. It moves before the renewal is
 * acknowledged, so from before the call until the end is known it may be later than the lease: then
 * fence_ms is set, and a due row has the fence put to the lease's end again. */
#include "base/clock.h"
#include "lease/lease_txn.h"
#include "lease/lease_txn_private.h"

#include <stdlib.h>

#define RAISE_AHEAD_MS 30000 /* longer than a renewal: one that fails tells by itself */
#define LATE_MS 60000        /* a request that had no answer is carried out within this, or never */

static void fence_settled(struct lease *lease)
{
    lease->fence_ms = lease->fence_retry_ms = lease->fence_sure_ms = 0;
}

/* When nothing that was sent can come any more, also by a clock that went back since. */
static int64_t sure_ms(const struct lease *lease)
{
    int64_t latest_ms = clock_aws_ms() + LATE_MS;

    return lease->fence_sure_ms != 0 && lease->fence_sure_ms < latest_ms ? lease->fence_sure_ms
                                                                         : latest_ms;
}

void txn_fence_acknowledge(struct lease *lease)
{
    if (lease->fence_sure_ms == 0)
        fence_settled(lease);
    else
        lease->fence_retry_ms = sure_ms(lease);
}

struct fence_arg {
    struct uuid id;
    int64_t fence_ms;
    int64_t put_ms, retry_ms;
};

static int apply_raise(struct store_txn *txn, void *arg, struct err *err)
{
    const struct fence_arg *a = arg;
    struct lease lease;
    int rc = store_get(txn, &a->id, &lease, err);

    if (rc != 0)
        return rc;
    if (lease_next(lease.state, LEASE_EVENT_RENEW) < 0 || lease.expires_ms <= clock_aws_ms())
        return err_set(err, KMS_EENDED, "the lease has ended or is being revoked");
    if (lease.fence_ms < a->fence_ms)
        lease.fence_ms = a->fence_ms;
    lease.fence_retry_ms = clock_aws_ms() + RAISE_AHEAD_MS;
    return store_put(txn, &lease, err);
}

int lease_txn_raise_fence(struct lease_env *env, const struct uuid *id, int64_t fence_ms,
                          struct err *err)
{
    struct fence_arg arg = {.id = *id, .fence_ms = fence_ms};

    return store_run(env->store, apply_raise, &arg, true, err);
}

static int apply_settle(struct store_txn *txn, void *arg, struct err *err)
{
    const struct fence_arg *a = arg;
    struct lease lease;
    int rc = store_get(txn, &a->id, &lease, err);

    if (rc != 0)
        return rc;
    if (lease.state != LEASE_ACTIVE || lease.fence_ms != a->fence_ms)
        return 0;
    if (a->put_ms == 0) {
        lease.fence_sure_ms = clock_aws_ms() + LATE_MS;
        lease.fence_retry_ms = a->retry_ms;
    } else if (lease.fence_sure_ms != 0 && a->put_ms >= lease.fence_sure_ms) {
        fence_settled(&lease);
    } else { /* once more when nothing can come after it */
        lease.fence_retry_ms = lease.fence_sure_ms = sure_ms(&lease);
    }
    return store_put(txn, &lease, err);
}

int lease_txn_settle_fence(struct lease_env *env, const struct lease *lease, int64_t put_ms,
                           int64_t retry_ms, struct err *err)
{
    struct fence_arg arg = {lease->id, lease->fence_ms, put_ms, retry_ms};
    int rc = store_run(env->store, apply_settle, &arg, true, err);

    if (rc == 0)
        env->due_changed(env->due_changed_arg);
    return rc;
}

/* ---- nobody waits for this ---- */

struct lower {
    struct store_op op;
    struct lease_env *env;
    struct uuid id;
    bool refused;
};

static int apply_lower(struct store_txn *txn, void *arg, struct err *err)
{
    const struct lower *lower = arg;
    struct lease lease;
    int rc = store_get(txn, &lower->id, &lease, err);

    if (rc != 0)
        return rc;
    if (lease.state != LEASE_ACTIVE || lease.fence_ms == 0)
        return 0;
    lease.fence_retry_ms = clock_aws_ms();
    if (lower->refused && lease.fence_sure_ms == 0)
        fence_settled(&lease);
    else if (!lower->refused)
        lease.fence_sure_ms = clock_aws_ms() + LATE_MS;
    return store_put(txn, &lease, err);
}

static void lower_done(struct store_op *op)
{
    struct lower *lower = op->arg;

    lower->env->due_changed(lower->env->due_changed_arg);
    free(lower);
}

void lease_txn_post_lower_fence(struct lease_env *env, const struct uuid *id, bool refused)
{
    struct lower *lower = calloc(1, sizeof *lower);

    if (lower == NULL)
        return; /* the row that the raise set comes all the same */
    lower->env = env;
    lower->id = *id;
    lower->refused = refused;
    lower->op.apply = apply_lower;
    lower->op.done = lower_done;
    lower->op.arg = lower;
    lower->op.urgent = true;
    store_submit(env->store, &lower->op);
}
