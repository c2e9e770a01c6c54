/* SPDX-License-Identifier: Apache-2.0 */
#include "lease/claim.h"

#include "base/clock.h"
#include "base/thread_role.h"
#include "common/log.h"
#include "lease/held.h"
#include "lease/lease_journal.h"
#include "lease/lease_txn.h"

#define RENEW_AHEAD_MS 30000
#define FENCE_AHEAD_MS 60000
#define FAILED_AHEAD_MS 60000
#define REVOKE_AHEAD_MS                                                                            \
    600000 /* no row of a revocation or a fence is set further ahead than this */
#define RELEASE_AHEAD_MS 330000 /* no revocation that failed is put off further than this */
/* No RECOVER, UNDELIVERED, REVOKE or FENCE row lies further ahead than this. */
#define RECOVER_WINDOW_MS (DUE_MINT_DEADLINE_MS + CLAIM_AHEAD_MS + 900000)

/* What a wrong clock would take for overdue: ends of leases, and mints under way. */
static bool skip_dated(enum due_action action)
{
    return action == DUE_EXPIRE || action == DUE_RECOVER || action == DUE_UNDELIVERED;
}

static bool skip_all_but_unfinished(enum due_action action)
{
    return action != DUE_RECOVER && action != DUE_UNDELIVERED;
}

static bool skip_all_but_left_over(enum due_action action)
{
    return action != DUE_RECOVER && action != DUE_UNDELIVERED && action != DUE_REVOKE &&
           action != DUE_FENCE;
}

/* Nobody works on it: an earlier process made it. Records of older versions do not say which. */
static bool is_left_over(const struct claim *claim, const struct lease *lease)
{
    if (lease->run_id != 0)
        return lease->run_id != claim->env->run_id;
    return uuid7_ms(&lease->id) < claim->env->started_wall_ms;
}

static void add_row(struct claim *claim, const struct lease *lease, enum due_action action)
{
    claim->rows[claim->count++] = (struct claim_row){
        .id = lease->id,
        .action = action,
        .slow = lease->stuck,
        .cleanup = lease->stage == REVOKE_CLEANUP || lease->stage == REVOKE_WAIT,
        .early = lease->early,
        .way = recipe_way(&lease->recipe),
    };
}

/* The reason a row stands for when it begins a revocation. */
static enum revoke_reason reason_of(enum due_action action)
{
    switch (action) {
    case DUE_RECOVER:
        return REVOKE_RECOVERED;
    case DUE_UNDELIVERED:
        return REVOKE_UNDELIVERED;
    case DUE_EXPIRE:
        return REVOKE_EXPIRED;
    default:
        return REVOKE_NONE;
    }
}

static int claim_revoke(struct store_txn *txn, struct claim *claim, const struct due_row *row,
                        int64_t hold_ms, struct err *err)
{
    struct revoke_begin begin = {
        .id = row->id,
        .reason = reason_of(row->action),
        .hold_ms = hold_ms,
    };
    struct lease lease;
    bool ended;
    int rc = lease_txn_apply_revoke(txn, &begin, claim->now_ms, &lease, &ended, err);

    if (rc == 0 && ended)
        claim->ended[claim->ended_count++] = row->id;
    if (rc == 0 && lease.state == LEASE_REVOKING && hold_ms > 0)
        add_row(claim, &lease, DUE_REVOKE);
    return rc;
}

/* A renewal, or the fence of one that came to nothing. */
static int claim_renew(struct store_txn *txn, struct claim *claim, struct lease *lease,
                       enum due_action action, struct err *err)
{
    struct due next;
    int rc;

    if (action == DUE_RENEW)
        lease->retry_ms = claim->now_ms + RENEW_AHEAD_MS;
    else
        lease->fence_retry_ms = claim->now_ms + FENCE_AHEAD_MS;
    rc = store_put(txn, lease, err);
    if (rc != 0)
        return rc;
    add_row(claim, lease, action);
    /* Nobody tells of this row again when the job comes to nothing. */
    next = due_next(lease);
    if (claim->next_ms == 0 || next.at_ms < claim->next_ms)
        claim->next_ms = next.at_ms;
    return 0;
}

/* Decides one row on the record as it is now. */
static int claim_row(struct store_txn *txn, struct claim *claim, const struct due_row *row,
                     struct err *err)
{
    struct lease lease;
    int rc = store_get(txn, &row->id, &lease, err);

    if (rc != 0)
        return rc;
    switch (row->action) {
    case DUE_RENEW:
    case DUE_FENCE:
        return claim_renew(txn, claim, &lease, row->action, err);
    case DUE_PRUNE:
        lease.state = (enum lease_state)lease_next(lease.state, LEASE_EVENT_PRUNE);
        return store_put(txn, &lease, err);
    case DUE_NONE:
        return 0;
    default:
        return claim_revoke(txn, claim, row, CLAIM_AHEAD_MS, err);
    }
}

/* A record that cannot be read must not stop the others. */
static void tell_failed(size_t failed, const struct err *err)
{
    if (failed > 0)
        log_error("due index: %zu leases could not be claimed: %s", failed, err->message);
}

static int pull_now(struct store_txn *txn, struct claim *claim, const struct due_row *row,
                    struct lease *lease, struct err *err)
{
    if (row->action != DUE_FENCE)
        return claim_revoke(txn, claim, row, 0, err);
    lease->fence_retry_ms = claim->now_ms;
    return store_put(txn, lease, err);
}

/* Pulls a row of left-over work to now; *ret_pulled is whether it was. */
static int pull_row(struct store_txn *txn, struct claim *claim, const struct due_row *row,
                    bool *ret_pulled, struct err *err)
{
    struct lease lease;
    int rc = store_get(txn, &row->id, &lease, err);

    *ret_pulled = rc == 0 && is_left_over(claim, &lease);
    return *ret_pulled ? pull_now(txn, claim, row, &lease, err) : rc;
}

static int pull_rows(struct store_txn *txn, struct claim *claim, int64_t from_ms, int64_t until_ms,
                     bool (*skip)(enum due_action action), struct err *err)
{
    struct due_row rows[CLAIM_MAX];
    size_t count = 0, pulled = 0, failed = 0;
    int64_t next;
    int rc = store_due_range(txn, from_ms, until_ms, rows, CLAIM_MAX, skip, &count, &next, err);

    for (size_t i = 0; i < count; i++) {
        bool one = false;

        failed += pull_row(txn, claim, &rows[i], &one, err) != 0;
        pulled += one;
    }
    tell_failed(failed, err);
    claim->more = claim->more || (count == CLAIM_MAX && pulled > failed);
    return rc;
}

/* What lies ahead because a clock was ahead when it was written: revocations and fences further
 * away than they ever wait, and unfinished leases of an earlier process, however far. */
static int revive_row(struct store_txn *txn, struct claim *claim, const struct due_row *row,
                      struct err *err)
{
    struct lease lease;
    bool pulled;
    int rc;

    if (row->action != DUE_REVOKE && row->action != DUE_FENCE)
        return pull_row(txn, claim, row, &pulled, err);
    if (row->at_ms < claim->now_ms + REVOKE_AHEAD_MS)
        return 0;
    rc = store_get(txn, &row->id, &lease, err);
    return rc != 0 ? rc : pull_now(txn, claim, row, &lease, err);
}

static int apply_revive(struct store_txn *txn, struct claim *claim, struct err *err)
{
    struct due_row rows[CLAIM_MAX];
    int64_t from_ms = claim->now_ms + 1;
    size_t count = 0, failed = 0;
    int rc;

    if (claim->revive_ms > from_ms)
        from_ms = claim->revive_ms;
    rc = store_due_range(txn, from_ms, INT64_MAX, rows, CLAIM_MAX, skip_all_but_left_over, &count,
                         &claim->revive_next_ms, err);
    for (size_t i = 0; i < count; i++)
        failed += revive_row(txn, claim, &rows[i], err) != 0;
    tell_failed(failed, err);
    if (claim->revive_next_ms == from_ms) /* more than one look takes, all of the same moment */
        claim->revive_next_ms++;
    claim->next_ms = claim->now_ms;
    return rc;
}

static bool skip_all_but_revocations(enum due_action action)
{
    return action != DUE_REVOKE;
}

/* Put off after a failure: what was never tried, or waits to be sure, has no reason to hurry. */
static bool was_put_off(const struct claim *claim, const struct lease *lease)
{
    return lease->state == LEASE_REVOKING && lease->attempts > 0 &&
           (recipe_iam_way(&lease->recipe) == claim->release_way ||
            recipe_source_way(&lease->recipe) == claim->release_way);
}

static int release_row(struct store_txn *txn, struct claim *claim, const struct due_row *row,
                       struct err *err)
{
    struct lease lease;
    int rc = store_get(txn, &row->id, &lease, err);

    if (rc != 0 || !was_put_off(claim, &lease))
        return rc;
    lease.retry_ms = claim->now_ms;
    return store_put(txn, &lease, err);
}

static int apply_release(struct store_txn *txn, struct claim *claim, struct err *err)
{
    struct due_row rows[CLAIM_MAX];
    int64_t from_ms = claim->now_ms + 1, until_ms = claim->now_ms + RELEASE_AHEAD_MS;
    size_t count = 0, failed = 0;
    int rc;

    if (claim->release_ms > from_ms)
        from_ms = claim->release_ms;
    rc = store_due_range(txn, from_ms, until_ms, rows, CLAIM_MAX, skip_all_but_revocations, &count,
                         &claim->release_next_ms, err);
    for (size_t i = 0; i < count; i++)
        failed += release_row(txn, claim, &rows[i], err) != 0;
    tell_failed(failed, err);
    if (claim->release_next_ms == from_ms) /* as above */
        claim->release_next_ms++;
    claim->release_done =
        rc == 0 && (claim->release_next_ms == 0 || claim->release_next_ms > until_ms);
    claim->next_ms = claim->now_ms;
    return rc;
}

/* Recovery: unfinished work that is due or lies ahead is pulled to now, whatever the clock says;
 * the ordinary claims then find it. */
static int apply_recover(struct store_txn *txn, struct claim *claim, struct err *err)
{
    int rc = pull_rows(txn, claim, 0, claim->now_ms, skip_all_but_unfinished, err);

    if (rc == 0)
        rc = pull_rows(txn, claim, claim->now_ms + 1, claim->now_ms + RECOVER_WINDOW_MS,
                       skip_all_but_left_over, err);
    claim->next_ms = claim->now_ms;
    return rc;
}

static int apply_claim(struct store_txn *txn, void *arg, struct err *err)
{
    struct claim *claim = arg;
    struct due_row rows[CLAIM_MAX];
    size_t count, max = claim->max < CLAIM_MAX ? claim->max : CLAIM_MAX;
    size_t failed = 0;
    int rc;

    ASSERT_ON_STORE();
    if (clock_offset(NULL)) /* perhaps since the look only, which went by the host's clock then */
        claim->now_ms = clock_aws_ms();
    claim->more = claim->release_done = false;
    claim->next_ms = 0;
    claim->written_count = 0;
    claim->ended_count = 0;
    if (claim->unrecorded)
        return held_claim(claim, err);
    claim->count = 0;
    if (store_held_count(claim->env->store) > 0)
        return held_apply(txn, claim, err);
    if (claim->recover)
        return apply_recover(txn, claim, err);
    if (claim->revive)
        return apply_revive(txn, claim, err);
    if (claim->release)
        return apply_release(txn, claim, err);
    rc = store_due(txn, claim->now_ms, rows, max, claim->hold_expiries ? skip_dated : NULL, &count,
                   &claim->next_ms, err);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        failed += claim_row(txn, claim, &rows[i], err) != 0;
    claim->more = claim->next_ms != 0 && claim->next_ms <= claim->now_ms && failed < count;
    tell_failed(failed, err);
    if (failed > 0 && !claim->more)
        claim->next_ms = claim->now_ms + FAILED_AHEAD_MS;
    return 0;
}

void lease_claim(struct claim *claim)
{
    claim->op.apply = apply_claim;
    claim->op.arg = claim;
    claim->op.urgent = true;
    store_submit(claim->env->store, &claim->op);
}

void claim_tell_ended(const struct claim *claim)
{
    struct lease lease;
    struct err err = {0};

    ASSERT_ON_LOOP();
    for (size_t i = 0; i < claim->ended_count; i++)
        if (store_read(claim->env->store, &claim->ended[i], &lease, &err) == 0)
            lease_journal_end(&lease);
}
