/* SPDX-License-Identifier: Apache-2.0 */
#include "lease/held.h"

#include "base/clock.h"
#include "base/thread_role.h"
#include "common/log.h"
#include "lease/lease_txn_private.h"

/* Due rows looked at beside those that are held already. */
#define SCAN_MAX 1024
#define LOOK_AHEAD_MS 1000 /* for the time of the next row; the store is tried that often */

/* Whoever writes what is held has to be told of the first; then it looks again by itself. */
static int hold(struct lease_env *env, const struct lease *lease, const struct lease_owner *actor,
                bool recorded, struct err *err)
{
    bool first = store_held_count(env->store) == 0;
    int rc = store_hold(env->store, lease, actor, recorded, err);

    if (first && rc == 0)
        env->due_changed(env->due_changed_arg);
    return rc;
}

int held_begin(struct lease_env *env, const struct revoke_begin *begin, struct lease *ret,
               struct err *err)
{
    struct lease lease;
    bool over, again;
    int rc;

    err_clear(err);
    rc = store_read(env->store, &begin->id, &lease, err);
    if (rc != 0)
        return rc;
    over = lease.state == LEASE_REVOKED;
    rc = lease_begin_revoking(&lease, begin, clock_aws_ms(), &again, err);
    if (rc == 0 && !over)
        rc = hold(env, &lease, begin->actor, again, err);
    if (rc == 0)
        *ret = lease;
    return rc;
}

int held_keep(struct lease_env *env, const struct lease *lease, bool recorded, struct err *err)
{
    err_clear(err);
    return hold(env, lease, NULL, recorded, err);
}

/* ---- writing ---- */

static int write_one(struct store_txn *txn, struct store *store, const struct uuid *id,
                     struct store_held_key *ret_key, struct err *err)
{
    struct store_held held;
    struct lease lease;
    enum audit_event event;
    int rc;

    if (!store_held_get(store, id, &held))
        return 0;
    *ret_key = held.key;
    rc = store_get(txn, id, &lease, err); /* as it is held */
    if (rc != 0) { /* a record that cannot be read must not stop the others */
        log_error("a revocation cannot be recorded: %s", err->message);
        return 0;
    }
    event = lease.state == LEASE_REVOKED ? AUDIT_REVOKED : AUDIT_REVOKING;
    if (held.recorded && event == AUDIT_REVOKING)
        return store_put(txn, &lease, err);
    return txn_put_and_audit(
        txn, &lease, event,
        &(struct audit_facts){.actor = held.has_actor ? &held.actor : NULL,
                              .call = event == AUDIT_REVOKED ? &lease.ended_by : NULL},
        err);
}

struct write_arg {
    struct store *store;
    struct uuid id;
    struct store_held_key key; /* nil id: nothing was held */
};

static int apply_write(struct store_txn *txn, void *arg, struct err *err)
{
    struct write_arg *a = arg;

    a->key = (struct store_held_key){0};
    return write_one(txn, a->store, &a->id, &a->key, err);
}

int held_write(struct lease_env *env, const struct uuid *id, struct err *err)
{
    struct write_arg arg = {.store = env->store, .id = *id};
    struct store_held held;
    int rc;

    if (!store_held_get(env->store, id, &held))
        return 0;
    rc = store_run(env->store, apply_write, &arg, true, err);
    if (rc == 0)
        store_release(env->store, &arg.key);
    return rc;
}

int held_apply(struct store_txn *txn, struct claim *claim, struct err *err)
{
    size_t max = claim->max < CLAIM_MAX ? claim->max : CLAIM_MAX;
    int rc = 0;

    ASSERT_ON_STORE();
    claim->written_count = store_held_list(claim->env->store, claim->written, max);
    for (size_t i = 0; rc == 0 && i < claim->written_count; i++)
        rc = write_one(txn, claim->env->store, &claim->written[i].id, &claim->written[i], err);
    claim->next_ms = claim->now_ms;
    claim->more = rc == 0;
    return rc;
}

void held_written(struct claim *claim)
{
    for (size_t i = 0; i < claim->written_count; i++)
        store_release(claim->env->store, &claim->written[i]);
    claim->written_count = 0;
}

/* ---- taking what is due ---- */

static bool is_dated(const struct lease *lease)
{
    return lease->state == LEASE_ISSUING || lease->state == LEASE_ACTIVE;
}

/* The reason for which a lease's row makes it end now; REVOKE_NONE: it does not. */
static enum revoke_reason reason_to_end(const struct lease *lease, int64_t now_ms)
{
    const struct due due = due_next(lease);

    if (!is_dated(lease) || due.at_ms > now_ms)
        return REVOKE_NONE;
    switch (due.action) {
    case DUE_RECOVER:
        return REVOKE_RECOVERED;
    case DUE_UNDELIVERED:
        return REVOKE_UNDELIVERED;
    default: /* there is no room for a renewal either */
        return lease->expires_ms <= now_ms ? REVOKE_EXPIRED : REVOKE_NONE;
    }
}

/* Phase one is to be tried now. */
static bool key_is_due(const struct lease *lease, int64_t now_ms)
{
    return lease->state == LEASE_REVOKING && due_next(lease).at_ms <= now_ms &&
           (lease->stage == REVOKE_KEY || lease->stage == REVOKE_DENY);
}

static bool take(const struct lease *due, void *arg)
{
    struct claim *claim = arg;
    struct revoke_begin begin = {.id = due->id, .hold_ms = CLAIM_AHEAD_MS};
    struct lease lease = *due;
    struct err err = {0};
    bool again;

    begin.reason = reason_to_end(due, claim->now_ms);
    if (is_dated(due) && due_next(due).at_ms > claim->now_ms) {
        claim->next_ms = due_next(due).at_ms;
        return false; /* rows come in order */
    }
    if (!key_is_due(due, claim->now_ms) &&
        (begin.reason == REVOKE_NONE || (claim->hold_expiries && is_dated(due))))
        return true;
    if (lease_begin_revoking(&lease, &begin, claim->now_ms, &again, &err) != 0 ||
        store_hold(claim->env->store, &lease, NULL, again, &err) != 0)
        return true; /* the row is still there at the next look */
    if (lease.state == LEASE_REVOKING)
        claim->rows[claim->count++] = (struct claim_row){.id = lease.id,
                                                         .action = DUE_REVOKE,
                                                         .slow = lease.stuck,
                                                         .early = lease.early,
                                                         .way = recipe_way(&lease.recipe)};
    return claim->count < CLAIM_MAX;
}

int held_claim(struct claim *claim, struct err *err)
{
    size_t scan_max = SCAN_MAX + store_held_count(claim->env->store);
    int rc;

    ASSERT_ON_STORE();
    /* Rows of a run before this one stay: they are held by now, and would not be found again. */
    if (claim->count == CLAIM_MAX)
        return 0;
    rc = store_list_due(claim->env->store, claim->now_ms + LOOK_AHEAD_MS, scan_max, take, claim,
                        err);
    claim->more = rc == 0 && claim->count == CLAIM_MAX;
    return rc;
}
