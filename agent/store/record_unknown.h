/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of a stored record that this version does not know. */
#ifndef KMS_AGENT_STORE_RECORD_UNKNOWN_H
#define KMS_AGENT_STORE_RECORD_UNKNOWN_H

#include "store/record_fields.h"

#include <stddef.h>
#include <stdint.h>

/* Copies, byte for byte, the pairs of record whose ids are in none of the tables; buf NULL: counts
 * only. Pure. 0 with the number of pairs and bytes, or -1: the record is malformed, or size is too
 * small. */
int record_unknown_copy(const void *record, size_t len, const struct record_table *const *tables,
                        size_t table_count, uint8_t *buf, size_t size, size_t *ret_pairs,
                        size_t *ret_len);

#endif
