/* SPDX-License-Identifier: Apache-2.0 */
/* The due index: which lease needs the agent when. Rows follow from the lease records
 * (model/due.h). */
#ifndef KMS_AGENT_STORE_DUE_INDEX_H
#define KMS_AGENT_STORE_DUE_INDEX_H

#include "store/txn.h"

/* Replaces the row of a lease by the one in is; DUE_NONE: no row. */
int due_index_move(struct store_txn *txn, const struct uuid *id, const struct record_derived *was,
                   const struct record_derived *is, struct err *err) KMS_MUST_CHECK;
/* Time of the first row, 0: the index is empty. */
int due_index_first(struct store_txn *txn, int64_t *ret_ms, struct err *err) KMS_MUST_CHECK;

#endif
