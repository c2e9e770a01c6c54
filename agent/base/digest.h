/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256. Any thread. */
#ifndef KMS_AGENT_BASE_DIGEST_H
#define KMS_AGENT_BASE_DIGEST_H

#include "common/err.h"

#include <stddef.h>

#define DIGEST_HEX_SIZE 65  /* 64 hex digits and NUL */

/* SHA-256 of buf in lower-case hex; 0 or KMS_EINTERNAL (ret untouched) when OpenSSL has no SHA-256. */
int digest_sha256_hex(const void *buf, size_t len, char ret[DIGEST_HEX_SIZE]) KMS_MUST_CHECK;

#endif
