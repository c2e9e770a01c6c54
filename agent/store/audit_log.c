/* SPDX-License-Identifier: Apache-2.0 */
/* The audit table: appended by sequence, pruned from its old end. */
#include "store/key.h"
#include "store/state.h"

#include "base/thread_role.h"

#include <string.h>

#define KEY_SIZE 8

/* Sequence of the newest line, 0: none. The newest line is never pruned, so sequences are never
 * used twice. */
static int last_sequence(struct store_txn *txn, uint64_t *ret, struct err *err)
{
    MDB_cursor *cursor;
    MDB_val key, data;
    int got, rc = txn_cursor(txn, txn->env->audit, &cursor, err);

    if (rc != 0)
        return rc;
    got = mdb_cursor_get(cursor, &key, &data, MDB_LAST);
    if (got != 0 && got != MDB_NOTFOUND)
        rc = txn_failed(txn, got, "cannot read the audit log", err);
    else if (got == 0 && key.mv_size != KEY_SIZE)
        rc = err_set(err, KMS_ESTORE, "the audit log has a malformed key");
    else
        *ret = got == 0 ? key_get_u64(key.mv_data) : 0;
    mdb_cursor_close(cursor);
    return rc;
}

int store_audit(struct store_txn *txn, const struct audit *audit, struct err *err)
{
    struct audit line;
    uint8_t key[KEY_SIZE];
    uint64_t last;
    size_t len;
    int rc = last_sequence(txn, &last, err);

    ASSERT_ON_STORE();
    if (rc != 0)
        return rc;
    memcpy(&line, audit, sizeof line);
    line.sequence = last + 1;
    rc = record_encode_audit(&line, txn->scratch, RECORD_BYTES_MAX, &len, err);
    if (rc == 0)
        rc = txn_claim(txn, len, err);
    if (rc != 0)
        return rc;
    key_put_u64(key, line.sequence);
    return txn_put(txn, txn->env->audit, key, sizeof key, txn->scratch, len, MDB_APPEND, err);
}

static int decode_line(const MDB_val *key, const MDB_val *data, struct audit *ret, struct err *err)
{
    uint64_t sequence;
    int rc;

    if (key->mv_size != KEY_SIZE)
        return err_set(err, KMS_ESTORE, "the audit log has a malformed key");
    sequence = key_get_u64(key->mv_data);
    rc = record_decode_audit(data->mv_data, data->mv_size, ret, err);
    if (rc == 0 && ret->sequence != sequence)
        rc = err_set(err, KMS_ESTORE, "malformed record: it has the number of another line");
    if (rc != 0)
        err_context(err, "audit line %llu", (unsigned long long)sequence);
    return rc;
}

static int prune_lines(struct store_txn *txn, MDB_cursor *cursor, int64_t before_ms, uint64_t last,
                       size_t limit, struct err *err)
{
    struct audit line;
    MDB_val key, data;
    int rc = mdb_cursor_get(cursor, &key, &data, MDB_FIRST);

    for (; rc == 0 && limit > 0; limit--) {
        int bad = decode_line(&key, &data, &line, err);

        if (bad != 0)
            return bad;
        if (line.time_ms >= before_ms || line.sequence == last)
            return 0;
        txn->wrote = true;
        rc = mdb_cursor_del(cursor, 0);
        if (rc == 0)
            rc = mdb_cursor_get(cursor, &key, &data, MDB_FIRST);
    }
    return rc == 0 || rc == MDB_NOTFOUND ? 0
                                         : txn_failed(txn, rc, "cannot prune the audit log", err);
}

int store_audit_prune(struct store_txn *txn, int64_t before_ms, size_t limit, struct err *err)
{
    MDB_cursor *cursor;
    uint64_t last;
    int rc = last_sequence(txn, &last, err);

    ASSERT_ON_STORE();
    if (rc == 0)
        rc = txn_cursor(txn, txn->env->audit, &cursor, err);
    if (rc != 0)
        return rc;
    rc = prune_lines(txn, cursor, before_ms, last, limit, err);
    mdb_cursor_close(cursor);
    return rc;
}

struct audit_walk {
    bool (*each)(const struct audit *audit, void *arg);
    void *arg;
    uint64_t before; /* where to go on: lines with smaller sequences; 0: from the newest */
    size_t left;
    bool ended, stopped;
};

static int seek_older(MDB_cursor *cursor, uint64_t before, MDB_val *ret_key, MDB_val *ret_data)
{
    uint8_t bytes[KEY_SIZE];
    int rc;

    if (before == 0)
        return mdb_cursor_get(cursor, ret_key, ret_data, MDB_LAST);
    key_put_u64(bytes, before);
    *ret_key = KEY_VAL(bytes, sizeof bytes);
    rc = mdb_cursor_get(cursor, ret_key, ret_data, MDB_SET_RANGE);
    return mdb_cursor_get(cursor, ret_key, ret_data, rc == 0 ? MDB_PREV : MDB_LAST);
}

/* At most STATE_SCAN_CHUNK lines. A line that does not decode ends the walk behind it. */
static int walk_lines(struct store_txn *txn, MDB_cursor *cursor, struct audit_walk *walk,
                      struct err *err)
{
    struct audit line;
    MDB_val key, data;
    int rc = seek_older(cursor, walk->before, &key, &data);

    for (int i = 0; i < STATE_SCAN_CHUNK && walk->left > 0 && rc == 0; i++) {
        int bad = decode_line(&key, &data, &line, err);

        if (key.mv_size == KEY_SIZE)
            walk->before = key_get_u64(key.mv_data);
        if (bad != 0)
            return bad;
        walk->left--;
        if (!walk->each(&line, walk->arg)) {
            walk->stopped = true;
            return 0;
        }
        rc = mdb_cursor_get(cursor, &key, &data, MDB_PREV);
    }
    walk->ended = rc == MDB_NOTFOUND;
    return rc == 0 || walk->ended ? 0 : txn_failed(txn, rc, "cannot read the audit log", err);
}

static int walk_chunk(const struct env *env, struct audit_walk *walk, struct err *err)
{
    struct store_txn txn;
    MDB_cursor *cursor;
    int rc = txn_begin_read(env, &txn, err);

    if (rc != 0)
        return rc;
    rc = txn_cursor(&txn, env->audit, &cursor, err);
    if (rc == 0) {
        rc = walk_lines(&txn, cursor, walk, err);
        mdb_cursor_close(cursor);
    }
    txn_end(&txn);
    return rc;
}

int store_list_audit(struct store *store, uint64_t before, size_t scan_max,
                     bool (*each)(const struct audit *audit, void *arg), void *arg,
                     uint64_t *ret_next, struct err *err)
{
    struct audit_walk walk = {.each = each, .arg = arg, .before = before, .left = scan_max};
    int rc = 0;

    ASSERT_ON_WORKER();
    while (rc == 0 && walk.left > 0 && !walk.ended && !walk.stopped)
        rc = walk_chunk(&store->env, &walk, err);
    *ret_next = rc == 0 && walk.ended ? 0 : walk.before;
    return rc;
}
