/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

static void (*source_fill)(void *buf, size_t len, void *arg);
static void *source_arg;

static void kernel_fill(unsigned char *p, size_t len)
{
    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            abort(); /* ids and jitter from anything weaker would be worse than no agent */
        p += n;
        len -= (size_t)n;
    }
}

void random_bytes(void *buf, size_t len)
{
    if (source_fill != NULL)
        source_fill(buf, len, source_arg);
    else
        kernel_fill(buf, len);
}

uint64_t random_below(uint64_t bound)
{
    uint64_t value, fair;

    if (bound == 0)
        return 0;
    fair = UINT64_MAX - UINT64_MAX % bound; /* a multiple of bound: what is above would be biased */
    do
        random_bytes(&value, sizeof(value));
    while (value >= fair);
    return value % bound;
}

struct uuid random_uuid7(void)
{
    uint8_t bytes[10];

    random_bytes(bytes, sizeof(bytes));
    return uuid7_make(clock_wall_ms(), bytes);
}

void random_set_source(void (*fill)(void *buf, size_t len, void *arg), void *arg)
{
    source_fill = fill;
    source_arg = arg;
}
