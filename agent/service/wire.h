/* SPDX-License-Identifier: Apache-2.0 */
/* MessagePack-RPC on msgpack-c, the only place that includes it. Decodes requests that mp_check accepted (never other
 * bytes: msgpack-c trusts sizes); encodes answers into a growing buffer that is wiped when it moves and at the end.
 * Pure; a writer belongs to one thread at a time (lists are encoded on workers). */
#ifndef KMS_AGENT_SERVICE_WIRE_H
#define KMS_AGENT_SERVICE_WIRE_H

#include "base/secret.h"
#include "common/err.h"
#include "common/uuid7.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- requests ---- */

enum wire_type { WIRE_BOOL, WIRE_INT, WIRE_STR, WIRE_OTHER };

/* One pair of the parameter map; names and strings point into the message, not NUL-terminated. */
struct wire_value {
    const char *name, *str;
    uint32_t name_len, str_len;
    enum wire_type type;
    bool boolean;
    int64_t integer; /* larger ones are INT64_MAX */
};

#define WIRE_VALUES_MAX 32 /* more than any method knows: further ones need not be looked at */

struct wire_request {
    uint64_t msgid; /* 0 when it could not be read */
    const char *method;
    uint32_t method_len;
    struct wire_value values[WIRE_VALUES_MAX];
    size_t count;
};

/* 0, KMS_EINVALID (ret->msgid is set as far as known) or KMS_ENOMEM. */
int wire_decode(const uint8_t *message, size_t len, struct wire_request *ret, struct err *err) KMS_MUST_CHECK;

/* ---- answers ---- */

#define WIRE_DEPTH_MAX 8

/* Zeroed is empty. After a failure (out of memory, over PROTO_ANSWER_MAX) further calls do nothing. */
struct wire_writer {
    uint8_t *bytes;
    size_t len, size;
    int failed; /* KMS_ENOMEM, KMS_ETOOBIG */
    unsigned depth;
    struct {
        size_t at; /* of the container's head */
        uint16_t count;
    } open[WIRE_DEPTH_MAX];
};

/* [1, msgid, nil, …: the result is written next (one map). */
void wire_begin_result(struct wire_writer *writer, uint64_t msgid);
/* [1, msgid, {code, message, …}, nil], whole. */
void wire_put_error(struct wire_writer *writer, uint64_t msgid, const struct err *err);
/* Closes what is open; 0 or what failed. The bytes are the writer's until wire_done(). */
int wire_end(struct wire_writer *writer) KMS_MUST_CHECK;
/* Wipes. */
void wire_done(struct wire_writer *writer);

/* Within a map, key names the value; within an array, key is NULL. Strings that are not UTF-8 get "?" for each bad
 * byte. Lengths of containers are filled in by wire_close(). */
void wire_open_map(struct wire_writer *writer, const char *key);
void wire_open_array(struct wire_writer *writer, const char *key);
void wire_close(struct wire_writer *writer);
void wire_put_str(struct wire_writer *writer, const char *key, const char *value);
/* Left out when empty or NULL. */
void wire_put_opt(struct wire_writer *writer, const char *key, const char *value);
void wire_put_secret(struct wire_writer *writer, const char *key, const struct secret *value);
void wire_put_int(struct wire_writer *writer, const char *key, int64_t value);
void wire_put_bool(struct wire_writer *writer, const char *key, bool value);
/* RFC 3339; left out when ms is 0. */
void wire_put_time(struct wire_writer *writer, const char *key, int64_t ms);
/* Encoded once, put into many answers: the pairs of the one map that writer was used for, moved into the locked heap.
 * 0, KMS_ENOMEM or what failed. */
int wire_keep_pairs(struct wire_writer *writer, struct secret *ret, uint16_t *ret_count) KMS_MUST_CHECK;
/* Those pairs, into the open map. */
void wire_put_pairs(struct wire_writer *writer, const struct secret *pairs, uint16_t count);
/* Left out when nil. */
void wire_put_uuid(struct wire_writer *writer, const char *key, const struct uuid *id);

#endif
