/* SPDX-License-Identifier: Apache-2.0 */
/* A transaction, and the few ways in which the other files touch tables. The first LMDB failure is
 * kept: after it LMDB answers BAD_TXN for everything, so the writer must abort whatever the
 * operation says. */
#ifndef KMS_AGENT_STORE_TXN_H
#define KMS_AGENT_STORE_TXN_H

#include "store/env.h"
#include "store/record_codec.h"
#include "store/space.h"
#include "store/store.h"

struct store_txn {
    const struct env *env;
    MDB_txn *mdb;
    struct space *space; /* NULL: read only */
    bool urgent;         /* of the operation that runs */
    bool wrote;          /* the operation tried to change something */
    int failure;         /* first LMDB failure, 0: none */
    uint8_t *scratch;    /* RECORD_BYTES_MAX for encoding; NULL: read only */
};

/* Read-only transaction for the calling thread; end with txn_end(). Keep it short: it pins old
 * pages. */
int txn_begin_read(const struct env *env, struct store_txn *ret, struct err *err) KMS_MUST_CHECK;
void txn_end(struct store_txn *txn);

/* 0 with the value, or with ret->mv_data NULL when there is no such key; KMS_ESTORE. The value is
 * LMDB's: valid until the next write of the transaction. */
int txn_get(struct store_txn *txn, MDB_dbi dbi, const void *key, size_t key_len, MDB_val *ret,
            struct err *err) KMS_MUST_CHECK;
/* flags: MDB_APPEND or 0. 0, KMS_ESTOREFULL, KMS_ESTORE. */
int txn_put(struct store_txn *txn, MDB_dbi dbi, const void *key, size_t key_len, const void *value,
            size_t len, unsigned flags, struct err *err) KMS_MUST_CHECK;
/* A key that is not there is fine. */
int txn_delete(struct store_txn *txn, MDB_dbi dbi, const void *key, size_t key_len,
               struct err *err) KMS_MUST_CHECK;
/* Opens a cursor; close it with mdb_cursor_close() before the transaction ends. */
int txn_cursor(struct store_txn *txn, MDB_dbi dbi, MDB_cursor **ret,
               struct err *err) KMS_MUST_CHECK;
/* Notes an LMDB failure that a cursor returned; returns its KMS_E…. */
int txn_failed(struct store_txn *txn, int rc, const char *what, struct err *err);
/* May the operation add about bytes? 0, or KMS_ESTOREFULL when only the reserve is left and it is
 * not urgent. */
int txn_claim(struct store_txn *txn, size_t bytes, struct err *err) KMS_MUST_CHECK;

/* Loads a lease and its bytes. 0 with ret_raw->mv_data NULL: there is no such lease (ret is
 * untouched). */
int txn_load(struct store_txn *txn, const struct uuid *id, struct lease *ret,
             struct record_derived *ret_derived, MDB_val *ret_raw, struct err *err) KMS_MUST_CHECK;

/* Decodes a lease record found under key; a failure names the id. */
int txn_decode(const MDB_val *key, const MDB_val *raw, struct lease *ret,
               struct record_derived *ret_derived, struct err *err) KMS_MUST_CHECK;

#endif
