/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mp.h"

#include <string.h>

static uint64_t big_endian(const uint8_t *p, uint32_t bytes)
{
    uint64_t value = 0;

    for (uint32_t i = 0; i < bytes; i++)
        value = value << 8 | p[i];
    return value;
}

static size_t bytes_left(const struct mp_cursor *cursor)
{
    return (size_t)(cursor->end - cursor->p);
}

enum mp_type mp_peek(const struct mp_cursor *cursor)
{
    if (cursor->p >= cursor->end)
        return MP_END;
    uint8_t b = *cursor->p;

    if (b <= 0x7F || (b >= 0xCC && b <= 0xCF))
        return MP_UINT;
    if (b >= 0xE0 || (b >= 0xD0 && b <= 0xD3))
        return MP_INT;
    if (b <= 0x8F || b == 0xDE || b == 0xDF)
        return MP_MAP;
    if (b <= 0x9F || b == 0xDC || b == 0xDD)
        return MP_ARRAY;
    if (b <= 0xBF || (b >= 0xD9 && b <= 0xDB))
        return MP_STR;
    if (b == 0xC0)
        return MP_NIL;
    return b == 0xC2 || b == 0xC3 ? MP_BOOL : MP_OTHER;
}

int mp_get_nil(struct mp_cursor *cursor)
{
    if (mp_peek(cursor) != MP_NIL)
        return -1;
    cursor->p++;
    return 0;
}

int mp_get_bool(struct mp_cursor *cursor, bool *ret)
{
    if (mp_peek(cursor) != MP_BOOL)
        return -1;
    *ret = *cursor->p++ == 0xC3;
    return 0;
}

/* The number after a type byte whose low two bits are log2 of its size; -1 if cut short. */
static int get_sized(struct mp_cursor *cursor, uint64_t *ret)
{
    uint32_t bytes = 1u << (*cursor->p & 3);

    if (bytes_left(cursor) < 1u + bytes)
        return -1;
    *ret = big_endian(cursor->p + 1, bytes);
    cursor->p += 1 + bytes;
    return 0;
}

/* Sign extension by hand: shifting negative numbers is not for C11. */
static int64_t sign_extend(uint64_t value, uint32_t bytes)
{
    if (bytes < 8 && value >> (8 * bytes - 1))
        value |= UINT64_MAX << (8 * bytes);
    return value > INT64_MAX ? -(int64_t)(UINT64_MAX - value) - 1 : (int64_t)value;
}

int mp_get_uint(struct mp_cursor *cursor, uint64_t *ret)
{
    struct mp_cursor at = *cursor;
    int64_t number;

    if (mp_peek(cursor) == MP_UINT) {
        if (*cursor->p > 0x7F)
            return get_sized(cursor, ret);
        *ret = *cursor->p++;
        return 0;
    }
    if (mp_peek(cursor) != MP_INT || mp_get_int(&at, &number) || number < 0)
        return -1;
    *cursor = at;
    *ret = (uint64_t)number;
    return 0;
}

int mp_get_int(struct mp_cursor *cursor, int64_t *ret)
{
    struct mp_cursor at = *cursor;
    uint64_t raw;

    if (mp_peek(cursor) == MP_UINT) {
        if (mp_get_uint(&at, &raw) || raw > INT64_MAX)
            return -1;
        *ret = (int64_t)raw;
    } else if (mp_peek(cursor) != MP_INT) {
        return -1;
    } else if (*at.p >= 0xE0) {
        *ret = (int64_t)*at.p++ - 256;
    } else {
        uint32_t bytes = 1u << (*at.p & 3);

        if (get_sized(&at, &raw))
            return -1;
        *ret = sign_extend(raw, bytes);
    }
    *cursor = at;
    return 0;
}

/* Count or length of a container or str: in the low bits of the type byte (`fix_mask`), else in
 * `bytes` big-endian bytes after it. */
static int get_count(struct mp_cursor *cursor, uint8_t fix_mask, uint32_t bytes, uint32_t *ret)
{
    if (bytes == 0) {
        *ret = *cursor->p & fix_mask;
    } else {
        if (bytes_left(cursor) < 1u + bytes)
            return -1;
        *ret = (uint32_t)big_endian(cursor->p + 1, bytes);
    }
    cursor->p += 1 + bytes;
    return 0;
}

int mp_get_str(struct mp_cursor *cursor, const char **ret, uint32_t *ret_len)
{
    struct mp_cursor at = *cursor;
    uint32_t len;

    if (mp_peek(cursor) != MP_STR)
        return -1;
    uint32_t bytes = *at.p < 0xC0 ? 0 : 1u << (*at.p - 0xD9);

    if (get_count(&at, 31, bytes, &len) || bytes_left(&at) < len)
        return -1;
    *ret = (const char *)at.p;
    *ret_len = len;
    cursor->p = at.p + len;
    return 0;
}

int mp_get_array(struct mp_cursor *cursor, uint32_t *ret_count)
{
    if (mp_peek(cursor) != MP_ARRAY)
        return -1;
    return get_count(cursor, 15, *cursor->p < 0xA0 ? 0 : *cursor->p == 0xDC ? 2 : 4, ret_count);
}

int mp_get_map(struct mp_cursor *cursor, uint32_t *ret_pairs)
{
    if (mp_peek(cursor) != MP_MAP)
        return -1;
    return get_count(cursor, 15, *cursor->p < 0x90 ? 0 : *cursor->p == 0xDE ? 2 : 4, ret_pairs);
}

/* Skips a float, bin or ext. */
static int skip_other(struct mp_cursor *cursor)
{
    uint8_t b = *cursor->p;
    size_t left = bytes_left(cursor);
    uint64_t size;

    if (b == 0xCA || b == 0xCB) {
        size = b == 0xCA ? 5 : 9;
    } else if (b >= 0xD4 && b <= 0xD8) {
        size = 2 + (1u << (b - 0xD4));
    } else if (b >= 0xC4 && b <= 0xC9) {
        bool ext = b >= 0xC7;
        uint32_t bytes = 1u << (b - (ext ? 0xC7 : 0xC4));

        if (left < 1u + bytes)
            return -1;
        size = 1 + bytes + (ext ? 1 : 0) + big_endian(cursor->p + 1, bytes);
    } else {
        return -1;
    }
    if (left < size)
        return -1;
    cursor->p += size;
    return 0;
}

/* Skips one scalar or the head of a container, whose number of members goes to *ret_members. */
static int skip_head(struct mp_cursor *cursor, uint64_t *ret_members)
{
    const char *text;
    uint32_t count = 0;
    uint64_t number;
    int64_t signed_number;
    int rc;

    *ret_members = 0;
    switch (mp_peek(cursor)) {
    case MP_NIL:
    case MP_BOOL:
        cursor->p++;
        return 0;
    case MP_UINT:
        return mp_get_uint(cursor, &number);
    case MP_INT:
        return mp_get_int(cursor, &signed_number);
    case MP_STR:
        return mp_get_str(cursor, &text, &count);
    case MP_ARRAY:
        rc = mp_get_array(cursor, &count);
        *ret_members = count;
        return rc;
    case MP_MAP:
        rc = mp_get_map(cursor, &count);
        *ret_members = 2 * (uint64_t)count;
        return rc;
    case MP_OTHER:
        return skip_other(cursor);
    case MP_END:
        break;
    }
    return -1;
}

int mp_skip(struct mp_cursor *cursor)
{
    struct mp_cursor at = *cursor;
    uint64_t members;

    for (uint64_t left = 1; left > 0; left += members - 1)
        if (skip_head(&at, &members))
            return -1;
    *cursor = at;
    return 0;
}

void mp_writer_init(struct mp_writer *writer, void *buf, size_t size)
{
    *writer = (struct mp_writer){.buf = buf, .size = size};
}

static void put_bytes(struct mp_writer *writer, const void *bytes, size_t len)
{
    if (writer->overflow || len > writer->size - writer->len) {
        writer->overflow = true;
        return;
    }
    if (len > 0)
        memcpy(writer->buf + writer->len, bytes, len);
    writer->len += len;
}

/* A type byte and a big-endian number of 0, 1, 2, 4 or 8 bytes. */
static void put_head(struct mp_writer *writer, unsigned type, uint64_t value, uint32_t bytes)
{
    uint8_t head[9] = {(uint8_t)type};

    for (uint32_t i = 0; i < bytes; i++)
        head[1 + i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
    put_bytes(writer, head, 1 + bytes);
}

void mp_put_nil(struct mp_writer *writer)
{
    put_head(writer, 0xC0, 0, 0);
}

void mp_put_bool(struct mp_writer *writer, bool value)
{
    put_head(writer, value ? 0xC3 : 0xC2, 0, 0);
}

void mp_put_uint(struct mp_writer *writer, uint64_t value)
{
    if (value <= 0x7F)
        put_head(writer, (unsigned)value, 0, 0);
    else if (value <= UINT8_MAX)
        put_head(writer, 0xCC, value, 1);
    else if (value <= UINT16_MAX)
        put_head(writer, 0xCD, value, 2);
    else if (value <= UINT32_MAX)
        put_head(writer, 0xCE, value, 4);
    else
        put_head(writer, 0xCF, value, 8);
}

void mp_put_int(struct mp_writer *writer, int64_t value)
{
    uint64_t raw = (uint64_t)value;

    if (value >= 0)
        mp_put_uint(writer, raw);
    else if (value >= -32)
        put_head(writer, (unsigned)(raw & 0xFF), 0, 0);
    else if (value >= INT8_MIN)
        put_head(writer, 0xD0, raw, 1);
    else if (value >= INT16_MIN)
        put_head(writer, 0xD1, raw, 2);
    else if (value >= INT32_MIN)
        put_head(writer, 0xD2, raw, 4);
    else
        put_head(writer, 0xD3, raw, 8);
}

void mp_put_str(struct mp_writer *writer, const char *s)
{
    mp_put_strn(writer, s, strlen(s));
}

void mp_put_strn(struct mp_writer *writer, const char *s, size_t len)
{
    if (len > UINT32_MAX) {
        writer->overflow = true;
        return;
    }
    if (len <= 31)
        put_head(writer, 0xA0 | (unsigned)len, 0, 0);
    else if (len <= UINT8_MAX)
        put_head(writer, 0xD9, len, 1);
    else if (len <= UINT16_MAX)
        put_head(writer, 0xDA, len, 2);
    else
        put_head(writer, 0xDB, len, 4);
    put_bytes(writer, s, len);
}

void mp_put_array(struct mp_writer *writer, uint32_t count)
{
    if (count <= 15)
        put_head(writer, 0x90 | count, 0, 0);
    else if (count <= UINT16_MAX)
        put_head(writer, 0xDC, count, 2);
    else
        put_head(writer, 0xDD, count, 4);
}

void mp_put_map(struct mp_writer *writer, uint32_t pairs)
{
    if (pairs <= 15)
        put_head(writer, 0x80 | pairs, 0, 0);
    else if (pairs <= UINT16_MAX)
        put_head(writer, 0xDE, pairs, 2);
    else
        put_head(writer, 0xDF, pairs, 4);
}
