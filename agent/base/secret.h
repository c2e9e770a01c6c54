/* SPDX-License-Identifier: Apache-2.0 */
/* The only home of secret bytes: OpenSSL's secure heap (locked, guarded, wiped on free). Any thread.
 * OPENSSL_secure_malloc fails open, hence secret_heap_init() must have answered 0 first. */
#ifndef KMS_AGENT_BASE_SECRET_H
#define KMS_AGENT_BASE_SECRET_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

struct secret {
    char *bytes;  /* NUL-terminated, in the secure heap; NULL = empty */
    size_t len;
};

/* Sets up the locked heap; anything but a locked heap is an error. Also gives OpenSSL a wiping free
 * (CRYPTO_set_mem_functions), so it must come before any other use of OpenSSL. Main thread, once. */
int secret_heap_init(struct err *err) KMS_MUST_CHECK;
void secret_heap_done(void);
/* Bytes of the locked heap that are in use, and its size. */
size_t secret_heap_used(size_t *ret_size);
/* Replaces the contents by a copy; 0 or KMS_ENOMEM (contents then empty). */
int secret_set(struct secret *secret, const void *bytes, size_t len) KMS_MUST_CHECK;
int secret_copy(const struct secret *from, struct secret *ret) KMS_MUST_CHECK;
/* Moves the contents; *from is empty afterwards. ret's old contents are wiped. */
void secret_take(struct secret *from, struct secret *ret);
/* Wipes and frees; fine on an empty one. */
void secret_done(struct secret *secret);
/* "" when empty; valid until the next change. */
const char *secret_text(const struct secret *secret);
bool secret_empty(const struct secret *secret);
/* Wipes memory that is not a struct secret. */
void secret_wipe(void *p, size_t len);
/* malloc family that wipes on free and realloc, for libcurl, expat, jansson. */
void *wiping_malloc(size_t size);
void *wiping_calloc(size_t count, size_t size);
void *wiping_realloc(void *p, size_t size);
char *wiping_strdup(const char *s);
void wiping_free(void *p);

#define SECRET_CLEANUP __attribute__((cleanup(secret_done)))

#endif
