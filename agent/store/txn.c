/* SPDX-License-Identifier: Apache-2.0 */
#include "store/txn.h"

#include "store/key.h"
#include "store/unwritten.h"

#include <string.h>

int txn_begin_read(const struct env *env, struct store_txn *ret, struct err *err)
{
    int rc;

    ret->env = env;
    ret->space = NULL;
    ret->scratch = NULL;
    ret->urgent = ret->wrote = false;
    ret->failure = 0;
    rc = mdb_txn_begin(env->mdb, NULL, MDB_RDONLY, &ret->mdb);
    return rc == 0 ? 0 : env_error(env, rc, "cannot begin reading", err);
}

void txn_end(struct store_txn *txn)
{
    mdb_txn_abort(txn->mdb);
    txn->mdb = NULL;
}

int txn_failed(struct store_txn *txn, int rc, const char *what, struct err *err)
{
    if (txn->failure == 0)
        txn->failure = rc;
    return env_error(txn->env, rc, what, err);
}

int txn_get(struct store_txn *txn, MDB_dbi dbi, const void *key, size_t key_len, MDB_val *ret,
            struct err *err)
{
    MDB_val mdb_key = KEY_VAL(key, key_len);
    int rc = mdb_get(txn->mdb, dbi, &mdb_key, ret);

    if (rc == MDB_NOTFOUND)
        ret->mv_data = NULL;
    else if (rc != 0)
        return txn_failed(txn, rc, "cannot read", err);
    return 0;
}

int txn_put(struct store_txn *txn, MDB_dbi dbi, const void *key, size_t key_len, const void *value,
            size_t len, unsigned flags, struct err *err)
{
    MDB_val mdb_key = KEY_VAL(key, key_len), data = KEY_VAL(value, len);
    int rc;

    txn->wrote = true;
    rc = mdb_put(txn->mdb, dbi, &mdb_key, &data, flags);
    return rc == 0 ? 0 : txn_failed(txn, rc, "cannot write", err);
}

int txn_delete(struct store_txn *txn, MDB_dbi dbi, const void *key, size_t key_len, struct err *err)
{
    MDB_val mdb_key = KEY_VAL(key, key_len);
    int rc;

    txn->wrote = true;
    rc = mdb_del(txn->mdb, dbi, &mdb_key, NULL);
    return rc == 0 || rc == MDB_NOTFOUND ? 0 : txn_failed(txn, rc, "cannot delete", err);
}

int txn_cursor(struct store_txn *txn, MDB_dbi dbi, MDB_cursor **ret, struct err *err)
{
    int rc = mdb_cursor_open(txn->mdb, dbi, ret);

    return rc == 0 ? 0 : txn_failed(txn, rc, "cannot open a cursor", err);
}

int txn_claim(struct store_txn *txn, size_t bytes, struct err *err)
{
    const struct space_figures *figures = &txn->space->figures;
    size_t held = atomic_load(&txn->env->unwritten->count);

    if ((space_claim(txn->space, bytes) && held == 0) || txn->urgent)
        return 0;
    err_set(err, KMS_ESTOREFULL,
            "the lease store in %s is full: %llu bytes of its map and %llu of the disk are free, "
            "%llu are kept for revocations",
            txn->env->directory.path, (unsigned long long)figures->map_free,
            (unsigned long long)figures->disk_free, (unsigned long long)txn->space->reserve);
    if (figures->reader_pid != 0)
        return err->code; /* the batch names it */
    return err_hint(err, "make room on the disk, or raise map_size if the map is full");
}

int txn_decode(const MDB_val *key, const MDB_val *raw, struct lease *ret,
               struct record_derived *ret_derived, struct err *err)
{
    char text[UUID_TEXT_SIZE];
    struct uuid id;
    int rc;

    if (key->mv_size != sizeof id.bytes)
        return err_set(err, KMS_ESTORE, "a lease is stored under a key of %zu bytes", key->mv_size);
    memcpy(id.bytes, key->mv_data, sizeof id.bytes);
    rc = record_decode_lease(raw->mv_data, raw->mv_size, ret, ret_derived, err);
    if (rc == 0 && !uuid_equal(&ret->id, &id))
        rc = err_set(err, KMS_ESTORE, "malformed record: it has the id of another lease");
    if (rc == 0)
        return 0;
    uuid_format(&id, text);
    err_context(err, "lease %s", text);
    return rc;
}

int txn_load(struct store_txn *txn, const struct uuid *id, struct lease *ret,
             struct record_derived *ret_derived, MDB_val *ret_raw, struct err *err)
{
    const MDB_val key = KEY_VAL(id->bytes, sizeof id->bytes);
    MDB_val raw;
    int rc = txn_get(txn, txn->env->lease, id->bytes, sizeof id->bytes, &raw, err);

    if (rc == 0 && raw.mv_data != NULL)
        rc = txn_decode(&key, &raw, ret, ret_derived, err);
    if (rc == 0)
        *ret_raw = raw;
    return rc;
}
