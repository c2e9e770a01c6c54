/* SPDX-License-Identifier: Apache-2.0 */
#include "service/wire.h"

#include "common/proto.h"
#include "common/timefmt.h"

#include <msgpack.h>
#include <string.h>

#define SIZE_FIRST 512
#define HEAD_BYTES 3 /* map 16 and array 16 */

/* ---- requests ---- */

static void decode_value(const msgpack_object_kv *pair, struct wire_value *ret)
{
    const msgpack_object *value = &pair->val;

    *ret = (struct wire_value){
        .name = pair->key.via.str.ptr, .name_len = pair->key.via.str.size, .type = WIRE_OTHER};
    switch (value->type) {
    case MSGPACK_OBJECT_BOOLEAN:
        ret->type = WIRE_BOOL;
        ret->boolean = value->via.boolean;
        break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        ret->type = WIRE_INT;
        ret->integer = value->via.u64 > INT64_MAX ? INT64_MAX : (int64_t)value->via.u64;
        break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        ret->type = WIRE_INT;
        ret->integer = value->via.i64;
        break;
    case MSGPACK_OBJECT_STR:
        ret->type = WIRE_STR;
        ret->str = value->via.str.ptr;
        ret->str_len = value->via.str.size;
        break;
    default:
        break;
    }
}

static int decode_params(const msgpack_object *params, struct wire_request *ret, struct err *err)
{
    const msgpack_object_map *map;

    if (params->type != MSGPACK_OBJECT_ARRAY || params->via.array.size > 1 ||
        (params->via.array.size == 1 && params->via.array.ptr[0].type != MSGPACK_OBJECT_MAP))
        return err_set(err, KMS_EINVALID, "the parameters must be an array of one map, or empty");
    if (params->via.array.size == 0)
        return 0;
    map = &params->via.array.ptr[0].via.map;
    for (uint32_t i = 0; i < map->size && i < WIRE_VALUES_MAX; i++) {
        if (map->ptr[i].key.type != MSGPACK_OBJECT_STR)
            return err_set(err, KMS_EINVALID, "a parameter's name is not a string");
        decode_value(&map->ptr[i], &ret->values[ret->count++]);
    }
    return 0;
}

static int decode_request(const msgpack_object *root, struct wire_request *ret, struct err *err)
{
    const msgpack_object *part = root->via.array.ptr;

    if (root->type != MSGPACK_OBJECT_ARRAY || root->via.array.size != 4 ||
        part[1].type != MSGPACK_OBJECT_POSITIVE_INTEGER)
        return err_set(err, KMS_EINVALID,
                       "not a request: [0, msgid, method, [params]] is expected");
    ret->msgid = part[1].via.u64;
    if (part[0].type != MSGPACK_OBJECT_POSITIVE_INTEGER || part[0].via.u64 != 0)
        return err_set(err, KMS_EINVALID, "not a request: its type must be 0");
    if (part[2].type != MSGPACK_OBJECT_STR)
        return err_set(err, KMS_EINVALID, "the method must be a string");
    ret->method = part[2].via.str.ptr;
    ret->method_len = part[2].via.str.size;
    return decode_params(&part[3], ret, err);
}

int wire_decode(const uint8_t *message, size_t len, struct wire_request *ret, struct err *err)
{
    msgpack_unpacked unpacked;
    size_t offset = 0;
    int rc;

    ret->msgid = 0;
    ret->count = 0;
    ret->method = "";
    ret->method_len = 0;
    msgpack_unpacked_init(&unpacked);
    switch (msgpack_unpack_next(&unpacked, (const char *)message, len, &offset)) {
    case MSGPACK_UNPACK_SUCCESS:
        rc = decode_request(&unpacked.data, ret, err);
        break;
    case MSGPACK_UNPACK_NOMEM_ERROR:
        rc = err_set(err, KMS_ENOMEM, "out of memory");
        break;
    default:
        rc = err_set(err, KMS_EINVALID, "the message is malformed");
    }
    /* Strings were not copied: they point into the message, which outlives the tree. */
    msgpack_unpacked_destroy(&unpacked);
    return rc;
}

/* ---- answers ---- */

static int reserve(struct wire_writer *writer, size_t more)
{
    size_t size = writer->size == 0 ? SIZE_FIRST : writer->size;
    uint8_t *bytes;

    if (more > PROTO_ANSWER_MAX - writer->len)
        return KMS_ETOOBIG;
    while (size < writer->len + more)
        size *= 2;
    if (size == writer->size)
        return 0;
    bytes = wiping_realloc(writer->bytes, size);
    if (bytes == NULL)
        return KMS_ENOMEM;
    writer->bytes = bytes;
    writer->size = size;
    return 0;
}

/* msgpack-c's output callback. */
static int append(void *arg, const char *bytes, size_t len)
{
    struct wire_writer *writer = arg;

    if (writer->failed == 0)
        writer->failed = reserve(writer, len);
    if (writer->failed != 0)
        return -1;
    memcpy(writer->bytes + writer->len, bytes, len);
    writer->len += len;
    return 0;
}

static msgpack_packer packer_of(struct wire_writer *writer)
{
    msgpack_packer packer;

    msgpack_packer_init(&packer, writer, append);
    return packer;
}

/* Bytes of the UTF-8 character at p, 0 if it is none (the grammar of RFC 3629, section 4). */
static size_t utf8_len(const uint8_t *p, size_t left)
{
    uint8_t low = p[0] == 0xE0 ? 0xA0 : p[0] == 0xF0 ? 0x90 : 0x80;
    uint8_t high = p[0] == 0xED ? 0x9F : p[0] == 0xF4 ? 0x8F : 0xBF;
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;

    if (p[0] > 0xF4 || len > left || (len > 1 && (p[1] < low || p[1] > high)))
        return 0;
    for (size_t i = 2; i < len; i++)
        if (p[i] < 0x80 || p[i] > 0xBF)
            return 0;
    return len;
}

/* Texts from AWS are cut to size at any byte; an answer is UTF-8 all the same. */
static void pack_text(msgpack_packer *packer, const char *text, size_t len)
{
    const uint8_t *p = (const uint8_t *)text;

    msgpack_pack_str(packer, len);
    for (size_t at = 0, run = 0; at < len; run = at) {
        size_t n = 0;

        while (at < len && (n = p[at] < 0x80 ? 1 : utf8_len(p + at, len - at)) > 0)
            at += n;
        msgpack_pack_str_body(packer, text + run, at - run);
        if (at < len) {
            msgpack_pack_str_body(packer, "?", 1);
            at++;
        }
    }
}

/* Counts an element of the open container and writes its key. */
static msgpack_packer element(struct wire_writer *writer, const char *key)
{
    msgpack_packer packer = packer_of(writer);

    if (writer->depth > 0)
        writer->open[writer->depth - 1].count++;
    if (key != NULL)
        pack_text(&packer, key, strlen(key));
    return packer;
}

static void open_container(struct wire_writer *writer, const char *key, uint8_t type)
{
    const char head[HEAD_BYTES] = {(char)type, 0, 0};

    (void)element(writer, key);
    if (writer->depth == WIRE_DEPTH_MAX)
        writer->failed = KMS_EINTERNAL;
    if (writer->failed != 0)
        return;
    writer->open[writer->depth].at = writer->len;
    writer->open[writer->depth++].count = 0;
    append(writer, head, sizeof head);
}

void wire_open_map(struct wire_writer *writer, const char *key)
{
    open_container(writer, key, 0xDE);
}

void wire_open_array(struct wire_writer *writer, const char *key)
{
    open_container(writer, key, 0xDC);
}

void wire_close(struct wire_writer *writer)
{
    uint8_t *head;
    uint16_t count;

    if (writer->failed != 0 || writer->depth == 0)
        return;
    writer->depth--;
    count = writer->open[writer->depth].count;
    head = writer->bytes + writer->open[writer->depth].at;
    head[1] = (uint8_t)(count >> 8);
    head[2] = (uint8_t)count;
}

void wire_put_str(struct wire_writer *writer, const char *key, const char *value)
{
    msgpack_packer packer = element(writer, key);

    pack_text(&packer, value, strlen(value));
}

void wire_put_opt(struct wire_writer *writer, const char *key, const char *value)
{
    if (value != NULL && value[0] != '\0')
        wire_put_str(writer, key, value);
}

void wire_put_secret(struct wire_writer *writer, const char *key, const struct secret *value)
{
    msgpack_packer packer = element(writer, key);

    pack_text(&packer, secret_text(value), value->len);
}

void wire_put_int(struct wire_writer *writer, const char *key, int64_t value)
{
    msgpack_packer packer = element(writer, key);

    msgpack_pack_int64(&packer, value);
}

void wire_put_bool(struct wire_writer *writer, const char *key, bool value)
{
    msgpack_packer packer = element(writer, key);

    if (value)
        msgpack_pack_true(&packer);
    else
        msgpack_pack_false(&packer);
}

void wire_put_time(struct wire_writer *writer, const char *key, int64_t ms)
{
    char text[TIME_TEXT_SIZE];

    if (ms == 0)
        return;
    time_format(ms, text);
    wire_put_str(writer, key, text);
}

void wire_put_uuid(struct wire_writer *writer, const char *key, const struct uuid *id)
{
    char text[UUID_TEXT_SIZE];

    if (uuid_is_nil(id))
        return;
    uuid_format(id, text);
    wire_put_str(writer, key, text);
}

int wire_keep_pairs(struct wire_writer *writer, struct secret *ret, uint16_t *ret_count)
{
    uint16_t count = writer->depth > 0 ? writer->open[0].count : 0;
    int rc = wire_end(writer);

    if (rc == 0)
        rc = secret_set(ret, writer->bytes + HEAD_BYTES, writer->len - HEAD_BYTES);
    if (rc == 0)
        *ret_count = count;
    return rc;
}

void wire_put_pairs(struct wire_writer *writer, const struct secret *pairs, uint16_t count)
{
    (void)append(writer, secret_text(pairs), pairs->len);
    if (writer->depth > 0)
        writer->open[writer->depth - 1].count =
            (uint16_t)(writer->open[writer->depth - 1].count + count);
}

static msgpack_packer begin(struct wire_writer *writer, uint64_t msgid)
{
    msgpack_packer packer = packer_of(writer);

    msgpack_pack_array(&packer, 4);
    msgpack_pack_int(&packer, 1);
    msgpack_pack_uint64(&packer, msgid);
    return packer;
}

void wire_begin_result(struct wire_writer *writer, uint64_t msgid)
{
    msgpack_packer packer = begin(writer, msgid);

    msgpack_pack_nil(&packer);
}

void wire_put_error(struct wire_writer *writer, uint64_t msgid, const struct err *err)
{
    msgpack_packer packer = begin(writer, msgid);

    wire_open_map(writer, NULL);
    wire_put_str(writer, "code", err_name(err->code));
    wire_put_str(writer, "message", err->message);
    wire_put_opt(writer, "hint", err->hint);
    wire_put_opt(writer, "aws_code", err->aws_code);
    wire_put_opt(writer, "aws_request_id", err->aws_request_id);
    if (err->retry_after_ms > 0)
        wire_put_int(writer, "retry_after_ms", err->retry_after_ms);
    wire_close(writer);
    msgpack_pack_nil(&packer);
}

int wire_end(struct wire_writer *writer)
{
    while (writer->failed == 0 && writer->depth > 0)
        wire_close(writer);
    return writer->failed;
}

void wire_done(struct wire_writer *writer)
{
    wiping_free(writer->bytes);
    *writer = (struct wire_writer){0};
}
