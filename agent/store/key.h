/* SPDX-License-Identifier: Apache-2.0 */
/* Keys: big-endian numbers, so that LMDB's byte order is the order of time. */
#ifndef KMS_AGENT_STORE_KEY_H
#define KMS_AGENT_STORE_KEY_H

#include <stddef.h>
#include <stdint.h>

/* An MDB_val of len bytes at p; LMDB's type is not const, it only reads keys and values that are
 * put. */
#define KEY_VAL(p, len)                                                                            \
    (MDB_val)                                                                                      \
    {                                                                                              \
        .mv_size = (len), .mv_data = (void *)(uintptr_t)(p)                                        \
    }

static inline void key_put_u32(uint8_t ret[4], uint32_t number)
{
    for (int i = 0; i < 4; i++)
        ret[i] = (uint8_t)(number >> (24 - 8 * i));
}

static inline uint32_t key_get_u32(const void *p)
{
    const uint8_t *bytes = p;
    uint32_t number = 0;

    for (int i = 0; i < 4; i++)
        number = number << 8 | bytes[i];
    return number;
}

static inline void key_put_u64(uint8_t ret[8], uint64_t number)
{
    for (int i = 0; i < 8; i++)
        ret[i] = (uint8_t)(number >> (56 - 8 * i));
}

static inline uint64_t key_get_u64(const void *p)
{
    const uint8_t *bytes = p;
    uint64_t number = 0;

    for (int i = 0; i < 8; i++)
        number = number << 8 | bytes[i];
    return number;
}

#endif
