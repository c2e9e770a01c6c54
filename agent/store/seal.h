/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets at rest: AES-256-GCM with a random 96-bit nonce, under a key derived from the operator's
 * by HKDF (RFC 5869) with SHA-256. What a sealed text is for is authenticated with it, so that it
 * opens only in its place. Any thread; no state.
 *
 * Text: lower-case hex of version (1 byte, 1) | nonce (12) | ciphertext | tag (16). */
#ifndef KMS_AGENT_STORE_SEAL_H
#define KMS_AGENT_STORE_SEAL_H

#include "base/secret.h"
#include "common/err.h"

#define SEAL_KEY_MIN 32    /* bytes of the operator's key */
#define SEAL_PLAIN_MAX 256 /* bytes of a secret */
#define SEAL_TEXT_MAX ((1 + 12 + SEAL_PLAIN_MAX + 16) * 2)

/* What the sealed secret is; none may be NULL. */
struct seal_place {
    const char *kind;          /* of record */
    const char *agent_id;      /* whose store it is in */
    const char *configured_id; /* the record */
    const char *access_key_id; /* the key that the secret belongs to */
};

/* 0 with NUL-terminated text in ret[SEAL_TEXT_MAX + 1]; KMS_ESOURCE (the operator's key is too
 * short), KMS_EINVALID (no secret, or too long), KMS_EINTERNAL. */
int seal_close(const struct secret *key, const struct seal_place *place,
               const struct secret *secret, char ret[SEAL_TEXT_MAX + 1],
               struct err *err) KMS_MUST_CHECK;
/* 0 with the secret in *ret; KMS_ESOURCE: it was sealed under another key, for another place, or
 * was changed (which of these cannot be told); KMS_ENOMEM. */
int seal_open(const struct secret *key, const struct seal_place *place, const char *text,
              struct secret *ret, struct err *err) KMS_MUST_CHECK;

#endif
