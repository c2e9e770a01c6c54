/* SPDX-License-Identifier: Apache-2.0 */
/* What kms-exec needs of answers: lease.issue decoded into slices of the answer, and a few
 * look-ups. Pure, libc only. Source: PROTOCOL.md.
 */
#ifndef KMS_CLIENT_GRANT_H
#define KMS_CLIENT_GRANT_H

#include "common/err.h"
#include "common/mp.h"

#include <stdbool.h>
#include <stdint.h>

/* Part of an answer; text NULL and len 0 when it was absent. Never holds a control character. */
struct slice {
    const char *text;
    uint32_t len;
};

struct grant {
    struct slice lease_id, secret, credential_type, access_key_id, secret_access_key, session_token,
        account_id, region, expires_at, clamp_reason;
    uint64_t granted_ttl_s, requested_ttl_s; /* requested: granted if the answer has none */
    bool bound, shared;
};

bool slice_is(const struct slice *slice, const char *text);

/* Looks a key up in a map; 0 with its value in *ret, or -1. */
int grant_find(struct mp_cursor map, const char *key, struct mp_cursor *ret);
/* The same for a text without control characters; *ret is empty when there is none. */
int grant_find_text(struct mp_cursor map, const char *key, struct slice *ret);
/* Decodes the result of lease.issue; KMS_ECONNECT if something needed is missing or malformed. */
int grant_read(struct mp_cursor result, struct grant *ret, struct err *err) KMS_MUST_CHECK;
/* Whether the credential is a session (it has a session token), not an IAM user's key. */
bool grant_is_session(const struct grant *grant);

#endif
