/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include "base/thread_role.h"
#include "store/counters.h"
#include "store/due_index.h"
#include "store/state.h"

#include <stdlib.h>

int store_open(const struct store_options *options, const char *agent_id, struct store **ret,
               struct err *err)
{
    struct store *store = calloc(1, sizeof *store);
    int rc;

    if (store == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    rc = env_open(options->directory, options->allow_volatile, options->map_size, agent_id,
                  &store->env, err);
    if (rc != 0) {
        free(store);
        return rc;
    }
    atomic_init(&store->unswept, store->env.unswept);
    unwritten_init(&store->unwritten);
    store->env.unwritten = &store->unwritten;
    space_init(&store->space, &store->env, options->reserve_bytes);
    rc = writer_start(&store->writer, &store->env, &store->space, options, err);
    if (rc != 0) {
        unwritten_done(&store->unwritten);
        env_close(&store->env);
        free(store);
        return rc;
    }
    *ret = store;
    return 0;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    writer_stop(&store->writer);
    unwritten_done(&store->unwritten);
    env_close(&store->env);
    free(store);
}

bool store_is_new(const struct store *store)
{
    return store->env.is_new;
}

bool store_is_unswept(const struct store *store)
{
    return atomic_load(&store->unswept);
}

static int apply_swept(struct store_txn *txn, void *arg, struct err *err)
{
    (void)arg;
    return txn_delete(txn, txn->env->meta, "unswept", 7, err);
}

int store_set_swept(struct store *store, struct err *err)
{
    int rc = store_is_unswept(store) ? store_run(store, apply_swept, NULL, true, err) : 0;

    if (rc == 0)
        atomic_store(&store->unswept, false);
    return rc;
}

bool store_is_volatile(const struct store *store)
{
    return store->env.directory.is_volatile;
}

int store_hold(struct store *store, const struct lease *lease, const struct lease_owner *actor,
               bool recorded, struct err *err)
{
    return unwritten_put(&store->unwritten, lease, actor, recorded, err);
}

size_t store_held_count(struct store *store)
{
    return atomic_load(&store->unwritten.count);
}

bool store_held_get(struct store *store, const struct uuid *id, struct store_held *ret)
{
    return unwritten_get(&store->unwritten, id, ret);
}

size_t store_held_list(struct store *store, struct store_held_key *ret, size_t max)
{
    return unwritten_list(&store->unwritten, ret, max);
}

void store_release(struct store *store, const struct store_held_key *key)
{
    unwritten_drop(&store->unwritten, key);
}

void store_submit(struct store *store, struct store_op *op)
{
    writer_submit(&store->writer, op);
}

/* An operation somebody waits for; lives on the waiter's stack. */
struct waited_op {
    struct store_op op;
    pthread_mutex_t mutex;
    pthread_cond_t done_cond;
    bool is_done;
};

static void wake_waiter(struct store_op *op)
{
    struct waited_op *waited = QUEUE_OF(op, struct waited_op, op);

    /* Signals under the mutex: once it is released the waiter may be gone, and waited with it. */
    pthread_mutex_lock(&waited->mutex);
    waited->is_done = true;
    pthread_cond_signal(&waited->done_cond);
    pthread_mutex_unlock(&waited->mutex);
}

int store_run(struct store *store, store_apply_fn *apply, void *arg, bool urgent, struct err *err)
{
    struct waited_op waited = {
        .op = {.apply = apply, .done = wake_waiter, .arg = arg, .urgent = urgent},
        .mutex = PTHREAD_MUTEX_INITIALIZER,
        .done_cond = PTHREAD_COND_INITIALIZER,
    };

    ASSERT_ON_WORKER();
    writer_submit(&store->writer, &waited.op);
    pthread_mutex_lock(&waited.mutex);
    while (!waited.is_done)
        pthread_cond_wait(&waited.done_cond, &waited.mutex);
    pthread_mutex_unlock(&waited.mutex);
    pthread_cond_destroy(&waited.done_cond);
    pthread_mutex_destroy(&waited.mutex);
    if (waited.op.rc != 0 && err != NULL)
        *err = waited.op.err;
    return waited.op.rc;
}

static int count_rows(struct store_txn *txn, MDB_dbi dbi, uint64_t *ret, struct err *err)
{
    MDB_stat stat;
    int rc = mdb_stat(txn->mdb, dbi, &stat);

    if (rc != 0)
        return txn_failed(txn, rc, "cannot count", err);
    *ret = stat.ms_entries;
    return 0;
}

static int read_counts(struct store_txn *txn, struct store_stats *stats, struct err *err)
{
    struct counter_totals totals;
    int rc = counters_totals(txn, &totals, err);

    if (rc == 0)
        rc = count_rows(txn, txn->env->lease, &stats->leases, err);
    if (rc == 0)
        rc = count_rows(txn, txn->env->audit, &stats->audit_lines, err);
    if (rc == 0)
        rc = due_index_first(txn, &stats->next_due_ms, err);
    if (rc != 0)
        return rc;
    stats->live = totals.live;
    stats->issuing = totals.issuing;
    stats->active = totals.active;
    stats->revoking = totals.revoking;
    stats->stuck = totals.stuck;
    return 0;
}

static int read_space(struct store *store, struct store_stats *stats, struct err *err)
{
    struct space_figures figures;
    int dead = 0, rc = space_measure(&store->env, &figures);

    if (rc == 0 && !space_allows(&store->space, &figures)) { /* a killed tool may pin pages */
        (void)mdb_reader_check(store->env.mdb, &dead);
        rc = dead > 0 ? space_measure(&store->env, &figures) : 0;
    }
    if (rc != 0)
        return env_error(&store->env, rc, "cannot measure", err);
    stats->used_bytes = figures.end_bytes - figures.free_pages_bytes;
    stats->map_bytes = figures.map_bytes;
    stats->free_bytes = figures.disk_free;
    stats->held = store_held_count(store);
    stats->issuing_allowed = stats->held == 0 && space_allows(&store->space, &figures);
    stats->reader_pid = figures.reader_pid;
    stats->reader_behind = figures.reader_behind;
    return 0;
}

int store_stats(struct store *store, struct store_stats *ret, struct err *err)
{
    struct store_stats stats = {0};
    struct store_txn txn;
    int rc = txn_begin_read(&store->env, &txn, err);

    if (rc != 0)
        return rc;
    rc = read_counts(&txn, &stats, err);
    txn_end(&txn);
    if (rc == 0)
        rc = read_space(store, &stats, err);
    if (rc != 0)
        return rc;
    stats.commits = atomic_load(&store->writer.commits);
    stats.operations = atomic_load(&store->writer.operations);
    *ret = stats;
    return 0;
}
