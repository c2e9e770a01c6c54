/* SPDX-License-Identifier: Apache-2.0 */
#include "store/root_keys.h"

#include "base/thread_role.h"
#include "store/key.h"
#include "store/state.h"

#include <string.h>

/* The value stored under id: its bytes, or mv_data NULL. */
static int load(struct store_txn *txn, const char *id, MDB_val *ret, struct err *err)
{
    size_t len = strlen(id);

    if (len == 0 || len > AWS_KEY_ID_MAX)
        return err_set(err, KMS_EINTERNAL, "a root key record needs an access key id");
    return txn_get(txn, txn->env->root, id, len, ret, err);
}

static int decode(const MDB_val *key, const MDB_val *data, struct root_key *ret, struct err *err)
{
    int rc = record_decode_root_key(data->mv_data, data->mv_size, ret, err);

    if (rc == 0 && (strlen(ret->configured_id) != key->mv_size ||
                    memcmp(ret->configured_id, key->mv_data, key->mv_size) != 0))
        rc = err_set(err, KMS_ESTORE, "malformed record: it is that of another key");
    if (rc != 0)
        err_context(err, "root key %.*s", key->mv_size <= AWS_KEY_ID_MAX ? (int)key->mv_size : 0,
                    (const char *)key->mv_data);
    return rc;
}

int store_root_key_put(struct store_txn *txn, const struct root_key *record, struct err *err)
{
    const char *id = record->configured_id;
    size_t len;
    MDB_val old;
    int rc = load(txn, id, &old, err);

    ASSERT_ON_STORE();
    if (rc != 0)
        return rc;
    if (record->stage == ROOT_KEY_NONE)
        return txn_delete(txn, txn->env->root, id, strlen(id), err);
    rc = record_encode_root_key(record, old.mv_data, old.mv_data != NULL ? old.mv_size : 0,
                                txn->scratch, RECORD_BYTES_MAX, &len, err);
    if (rc == 0 && old.mv_data == NULL)
        rc = txn_claim(txn, len, err);
    if (rc != 0)
        return rc;
    return txn_put(txn, txn->env->root, id, strlen(id), txn->scratch, len, 0, err);
}

int store_root_key_read(struct store *store, const char *configured_id, struct root_key *ret,
                        struct err *err)
{
    const MDB_val key = KEY_VAL(configured_id, strlen(configured_id));
    struct store_txn txn;
    MDB_val data;
    int rc = txn_begin_read(&store->env, &txn, err);

    if (rc != 0)
        return rc;
    rc = load(&txn, configured_id, &data, err);
    if (rc == 0 && data.mv_data == NULL)
        memset(ret, 0, sizeof *ret);
    else if (rc == 0)
        rc = decode(&key, &data, ret, err);
    txn_end(&txn);
    return rc;
}

int store_root_keys_list(struct store *store, struct root_key *ret, size_t max, size_t *ret_count,
                         struct err *err)
{
    struct store_txn txn;
    MDB_cursor *cursor;
    MDB_val key, data;
    size_t count = 0;
    int got, rc = txn_begin_read(&store->env, &txn, err);

    if (rc != 0)
        return rc;
    rc = txn_cursor(&txn, txn.env->root, &cursor, err);
    if (rc == 0) {
        got = mdb_cursor_get(cursor, &key, &data, MDB_FIRST);
        for (; got == 0 && rc == 0 && count < max; count += rc == 0) {
            rc = decode(&key, &data, &ret[count], err);
            got = mdb_cursor_get(cursor, &key, &data, MDB_NEXT);
        }
        if (rc == 0 && got != 0 && got != MDB_NOTFOUND)
            rc = txn_failed(&txn, got, "cannot read the root keys", err);
        mdb_cursor_close(cursor);
    }
    txn_end(&txn);
    if (rc == 0)
        *ret_count = count;
    return rc;
}
