/* SPDX-License-Identifier: Apache-2.0 */
#include "store/due_index.h"

#include "base/thread_role.h"
#include "store/key.h"
#include "store/state.h"

#include <string.h>

#define KEY_SIZE 24 /* 8-byte time, 16-byte id */
#define ROWS_MAX 1024
#define LOOK_FACTOR 16

/* From 1 on, since 0 says "none" to the caller; what is so early is due anyhow. */
static void make_key(int64_t at_ms, const struct uuid *id, uint8_t ret[KEY_SIZE])
{
    key_put_u64(ret, at_ms < 1 ? 1 : (uint64_t)at_ms);
    memcpy(ret + 8, id->bytes, sizeof id->bytes);
}

int due_index_move(struct store_txn *txn, const struct uuid *id, const struct record_derived *was,
                   const struct record_derived *is, struct err *err)
{
    uint8_t key[KEY_SIZE];
    uint8_t action = (uint8_t)is->due_action;
    int rc = 0;

    if (was->due_action == is->due_action && was->due_ms == is->due_ms)
        return 0;
    if (was->due_action != DUE_NONE) {
        make_key(was->due_ms, id, key);
        rc = txn_delete(txn, txn->env->due, key, sizeof key, err);
    }
    if (rc != 0 || is->due_action == DUE_NONE)
        return rc;
    make_key(is->due_ms, id, key);
    return txn_put(txn, txn->env->due, key, sizeof key, &action, sizeof action, 0, err);
}

static int read_row(struct store_txn *txn, const MDB_val *key, const MDB_val *data,
                    struct due_row *ret, struct err *err)
{
    if (key->mv_size != KEY_SIZE || data->mv_size != 1)
        return err_set(err, KMS_ESTORE, "the lease store in %s: a due row is malformed",
                       txn->env->directory.path);
    ret->at_ms = (int64_t)key_get_u64(key->mv_data);
    memcpy(ret->id.bytes, (const uint8_t *)key->mv_data + 8, sizeof ret->id.bytes);
    ret->action = *(const uint8_t *)data->mv_data;
    return 0;
}

struct scan {
    int64_t until_ms;
    struct due_row *rows;
    size_t max, count;
    bool (*skip)(enum due_action action);
    int64_t next_ms;
};

/* Walks from the cursor's row on. */
static int scan_rows(struct store_txn *txn, MDB_cursor *cursor, MDB_val *key, struct scan *scan,
                     struct err *err)
{
    struct due_row row;
    size_t looks = LOOK_FACTOR * scan->max;
    MDB_val data;
    int rc = mdb_cursor_get(cursor, key, &data, MDB_SET_RANGE);

    for (; rc == 0; rc = mdb_cursor_get(cursor, key, &data, MDB_NEXT)) {
        int bad = read_row(txn, key, &data, &row, err);

        if (bad != 0)
            return bad;
        if (row.at_ms > scan->until_ms || scan->count == scan->max || looks-- == 0) {
            scan->next_ms = row.at_ms;
            return 0;
        }
        if (scan->skip == NULL || !scan->skip(row.action))
            scan->rows[scan->count++] = row;
    }
    return rc == MDB_NOTFOUND ? 0 : txn_failed(txn, rc, "cannot scan the due index", err);
}

int store_due_range(struct store_txn *txn, int64_t from_ms, int64_t until_ms, struct due_row *rows,
                    size_t max, bool (*skip)(enum due_action action), size_t *ret_count,
                    int64_t *ret_next_ms, struct err *err)
{
    struct scan scan = {until_ms, rows, max < ROWS_MAX ? max : ROWS_MAX, 0, skip, 0};
    const struct uuid nil = {{0}};
    uint8_t first[KEY_SIZE];
    MDB_val key = KEY_VAL(first, sizeof first);
    MDB_cursor *cursor;
    int rc = txn_cursor(txn, txn->env->due, &cursor, err);

    ASSERT_ON_STORE();
    if (rc != 0)
        return rc;
    make_key(from_ms, &nil, first);
    rc = scan_rows(txn, cursor, &key, &scan, err);
    mdb_cursor_close(cursor);
    if (rc != 0)
        return rc;
    *ret_count = scan.count;
    *ret_next_ms = scan.next_ms;
    return 0;
}

int store_due(struct store_txn *txn, int64_t until_ms, struct due_row *rows, size_t max,
              bool (*skip)(enum due_action action), size_t *ret_count, int64_t *ret_next_ms,
              struct err *err)
{
    return store_due_range(txn, 0, until_ms, rows, max, skip, ret_count, ret_next_ms, err);
}

int due_index_first(struct store_txn *txn, int64_t *ret_ms, struct err *err)
{
    struct due_row row;
    MDB_val key, data;
    MDB_cursor *cursor;
    int rc = txn_cursor(txn, txn->env->due, &cursor, err);
    int got;

    if (rc != 0)
        return rc;
    row.at_ms = 0;
    got = mdb_cursor_get(cursor, &key, &data, MDB_FIRST);
    if (got == 0)
        rc = read_row(txn, &key, &data, &row, err);
    else if (got != MDB_NOTFOUND)
        rc = txn_failed(txn, got, "cannot read the due index", err);
    mdb_cursor_close(cursor);
    if (rc == 0)
        *ret_ms = row.at_ms;
    return rc;
}

static int list_due(struct store_txn *txn, MDB_cursor *cursor, int64_t until_ms, size_t scan_max,
                    bool (*each)(const struct lease *lease, void *arg), void *arg, struct err *err)
{
    struct lease lease;
    struct due_row row;
    MDB_val key, data, raw;
    int bad, rc = mdb_cursor_get(cursor, &key, &data, MDB_FIRST);

    for (; rc == 0 && scan_max-- > 0; rc = mdb_cursor_get(cursor, &key, &data, MDB_NEXT)) {
        bad = read_row(txn, &key, &data, &row, err);
        if (bad != 0)
            return bad;
        if (row.at_ms > until_ms)
            return 0;
        bad = txn_load(txn, &row.id, &lease, NULL, &raw, err);
        if (bad != 0)
            return bad;
        if (raw.mv_data != NULL)
            unwritten_show(txn->env->unwritten, &lease);
        if (raw.mv_data != NULL && !each(&lease, arg))
            return 0;
    }
    return rc == 0 || rc == MDB_NOTFOUND ? 0 : txn_failed(txn, rc, "cannot list what is due", err);
}

int store_list_due(struct store *store, int64_t until_ms, size_t scan_max,
                   bool (*each)(const struct lease *lease, void *arg), void *arg, struct err *err)
{
    struct store_txn txn;
    MDB_cursor *cursor;
    int rc = txn_begin_read(&store->env, &txn, err);

    if (rc != 0)
        return rc;
    rc = txn_cursor(&txn, txn.env->due, &cursor, err);
    if (rc == 0) {
        rc = list_due(&txn, cursor, until_ms, scan_max, each, arg, err);
        mdb_cursor_close(cursor);
    }
    txn_end(&txn);
    return rc;
}
