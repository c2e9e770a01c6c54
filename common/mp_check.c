/* SPDX-License-Identifier: Apache-2.0 */
/* The validator: what passes here is safe for any decoder that trusts sizes. Its memory is the
 * caller's struct; a head or a character that is cut off at the end of the buffer is not consumed,
 * so at most eight bytes are looked at twice. */
#include "common/mp.h"

#include "common/proto.h"

#include <string.h>

#define KEYS_MAX 256      /* pairs of a map in strict mode, whatever the limits say */
#define FILTER_BITS 4096u /* of the filter in front of the key comparison */
#define HEAD_MAX 9        /* bytes of the longest integer */

const struct mp_limits mp_request_limits = {.max_bytes = PROTO_REQUEST_MAX,
                                            .max_depth = PROTO_DEPTH_MAX,
                                            .max_elements = PROTO_ELEMENTS_MAX,
                                            .max_string = PROTO_REQUEST_STRING_MAX,
                                            .strict = true};
const struct mp_limits mp_answer_limits = {.max_bytes = PROTO_ANSWER_MAX,
                                           .max_depth = PROTO_DEPTH_MAX,
                                           .max_elements = PROTO_ANSWER_ELEMENTS_MAX,
                                           .max_string = PROTO_ANSWER_STRING_MAX,
                                           .strict = false};

enum kind { KIND_FIXED, KIND_STR, KIND_BIN, KIND_EXT, KIND_FLOAT, KIND_ARRAY, KIND_MAP, KIND_BAD };

/* What the type byte says: `number` bytes of length follow it, or `size` is given by it. */
struct head {
    enum kind kind;
    uint8_t number; /* bytes of a length that follow */
    uint32_t size;  /* KIND_FIXED and fixed ext: bytes after the type byte; else count or length */
};

static struct head head_of_family(uint8_t b)
{
    static const struct head heads[] = {
        [0x00] = {KIND_FIXED, 0, 0}, /* nil */
        [0x01] = {KIND_BAD, 0, 0},   /* never used */
        [0x02] = {KIND_FIXED, 0, 0}, /* false */
        [0x03] = {KIND_FIXED, 0, 0}, /* true */
        [0x04] = {KIND_BIN, 1, 0},   [0x05] = {KIND_BIN, 2, 0},   [0x06] = {KIND_BIN, 4, 0},
        [0x07] = {KIND_EXT, 1, 0},   [0x08] = {KIND_EXT, 2, 0},   [0x09] = {KIND_EXT, 4, 0},
        [0x0A] = {KIND_FLOAT, 0, 4}, [0x0B] = {KIND_FLOAT, 0, 8}, [0x0C] = {KIND_FIXED, 0, 1},
        [0x0D] = {KIND_FIXED, 0, 2}, [0x0E] = {KIND_FIXED, 0, 4}, [0x0F] = {KIND_FIXED, 0, 8},
        [0x10] = {KIND_FIXED, 0, 1}, [0x11] = {KIND_FIXED, 0, 2}, [0x12] = {KIND_FIXED, 0, 4},
        [0x13] = {KIND_FIXED, 0, 8}, [0x14] = {KIND_EXT, 0, 1},   [0x15] = {KIND_EXT, 0, 2},
        [0x16] = {KIND_EXT, 0, 4},   [0x17] = {KIND_EXT, 0, 8},   [0x18] = {KIND_EXT, 0, 16},
        [0x19] = {KIND_STR, 1, 0},   [0x1A] = {KIND_STR, 2, 0},   [0x1B] = {KIND_STR, 4, 0},
        [0x1C] = {KIND_ARRAY, 2, 0}, [0x1D] = {KIND_ARRAY, 4, 0}, [0x1E] = {KIND_MAP, 2, 0},
        [0x1F] = {KIND_MAP, 4, 0},
    };

    return heads[b - 0xC0];
}

static struct head head_of(uint8_t b)
{
    if (b <= 0x7F || b >= 0xE0)
        return (struct head){KIND_FIXED, 0, 0};
    if (b <= 0x8F)
        return (struct head){KIND_MAP, 0, b & 15u};
    if (b <= 0x9F)
        return (struct head){KIND_ARRAY, 0, b & 15u};
    if (b <= 0xBF)
        return (struct head){KIND_STR, 0, b & 31u};
    return head_of_family(b);
}

void mp_check_init(struct mp_check *check, const struct mp_limits *limits)
{
    memset(check, 0, sizeof *check);
    check->limits = limits;
}

static enum mp_status bad(struct mp_check *check, const char *reason)
{
    check->reason = reason;
    return MP_BAD;
}

static enum mp_status too_large(struct mp_check *check, const char *reason)
{
    check->too_large = true;
    return bad(check, reason);
}

/* Bytes of the character at p: 1..4, 0 if it is cut off by `len`, -1 if it is not UTF-8.
 * Source: The Unicode Standard, table 3-7 (no overlong forms, surrogates, or above U+10FFFF). */
static int utf8_character(const uint8_t *p, size_t len)
{
    uint8_t b = p[0], low = 0x80, high = 0xBF;
    int bytes = b < 0x80 ? 1 : b >= 0xC2 && b <= 0xDF ? 2 : (b & 0xF0) == 0xE0 ? 3 : 4;

    if ((b >= 0x80 && b < 0xC2) || b > 0xF4)
        return -1;
    if (b == 0xE0)
        low = 0xA0;
    else if (b == 0xED)
        high = 0x9F;
    else if (b == 0xF0)
        low = 0x90;
    else if (b == 0xF4)
        high = 0x8F;
    for (int i = 1; i < bytes; i++) {
        if ((size_t)i >= len)
            return 0;
        if (p[i] < low || p[i] > high)
            return -1;
        low = 0x80;
        high = 0xBF;
    }
    return bytes;
}

/* Takes what is there of a body; characters that are cut off stay for the next call. */
static enum mp_status take_body(struct mp_check *check, const uint8_t *buf, size_t len, bool utf8)
{
    size_t here = len - check->offset;

    if (here > check->body_left)
        here = check->body_left;
    const uint8_t *p = buf + check->offset, *end = p + here;

    while (utf8 && p < end) {
        int bytes = utf8_character(p, (size_t)(end - p));

        if (bytes < 0 || (bytes == 0 && here == check->body_left))
            return bad(check, "a string is not UTF-8");
        if (bytes == 0)
            break;
        p += bytes;
    }
    if (!utf8)
        p = end;
    uint32_t taken = (uint32_t)(p - (buf + check->offset));

    check->offset += taken;
    check->body_left -= taken;
    return check->body_left ? MP_MORE : MP_DONE;
}

struct key {
    const char *text;
    uint32_t len;
};

/* Compares only keys that the filter cannot tell apart: linear for honest maps, and for hostile
 * ones at most KEYS_MAX squared comparisons for the kilobyte that 256 different keys take. */
static bool keys_unique(const uint8_t *first, const uint8_t *end)
{
    struct mp_cursor cursor = {first, end};
    struct key keys[KEYS_MAX];
    uint64_t filter[FILTER_BITS / 64] = {0};
    uint32_t count = 0;

    for (; cursor.p < end && count < KEYS_MAX; count++) {
        struct key *key = &keys[count];
        uint32_t hash = 2166136261u;

        if (mp_get_str(&cursor, &key->text, &key->len) || mp_skip(&cursor))
            return false;
        for (uint32_t i = 0; i < key->len; i++)
            hash = (hash ^ (uint8_t)key->text[i]) * 16777619u; /* FNV-1a */
        hash = (hash ^ hash >> 16) % FILTER_BITS;
        if (filter[hash / 64] >> hash % 64 & 1)
            for (uint32_t i = 0; i < count; i++)
                if (keys[i].len == key->len && memcmp(keys[i].text, key->text, key->len) == 0)
                    return false;
        filter[hash / 64] |= UINT64_C(1) << hash % 64;
    }
    return true;
}

/* A value is complete: so may be the containers it closes. */
static enum mp_status close_value(struct mp_check *check, const uint8_t *buf)
{
    while (check->depth > 0) {
        uint32_t top = check->depth - 1;

        if (--check->stack[top].left > 0)
            return MP_MORE;
        if (check->stack[top].map && check->limits->strict &&
            !keys_unique(buf + check->stack[top].start, buf + check->offset))
            return bad(check, "a map has a key twice");
        check->depth--;
    }
    return MP_DONE;
}

static enum mp_status open_container(struct mp_check *check, const uint8_t *buf, bool map,
                                     uint32_t count)
{
    const struct mp_limits *limits = check->limits;
    uint32_t max = limits->max_elements;

    if (check->depth >= limits->max_depth || check->depth >= MP_DEPTH_MAX)
        return bad(check, "nested too deeply");
    if (map && limits->strict && max > KEYS_MAX)
        max = KEYS_MAX;
    if (count > max || (uint64_t)count * (map ? 2 : 1) > limits->max_bytes - check->offset)
        return too_large(check, "a container has too many elements");
    if (count == 0)
        return close_value(check, buf);
    check->stack[check->depth].left = count * (map ? 2 : 1);
    check->stack[check->depth].start = (uint32_t)check->offset;
    check->stack[check->depth].map = map;
    check->depth++;
    return MP_MORE;
}

/* [type, msgid, …]: notes the message id when the value at `at` is it. */
static enum mp_status note_msgid(struct mp_check *check, const uint8_t *buf, size_t at)
{
    uint64_t number;

    if (check->depth != 1 || check->stack[0].map || at <= check->stack[0].start ||
        at - check->stack[0].start > HEAD_MAX)
        return MP_DONE;
    struct mp_cursor cursor = {buf + check->stack[0].start, buf + check->offset};

    if (mp_get_uint(&cursor, &number) || cursor.p != buf + at || mp_get_uint(&cursor, &number))
        return MP_DONE;
    if (number > UINT32_MAX)
        return bad(check, "the message id is larger than 32 bits");
    check->has_msgid = true;
    check->msgid = number;
    return MP_DONE;
}

static enum mp_status refuse_kind(struct mp_check *check, enum kind kind)
{
    const uint32_t top = check->depth - 1;

    if (kind == KIND_BAD)
        return bad(check, "a byte that MessagePack does not use");
    if (!check->limits->strict)
        return MP_DONE;
    if (check->depth > 0 && check->stack[top].map && check->stack[top].left % 2 == 0 &&
        kind != KIND_STR)
        return bad(check, "a map key is not a string");
    if (kind == KIND_EXT || kind == KIND_FLOAT || kind == KIND_BIN)
        return bad(check, "ext, float and bin are not used here");
    return MP_DONE;
}

/* Judges one head; MP_DONE: go on with the next one (or with the body). */
static enum mp_status take_head(struct mp_check *check, const uint8_t *buf, size_t len)
{
    const uint8_t *p = buf + check->offset;
    size_t at = check->offset, here = len - check->offset;
    struct head head = head_of(*p);
    uint64_t size = head.size, whole = 1u + head.number;

    if (refuse_kind(check, head.kind) == MP_BAD)
        return MP_BAD;
    if (head.kind == KIND_FIXED || head.kind == KIND_FLOAT)
        whole += size;
    if (here < whole)
        return at + whole > check->limits->max_bytes ? too_large(check, "the message is too large")
                                                     : MP_MORE;
    if (head.number > 0)
        size = 0;
    for (uint8_t i = 0; i < head.number; i++)
        size = size << 8 | p[1 + i];
    check->offset += whole;
    if (check->offset > check->limits->max_bytes)
        return too_large(check, "the message is too large");
    if (head.kind == KIND_ARRAY || head.kind == KIND_MAP)
        return open_container(check, buf, head.kind == KIND_MAP, (uint32_t)size) == MP_BAD
                   ? MP_BAD
                   : MP_DONE;
    if (head.kind == KIND_FIXED || head.kind == KIND_FLOAT)
        return note_msgid(check, buf, at) == MP_BAD || close_value(check, buf) == MP_BAD ? MP_BAD
                                                                                         : MP_DONE;
    if (size > check->limits->max_string)
        return too_large(check, "a string is too long");
    size += head.kind == KIND_EXT; /* its type byte */
    if (size > check->limits->max_bytes - check->offset)
        return too_large(check, "the message is too large");
    check->body_left = (uint32_t)size;
    return size == 0 && close_value(check, buf) == MP_BAD ? MP_BAD : MP_DONE;
}

enum mp_status mp_check_feed(struct mp_check *check, const uint8_t *buf, size_t len)
{
    enum mp_status status = check->reason ? MP_BAD : MP_MORE;

    while (status == MP_MORE && check->offset < len) {
        if (check->body_left > 0) {
            status = take_body(check, buf, len, check->limits->strict);
            if (status == MP_MORE)
                break;
            if (status == MP_DONE)
                status = close_value(check, buf);
        } else {
            status = take_head(check, buf, len);
            if (status == MP_MORE)
                break;
            if (status == MP_DONE)
                status = check->depth > 0 || check->body_left > 0 ? MP_MORE : MP_DONE;
        }
    }
    return status;
}
