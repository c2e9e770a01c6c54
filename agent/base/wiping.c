/* SPDX-License-Identifier: Apache-2.0 */
/* The malloc family of secret.h: each block carries its size, so that free and realloc know what to
 * wipe. */
#include "base/secret.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Sixteen bytes keep the alignment that malloc promises. */
union wiping_header {
    size_t size;
    unsigned char bytes[16];
};

static union wiping_header *header_of(void *p)
{
    return (union wiping_header *)p - 1;
}

void *wiping_malloc(size_t size)
{
    union wiping_header *header;

    if (size > SIZE_MAX - sizeof(*header))
        return NULL;
    header = malloc(sizeof(*header) + size);
    if (header == NULL)
        return NULL;
    header->size = size;
    return header + 1;
}

void *wiping_calloc(size_t count, size_t size)
{
    size_t total;
    void *p;

    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    p = wiping_malloc(total);
    if (p != NULL)
        memset(p, 0, total);
    return p;
}

void wiping_free(void *p)
{
    union wiping_header *header;

    if (p == NULL)
        return;
    header = header_of(p);
    explicit_bzero(p, header->size);
    free(header);
}

/* Never in place: the library's realloc would leave the old bytes behind. */
void *wiping_realloc(void *p, size_t size)
{
    size_t old_size;
    void *grown;

    if (p == NULL)
        return wiping_malloc(size);
    if (size == 0) {
        wiping_free(p);
        return NULL;
    }
    old_size = header_of(p)->size;
    grown = wiping_malloc(size);
    if (grown == NULL)
        return NULL;
    memcpy(grown, p, old_size < size ? old_size : size);
    wiping_free(p);
    return grown;
}

char *wiping_strdup(const char *s)
{
    size_t size = strlen(s) + 1;
    char *copy = wiping_malloc(size);

    if (copy != NULL)
        memcpy(copy, s, size);
    return copy;
}

void secret_wipe(void *p, size_t len)
{
    if (p != NULL)
        explicit_bzero(p, len);
}
