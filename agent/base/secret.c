/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <openssl/crypto.h>
#include <string.h>
#include <sys/resource.h>

#define HEAP_BYTES (2u << 20)
#define HEAP_BLOCK_MIN 32
#define HEAP_LOCKED 1 /* CRYPTO_secure_malloc_init: 0 failed, 1 locked, 2 usable but not locked */

static bool functions_set; /* OpenSSL takes them once, before its first allocation */

static void *openssl_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return size == 0 ? NULL : wiping_malloc(size);
}

static void *openssl_realloc(void *p, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return wiping_realloc(p, size);
}

static void openssl_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    wiping_free(p);
}

/* The soft limit is often far under the hard one; raising it needs no privilege. */
static void raise_memlock_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_MEMLOCK, &limit);
}

int secret_heap_init(struct err *err)
{
    if (!functions_set &&
        CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) != 1)
        return err_set(err, KMS_EINTERNAL,
                       "OpenSSL was used before its memory functions could be replaced");
    functions_set = true;
    if (CRYPTO_secure_malloc_initialized())
        return 0;
    raise_memlock_limit();
    if (CRYPTO_secure_malloc_init(HEAP_BYTES, HEAP_BLOCK_MIN) == HEAP_LOCKED)
        return 0;
    secret_heap_done();
    err_set(err, KMS_ENOMEM,
            "cannot lock %u KiB of memory for secrets: raise LimitMEMLOCK "
            "(RLIMIT_MEMLOCK, ulimit -l) to at least 4 MiB",
            HEAP_BYTES / 1024);
    return KMS_ENOMEM;
}

size_t secret_heap_used(size_t *ret_size)
{
    *ret_size = HEAP_BYTES;
    return CRYPTO_secure_used();
}

void secret_heap_done(void)
{
    (void)
        CRYPTO_secure_malloc_done(); /* refuses while a secret is still held, then the heap stays */
}

int secret_set(struct secret *secret, const void *bytes, size_t len)
{
    char *copy = NULL;

    if (len > 0) {
        /* Without the heap OPENSSL_secure_malloc would quietly take ordinary memory. */
        if (len >= HEAP_BYTES || !CRYPTO_secure_malloc_initialized() ||
            (copy = OPENSSL_secure_malloc(len + 1)) == NULL) {
            secret_done(secret);
            return KMS_ENOMEM;
        }
        memcpy(copy, bytes, len);
        copy[len] = '\0';
    }
    secret_done(secret); /* last: bytes may lie in the old contents */
    secret->bytes = copy;
    secret->len = len;
    return 0;
}

int secret_copy(const struct secret *from, struct secret *ret)
{
    return secret_set(ret, from->bytes, from->len);
}

void secret_take(struct secret *from, struct secret *ret)
{
    struct secret taken = *from;

    from->bytes = NULL;
    from->len = 0;
    secret_done(ret);
    *ret = taken;
}

void secret_done(struct secret *secret)
{
    if (secret->bytes != NULL)
        OPENSSL_secure_clear_free(secret->bytes, secret->len + 1);
    secret->bytes = NULL;
    secret->len = 0;
}

const char *secret_text(const struct secret *secret)
{
    return secret->bytes != NULL ? secret->bytes : "";
}

bool secret_empty(const struct secret *secret)
{
    return secret->len == 0;
}
