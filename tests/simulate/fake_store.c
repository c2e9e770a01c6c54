/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_store.h"

#include "checks.h"
#include "sim.h"
#include "store/unwritten.h"

#include <stdlib.h>
#include <string.h>

#define LEASES_MAX 512
#define UNDO_MAX 1024

struct store {
    int unused;
};

/* The disk. Records in the order of their making; those pruned have state LEASE_NONE. */
static struct lease *leases[LEASES_MAX];
static size_t lease_count;
static struct store the_store;
static struct queue queue;             /* RAM: lost in a crash */
static struct unwritten_set unwritten; /* so is this */

/* One transaction: what it changed, to take it back. */
struct undo {
    size_t index;
    struct lease *before; /* NULL: there was none */
};
struct store_txn {
    struct undo undo[UNDO_MAX];
    size_t undo_count;
};
static struct store_txn the_txn;

void fake_store_reset(void)
{
    for (size_t i = 0; i < lease_count; i++)
        free(leases[i]);
    lease_count = 0;
    queue_init(&queue);
}

struct store *fake_store_open(void)
{
    queue_init(&queue);
    the_txn.undo_count = 0;
    unwritten_done(&unwritten);
    unwritten_init(&unwritten);
    return &the_store;
}

bool fake_store_pending(void)
{
    return queue.first != NULL;
}

static size_t find(const struct uuid *id)
{
    for (size_t i = lease_count; i > 0; i--)
        if (uuid_equal(&leases[i - 1]->id, id))
            return i - 1;
    return lease_count;
}

const struct lease *fake_store_lease(const struct uuid *id)
{
    size_t i = find(id);

    return i < lease_count && leases[i]->state != LEASE_NONE ? leases[i] : NULL;
}

const struct lease *fake_store_nth(size_t n)
{
    return n < lease_count ? leases[n] : NULL;
}

/* ---- transactions ---- */

static void roll_back(struct store_txn *txn, size_t to)
{
    while (txn->undo_count > to) {
        struct undo *undo = &txn->undo[--txn->undo_count];

        free(leases[undo->index]);
        leases[undo->index] = undo->before;
        if (undo->before == NULL)
            lease_count--;
    }
}

/* What a change made of the record: what the next one of the same record found. */
static const struct lease *made_by(const struct store_txn *txn, size_t change)
{
    for (size_t i = change + 1; i < txn->undo_count; i++)
        if (txn->undo[i].index == txn->undo[change].index)
            return txn->undo[i].before;
    return leases[txn->undo[change].index];
}

/* Durable from here on. */
static void commit(struct store_txn *txn)
{
    for (size_t i = 0; i < txn->undo_count; i++)
        check_committed(txn->undo[i].before, made_by(txn, i));
    for (size_t i = 0; i < txn->undo_count; i++)
        free(txn->undo[i].before);
    txn->undo_count = 0;
}

static bool fails(const struct store_op *op)
{
    return sim.store_full && (!op->urgent || sim.store_shut || sim_chance(500));
}

static void run_op(struct store_txn *txn, struct store_op *op)
{
    size_t mark = txn->undo_count;

    err_clear(&op->err);
    if (fails(op))
        op->rc = err_set(&op->err, KMS_ESTOREFULL, "the store is full");
    else
        op->rc = op->apply(txn, op->arg, &op->err);
    if (op->rc != 0)
        roll_back(txn, mark);
    if (op->rc != 0 && op->err.code == 0)
        err_set(&op->err, op->rc, "the change was refused");
}

static void crash_around(struct store_txn *txn, bool before)
{
    if (before && sim_chance(sim.ending ? 0 : sim.crash_chance)) {
        roll_back(txn, 0);
        queue_init(&queue);
        sim_note("crash before a commit");
        longjmp(sim.crash, 1);
    }
    if (!before && sim_chance(sim.ending ? 0 : sim.crash_chance)) {
        queue_init(&queue);
        sim_note("crash after a commit");
        longjmp(sim.crash, 1);
    }
}

void fake_store_write(void)
{
    struct store_op *batch[256];
    struct queue_link *link;
    size_t count = 0;

    while (count < 256 && (link = queue_pop(&queue)) != NULL) {
        batch[count++] = QUEUE_OF(link, struct store_op, link);
        run_op(&the_txn, batch[count - 1]);
    }
    sim_pass(sim_between(0, 4));
    if (the_txn.undo_count > 0) {
        crash_around(&the_txn, true);
        commit(&the_txn);
        crash_around(&the_txn, false);
    }
    for (size_t i = 0; i < count; i++)
        if (batch[i]->done != NULL)
            batch[i]->done(batch[i]);
}

void store_submit(struct store *store, struct store_op *op)
{
    (void)store;
    op->rc = 0;
    queue_push(&queue, &op->link);
}

int store_run(struct store *store, store_apply_fn *apply, void *arg, bool urgent, struct err *err)
{
    struct store_op op = {.apply = apply, .arg = arg, .urgent = urgent};

    store_submit(store, &op);
    while (fake_store_pending())
        fake_store_write();
    sim_meanwhile(); /* it is durable, and the loop may know before the worker goes on */
    if (op.rc != 0 && err != NULL)
        *err = op.err;
    return op.rc;
}

/* ---- inside an operation ---- */

int store_get(struct store_txn *txn, const struct uuid *id, struct lease *ret, struct err *err)
{
    const struct lease *lease = fake_store_lease(id);

    (void)txn;
    if (lease == NULL)
        return err_set(err, KMS_ENOLEASE, "no such lease");
    *ret = *lease;
    unwritten_show(&unwritten, ret);
    return 0;
}

int store_put(struct store_txn *txn, const struct lease *lease, struct err *err)
{
    struct lease *copy = malloc(sizeof *copy);
    size_t at = find(&lease->id);

    if (copy == NULL || at == LEASES_MAX || txn->undo_count == UNDO_MAX)
        abort();
    (void)err;
    *copy = *lease;
    txn->undo[txn->undo_count++] = (struct undo){at, at < lease_count ? leases[at] : NULL};
    leases[at] = copy;
    if (at == lease_count)
        lease_count++;
    return 0;
}

int store_count_secret(struct store_txn *txn, const char *secret, uint64_t *ret, struct err *err)
{
    (void)txn;
    (void)err;
    *ret = 0;
    for (size_t i = 0; i < lease_count; i++)
        *ret += lease_is_live(leases[i]) && strcmp(leases[i]->secret, secret) == 0;
    return 0;
}

int store_count_uid(struct store_txn *txn, uint32_t uid, uint64_t *ret, struct err *err)
{
    (void)txn;
    (void)err;
    *ret = 0;
    for (size_t i = 0; i < lease_count; i++)
        *ret += lease_is_live(leases[i]) && leases[i]->owner.uid == uid;
    return 0;
}

int store_audit(struct store_txn *txn, const struct audit *audit, struct err *err)
{
    (void)txn;
    (void)audit;
    (void)err;
    return 0;
}

static int compare_rows(const void *a, const void *b)
{
    const struct due_row *x = a, *y = b;

    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    return memcmp(&x->id, &y->id, sizeof x->id);
}

int store_due_range(struct store_txn *txn, int64_t from_ms, int64_t until_ms, struct due_row *rows,
                    size_t max, bool (*skip)(enum due_action action), size_t *ret_count,
                    int64_t *ret_next_ms, struct err *err)
{
    static struct due_row all[LEASES_MAX];
    size_t count = 0, looks = 16 * max, i;

    (void)txn;
    (void)err;
    for (i = 0; i < lease_count; i++) {
        struct due due = due_next(leases[i]);

        if (leases[i]->state != LEASE_NONE && due.action != DUE_NONE && due.at_ms >= from_ms)
            all[count++] = (struct due_row){due.at_ms, leases[i]->id, due.action};
    }
    qsort(all, count, sizeof all[0], compare_rows);
    *ret_count = 0;
    *ret_next_ms = 0;
    for (i = 0; i < count; i++) {
        if (all[i].at_ms > until_ms || *ret_count == max || looks-- == 0) {
            *ret_next_ms = all[i].at_ms;
            break;
        }
        if (skip == NULL || !skip(all[i].action))
            rows[(*ret_count)++] = all[i];
    }
    return 0;
}

int store_due(struct store_txn *txn, int64_t until_ms, struct due_row *rows, size_t max,
              bool (*skip)(enum due_action action), size_t *ret_count, int64_t *ret_next_ms,
              struct err *err)
{
    return store_due_range(txn, 0, until_ms, rows, max, skip, ret_count, ret_next_ms, err);
}

/* ---- reads outside ---- */

int store_read(struct store *store, const struct uuid *id, struct lease *ret, struct err *err)
{
    (void)store;
    return store_get(NULL, id, ret, err);
}

int store_list_bound(struct store *store, bool (*each)(const struct lease *lease, void *arg),
                     void *arg, struct err *err)
{
    (void)store;
    (void)err;
    for (size_t i = 0; i < lease_count; i++)
        if (leases[i]->bound &&
            (leases[i]->state == LEASE_ISSUING || leases[i]->state == LEASE_ACTIVE) &&
            !each(leases[i], arg))
            break;
    return 0;
}

int store_list_due(struct store *store, int64_t until_ms, size_t scan_max,
                   bool (*each)(const struct lease *lease, void *arg), void *arg, struct err *err)
{
    struct due_row rows[LEASES_MAX];
    size_t count;
    int64_t next_ms;
    int rc = store_due(NULL, until_ms, rows, LEASES_MAX, NULL, &count, &next_ms, err);

    (void)store;
    for (size_t i = 0; rc == 0 && i < count && i < scan_max; i++) {
        struct lease lease;

        rc = store_get(NULL, &rows[i].id, &lease, err);
        if (rc == 0 && !each(&lease, arg))
            break;
    }
    return rc;
}

int store_hold(struct store *store, const struct lease *lease, const struct lease_owner *actor,
               bool recorded, struct err *err)
{
    (void)store;
    check_held(lease);
    return unwritten_put(&unwritten, lease, actor, recorded, err);
}

bool fake_store_holds(const struct uuid *id)
{
    struct store_held held;

    return unwritten_get(&unwritten, id, &held);
}

size_t store_held_count(struct store *store)
{
    (void)store;
    return atomic_load(&unwritten.count);
}

bool store_held_get(struct store *store, const struct uuid *id, struct store_held *ret)
{
    (void)store;
    return unwritten_get(&unwritten, id, ret);
}

size_t store_held_list(struct store *store, struct store_held_key *ret, size_t max)
{
    (void)store;
    return unwritten_list(&unwritten, ret, max);
}

void store_release(struct store *store, const struct store_held_key *key)
{
    (void)store;
    unwritten_drop(&unwritten, key);
}

bool store_is_volatile(const struct store *store)
{
    (void)store;
    return false;
}
