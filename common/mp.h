/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded MessagePack: a resumable validator, a read cursor and a writer. Libc only, no allocation.
 * Source: the MessagePack specification (spec.md of msgpack/msgpack) and MessagePack-RPC.
 */
#ifndef KMS_COMMON_MP_H
#define KMS_COMMON_MP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mp_limits {
    uint32_t max_bytes;     /* whole message */
    uint32_t max_depth;     /* ≤ MP_DEPTH_MAX */
    uint32_t max_elements;  /* array elements, map pairs */
    uint32_t max_string;    /* str and bin bytes */
    bool strict;            /* refuse ext, float, bin, duplicate map keys, non-string keys, invalid UTF-8 */
};
#define MP_DEPTH_MAX 16
extern const struct mp_limits mp_request_limits, mp_answer_limits;

enum mp_status { MP_MORE, MP_DONE, MP_BAD };

/* State of one message being checked; embed it, mp_check_init() before each message. */
struct mp_check {
    const struct mp_limits *limits;
    size_t offset;              /* bytes judged so far */
    uint32_t depth;
    struct {
        uint32_t left;          /* elements (keys and values counted singly) still to come */
        uint32_t start;         /* offset of the first element, for duplicate keys */
        bool map;
    } stack[MP_DEPTH_MAX];
    uint32_t body_left;         /* bytes of a string body still to come */
    const char *reason;         /* why MP_BAD, static text */
    bool too_large;             /* MP_BAD because of max_bytes or a size limit */
    bool has_msgid;             /* a [type, msgid, …] head was read whole */
    uint64_t msgid;
};

void mp_check_init(struct mp_check *check, const struct mp_limits *limits);
/* Judges buf[check->offset .. len); buf must hold the message from its first byte. Sizes are judged from
 * headers at once, before their bodies arrive. MP_DONE: the message is buf[0 .. check->offset), more bytes
 * may follow (the next message). Never rescans, save one pass over the keys of a map when the map ends. */
enum mp_status mp_check_feed(struct mp_check *check, const uint8_t *buf, size_t len);

/* A read position in a message. Getters return 0 and advance, or -1 and leave the cursor as it was. */
struct mp_cursor {
    const uint8_t *p, *end;
};
enum mp_type { MP_NIL, MP_BOOL, MP_UINT, MP_INT, MP_STR, MP_ARRAY, MP_MAP, MP_OTHER, MP_END };
enum mp_type mp_peek(const struct mp_cursor *cursor);
int mp_get_nil(struct mp_cursor *cursor);
int mp_get_bool(struct mp_cursor *cursor, bool *ret);
int mp_get_uint(struct mp_cursor *cursor, uint64_t *ret);
int mp_get_int(struct mp_cursor *cursor, int64_t *ret);
/* *ret points into the message, not NUL-terminated. */
int mp_get_str(struct mp_cursor *cursor, const char **ret, uint32_t *ret_len);
int mp_get_array(struct mp_cursor *cursor, uint32_t *ret_count);
int mp_get_map(struct mp_cursor *cursor, uint32_t *ret_pairs);
/* Skips one value with all it contains. */
int mp_skip(struct mp_cursor *cursor);

/* Writes into a caller's buffer; once it does not fit, `overflow` is set and nothing more is written. */
struct mp_writer {
    uint8_t *buf;
    size_t size, len;
    bool overflow;
};
void mp_writer_init(struct mp_writer *writer, void *buf, size_t size);
void mp_put_nil(struct mp_writer *writer);
void mp_put_bool(struct mp_writer *writer, bool value);
void mp_put_uint(struct mp_writer *writer, uint64_t value);
void mp_put_int(struct mp_writer *writer, int64_t value);
void mp_put_str(struct mp_writer *writer, const char *s);
void mp_put_strn(struct mp_writer *writer, const char *s, size_t len);
void mp_put_array(struct mp_writer *writer, uint32_t count);
void mp_put_map(struct mp_writer *writer, uint32_t pairs);

#endif
