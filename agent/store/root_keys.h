/* SPDX-License-Identifier: Apache-2.0 */
/* The table of management keys that were replaced: configured access key id → record. Secrets in it
 * are sealed before they come here (seal.h). */
#ifndef KMS_AGENT_STORE_ROOT_KEYS_H
#define KMS_AGENT_STORE_ROOT_KEYS_H

#include "model/root_key.h"
#include "store/store.h"

/* Inside an operation: writes the record, or deletes it when its stage is ROOT_KEY_NONE. Fields
 * that a later version stored are kept. 0, KMS_ESTOREFULL (a new record, not urgent, only the
 * reserve left), KMS_ESTORE. */
int store_root_key_put(struct store_txn *txn, const struct root_key *record,
                       struct err *err) KMS_MUST_CHECK;
/* Own short read transaction; workers, or the main thread at start. *ret has stage ROOT_KEY_NONE
 * when there is no such record. */
int store_root_key_read(struct store *store, const char *configured_id, struct root_key *ret,
                        struct err *err) KMS_MUST_CHECK;
/* All records (at most max), in the order of their ids; a record that cannot be decoded is
 * KMS_ESTORE. Threads as above. */
int store_root_keys_list(struct store *store, struct root_key *ret, size_t max, size_t *ret_count,
                         struct err *err) KMS_MUST_CHECK;

#endif
