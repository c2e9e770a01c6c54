/* SPDX-License-Identifier: Apache-2.0 */
/* Lease and audit records as bytes: one MessagePack map of integer id → value (record_fields.h).
 * Fields that are zero or empty are left out. Decoding takes any bytes without harm: sizes are
 * judged (common/mp.h) before msgpack-c, which allocates from headers, sees them. Pure; any thread.
 */
#ifndef KMS_AGENT_STORE_RECORD_CODEC_H
#define KMS_AGENT_STORE_RECORD_CODEC_H

#include "common/err.h"
#include "model/audit.h"
#include "model/lease.h"
#include "model/root_key.h"
#include "store/record_fields.h"

#include <stddef.h>
#include <stdint.h>

#define RECORD_BYTES_MAX 32768 /* of an encoded record */

/* Encodes into buf[size]. old (NULL: none) is the stored record that is replaced: pairs of it whose
 * ids this version does not know are kept byte for byte. 0, KMS_ESTORE (too large, or old is
 * malformed), KMS_EINTERNAL (a value that decoding would refuse). */
int record_encode_lease(const struct lease *lease, const struct record_derived *derived,
                        const void *old, size_t old_len, uint8_t *buf, size_t size, size_t *ret_len,
                        struct err *err) KMS_MUST_CHECK;
int record_encode_audit(const struct audit *audit, uint8_t *buf, size_t size, size_t *ret_len,
                        struct err *err) KMS_MUST_CHECK;

/* 0, KMS_ESTORE (malformed; the message says what), KMS_ENOMEM. ret_derived may be NULL. */
int record_decode_lease(const void *bytes, size_t len, struct lease *ret,
                        struct record_derived *ret_derived, struct err *err) KMS_MUST_CHECK;
int record_decode_audit(const void *bytes, size_t len, struct audit *ret,
                        struct err *err) KMS_MUST_CHECK;

/* As those of leases. */
int record_encode_root_key(const struct root_key *record, const void *old, size_t old_len,
                           uint8_t *buf, size_t size, size_t *ret_len,
                           struct err *err) KMS_MUST_CHECK;
int record_decode_root_key(const void *bytes, size_t len, struct root_key *ret,
                           struct err *err) KMS_MUST_CHECK;

#endif
