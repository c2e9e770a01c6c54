/* SPDX-License-Identifier: Apache-2.0 */
/* UUID version 7, RFC 9562 section 5.7: time-ordered ids. Pure. */
#ifndef KMS_COMMON_UUID7_H
#define KMS_COMMON_UUID7_H

#include <stdbool.h>
#include <stdint.h>

#define UUID_TEXT_SIZE 37  /* 8-4-4-4-12 and NUL */
#define UUID_HEX_SIZE 33   /* 32 hex digits and NUL */

struct uuid {
    uint8_t bytes[16];
};

/* unix_ms: milliseconds since 1970; random: ten random bytes. */
struct uuid uuid7_make(int64_t unix_ms, const uint8_t random[10]);
/* The milliseconds it was made with. */
int64_t uuid7_ms(const struct uuid *id);
void uuid_format(const struct uuid *id, char ret[UUID_TEXT_SIZE]);
void uuid_format_hex(const struct uuid *id, char ret[UUID_HEX_SIZE]);
/* Takes the dashed and the 32-digit form, either case; 0 or -1. */
int uuid_parse(const char *text, struct uuid *ret);
bool uuid_equal(const struct uuid *a, const struct uuid *b);
bool uuid_is_nil(const struct uuid *id);

#endif
