/* SPDX-License-Identifier: Apache-2.0 */
#include "common/uuid7.h"

#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

struct uuid uuid7_make(int64_t unix_ms, const uint8_t random[10])
{
    struct uuid id;
    uint64_t ms = (uint64_t)unix_ms;

    for (int i = 0; i < 6; i++)
        id.bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    memcpy(id.bytes + 6, random, 10);
    id.bytes[6] = (uint8_t)(0x70 | (id.bytes[6] & 0x0F)); /* version 7 */
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3F)); /* variant 10 */
    return id;
}

int64_t uuid7_ms(const struct uuid *id)
{
    int64_t ms = 0;

    for (size_t i = 0; i < 6; i++)
        ms = ms << 8 | id->bytes[i];
    return ms;
}

void uuid_format(const struct uuid *id, char ret[UUID_TEXT_SIZE])
{
    char *p = ret;

    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = hex_digits[id->bytes[i] >> 4];
        *p++ = hex_digits[id->bytes[i] & 15];
    }
    *p = '\0';
}

void uuid_format_hex(const struct uuid *id, char ret[UUID_HEX_SIZE])
{
    for (int i = 0; i < 16; i++) {
        ret[2 * i] = hex_digits[id->bytes[i] >> 4];
        ret[2 * i + 1] = hex_digits[id->bytes[i] & 15];
    }
    ret[32] = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int uuid_parse(const char *text, struct uuid *ret)
{
    struct uuid id;
    size_t len = strlen(text);

    if (len != UUID_TEXT_SIZE - 1 && len != UUID_HEX_SIZE - 1)
        return -1;
    for (int i = 0; i < 16; i++) {
        if (len == UUID_TEXT_SIZE - 1 && (i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
            return -1;
        int high = hex_value(text[0]);
        int low = high < 0 ? -1 : hex_value(text[1]);

        if (low < 0)
            return -1;
        id.bytes[i] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    *ret = id;
    return 0;
}

bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool uuid_is_nil(const struct uuid *id)
{
    static const struct uuid nil;

    return uuid_equal(id, &nil);
}
