/* SPDX-License-Identifier: Apache-2.0 */
/* Reads outside operations: one lease, pages of leases, the bound ones. */
#include "store/key.h"
#include "store/state.h"

#include "base/thread_role.h"

#include <string.h>

int store_read(struct store *store, const struct uuid *id, struct lease *ret, struct err *err)
{
    char text[UUID_TEXT_SIZE];
    struct store_txn txn;
    MDB_val raw;
    int rc = txn_begin_read(&store->env, &txn, err);

    if (rc != 0)
        return rc;
    rc = txn_load(&txn, id, ret, NULL, &raw, err);
    txn_end(&txn);
    if (rc == 0 && raw.mv_data != NULL)
        unwritten_show(&store->unwritten, ret);
    if (rc != 0 || raw.mv_data != NULL)
        return rc;
    uuid_format(id, text);
    return err_set(err, KMS_ENOLEASE, "no such lease: %s", text);
}

struct walk {
    const struct lease_filter *filter;
    bool (*each)(const struct lease *lease, void *arg);
    void *arg;
    struct uuid at; /* the last one seen; nil: none yet */
    size_t left;
    bool ended, stopped;
};

static bool matches(const struct lease_filter *filter, const struct lease *lease)
{
    if (filter == NULL)
        return true;
    return (!filter->has_uid || lease->owner.uid == filter->uid) &&
           (filter->secret == NULL || strcmp(lease->secret, filter->secret) == 0) &&
           (filter->state == LEASE_NONE || lease->state == filter->state) &&
           (!filter->live_only || lease_is_live(lease));
}

static int seek_older(MDB_cursor *cursor, const struct uuid *at, MDB_val *ret_key,
                      MDB_val *ret_data)
{
    int rc;

    if (uuid_is_nil(at))
        return mdb_cursor_get(cursor, ret_key, ret_data, MDB_LAST);
    *ret_key = KEY_VAL(at->bytes, sizeof at->bytes);
    rc = mdb_cursor_get(cursor, ret_key, ret_data, MDB_SET_RANGE);
    return mdb_cursor_get(cursor, ret_key, ret_data, rc == 0 ? MDB_PREV : MDB_LAST);
}

/* At most STATE_SCAN_CHUNK records, downwards. A record that does not decode ends the walk behind
 * it. */
static int walk_leases(struct store_txn *txn, MDB_cursor *cursor, struct walk *walk,
                       struct err *err)
{
    struct lease lease;
    MDB_val key, raw;
    int rc = seek_older(cursor, &walk->at, &key, &raw);

    for (int i = 0; i < STATE_SCAN_CHUNK && walk->left > 0 && rc == 0; i++) {
        int bad = txn_decode(&key, &raw, &lease, NULL, err);

        if (key.mv_size == sizeof walk->at.bytes)
            memcpy(walk->at.bytes, key.mv_data, sizeof walk->at.bytes);
        if (bad != 0)
            return bad;
        walk->left--;
        unwritten_show(txn->env->unwritten, &lease);
        if (matches(walk->filter, &lease) && !walk->each(&lease, walk->arg)) {
            walk->stopped = true;
            return 0;
        }
        rc = mdb_cursor_get(cursor, &key, &raw, MDB_PREV);
    }
    walk->ended = rc == MDB_NOTFOUND;
    return rc == 0 || walk->ended ? 0 : txn_failed(txn, rc, "cannot list leases", err);
}

/* At most STATE_SCAN_CHUNK bound leases, upwards from behind walk->at. */
static int walk_bound(struct store_txn *txn, MDB_cursor *cursor, struct walk *walk, struct err *err)
{
    struct lease lease;
    MDB_val key = KEY_VAL(walk->at.bytes, sizeof walk->at.bytes), data, raw;
    int bad, rc = mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE);

    if (rc == 0 && memcmp(key.mv_data, walk->at.bytes, sizeof walk->at.bytes) == 0)
        rc = mdb_cursor_get(cursor, &key, &data, MDB_NEXT);
    for (int i = 0; i < STATE_SCAN_CHUNK && rc == 0; i++) {
        if (key.mv_size != sizeof walk->at.bytes)
            return err_set(err, KMS_ESTORE, "the table of bound leases has a malformed key");
        memcpy(walk->at.bytes, key.mv_data, sizeof walk->at.bytes);
        bad = txn_load(txn, &walk->at, &lease, NULL, &raw, err);
        if (bad == 0 && raw.mv_data == NULL)
            bad = err_set(err, KMS_ESTORE, "the table of bound leases names one that is not there");
        if (bad != 0)
            return bad;
        unwritten_show(txn->env->unwritten, &lease);
        if (!walk->each(&lease, walk->arg)) {
            walk->stopped = true;
            return 0;
        }
        rc = mdb_cursor_get(cursor, &key, &data, MDB_NEXT);
    }
    walk->ended = rc == MDB_NOTFOUND;
    return rc == 0 || walk->ended ? 0 : txn_failed(txn, rc, "cannot list bound leases", err);
}

typedef int walk_fn(struct store_txn *txn, MDB_cursor *cursor, struct walk *walk, struct err *err);

static int walk_chunk(const struct env *env, MDB_dbi dbi, walk_fn *run, struct walk *walk,
                      struct err *err)
{
    struct store_txn txn;
    MDB_cursor *cursor;
    int rc = txn_begin_read(env, &txn, err);

    if (rc != 0)
        return rc;
    rc = txn_cursor(&txn, dbi, &cursor, err);
    if (rc == 0) {
        rc = run(&txn, cursor, walk, err);
        mdb_cursor_close(cursor);
    }
    txn_end(&txn);
    return rc;
}

int store_list(struct store *store, const struct lease_filter *filter, const struct uuid *cursor,
               size_t scan_max, bool (*each)(const struct lease *lease, void *arg), void *arg,
               struct uuid *ret_cursor, struct err *err)
{
    struct walk walk = {.filter = filter, .each = each, .arg = arg, .left = scan_max};
    int rc = 0;

    ASSERT_ON_WORKER();
    if (cursor != NULL)
        walk.at = *cursor;
    while (rc == 0 && walk.left > 0 && !walk.ended && !walk.stopped)
        rc = walk_chunk(&store->env, store->env.lease, walk_leases, &walk, err);
    if (rc == 0 && walk.ended)
        memset(&walk.at, 0, sizeof walk.at);
    *ret_cursor = walk.at;
    return rc;
}

int store_list_bound(struct store *store, bool (*each)(const struct lease *lease, void *arg),
                     void *arg, struct err *err)
{
    struct walk walk = {.each = each, .arg = arg};
    int rc = 0;

    ASSERT_ON_WORKER();
    while (rc == 0 && !walk.ended && !walk.stopped)
        rc = walk_chunk(&store->env, store->env.bound, walk_bound, &walk, err);
    return rc;
}
