/* SPDX-License-Identifier: Apache-2.0 */
#include "store/record_codec.h"

#include "common/mp.h"
#include "store/record_unknown.h"

#include <msgpack.h>
#include <string.h>

static const struct mp_limits record_limits = {.max_bytes = RECORD_BYTES_MAX,
                                               .max_depth = 8,
                                               .max_elements = 256,
                                               .max_string = RECORD_BYTES_MAX,
                                               .strict = false};

#define PARTS_MAX 2

/* One struct of a record and its field table. */
struct part {
    const struct record_table *table;
    const uint8_t *in; /* encoding */
    uint8_t *out;      /* decoding */
    size_t next;       /* decoding: where the search for the next id starts */
};

/* ---- encoding ---- */

struct sink {
    uint8_t *buf;
    size_t size, len;
};

static int sink_write(void *data, const char *bytes, size_t len)
{
    struct sink *sink = data;

    if (len > sink->size - sink->len)
        return -1;
    memcpy(sink->buf + sink->len, bytes, len);
    sink->len += len;
    return 0;
}

static uint32_t groups_kept(uint64_t count)
{
    return count < LEASE_GROUPS_MAX ? (uint32_t)count : LEASE_GROUPS_MAX;
}

static int pack_groups(msgpack_packer *packer, const uint8_t *value)
{
    struct lease_groups groups;
    int rc;

    memcpy(&groups, value, sizeof groups);
    rc = msgpack_pack_array(packer, groups_kept(groups.count) + 1);
    if (rc == 0)
        rc = msgpack_pack_uint32(packer, groups.count);
    for (uint32_t i = 0; i < groups_kept(groups.count) && rc == 0; i++)
        rc = msgpack_pack_uint32(packer, groups.ids[i]);
    return rc;
}

/* 0 or -1: not to be packed (decoding would refuse it), or the sink is full. */
static int pack_value(msgpack_packer *packer, const struct record_field *field,
                      const uint8_t *value)
{
    size_t len;

    switch ((enum record_kind)field->kind) {
    case RECORD_BOOL:
        return msgpack_pack_true(packer);
    case RECORD_UNSIGNED:
        if (record_field_unsigned(field, value) > field->max)
            return -1;
        return msgpack_pack_uint64(packer, record_field_unsigned(field, value));
    case RECORD_SIGNED:
        return msgpack_pack_int64(packer, record_field_signed(field, value));
    case RECORD_UUID:
        return msgpack_pack_bin_with_body(packer, value, field->size);
    case RECORD_TEXT:
        len = strnlen((const char *)value, field->size);
        return len < field->size ? msgpack_pack_str_with_body(packer, value, len) : -1;
    case RECORD_GROUPS:
        return pack_groups(packer, value);
    }
    return -1;
}

static int pack_part(msgpack_packer *packer, const struct sink *sink, const struct part *part,
                     struct err *err)
{
    for (size_t i = 0; i < part->table->count; i++) {
        const struct record_field *field = &part->table->fields[i];
        const uint8_t *value = part->in + field->offset;

        if (record_field_is_zero(field, value))
            continue;
        if (msgpack_pack_uint16(packer, field->id) != 0 || pack_value(packer, field, value) != 0)
            return err_set(err, KMS_EINTERNAL, "field %u cannot be stored (%zu of %zu bytes used)",
                           field->id, sink->len, sink->size);
    }
    return 0;
}

static size_t part_count(const struct part *part)
{
    size_t count = 0;

    for (size_t i = 0; i < part->table->count; i++)
        if (!record_field_is_zero(&part->table->fields[i],
                                  part->in + part->table->fields[i].offset))
            count++;
    return count;
}

static int encode(const struct part *parts, size_t count, const void *old, size_t old_len,
                  struct sink *sink, struct err *err)
{
    msgpack_packer packer;
    const struct record_table *known[PARTS_MAX];
    size_t pairs = 0, unknown = 0, len;
    int rc = 0;

    for (size_t p = 0; p < count; p++) {
        known[p] = parts[p].table;
        pairs += part_count(&parts[p]);
    }
    if (old != NULL &&
        record_unknown_copy(old, old_len, known, count, NULL, SIZE_MAX, &unknown, &len) != 0)
        return err_set(err, KMS_ESTORE, "malformed record: its fields cannot be told apart");
    if (pairs + unknown > record_limits.max_elements)
        return err_set(err, KMS_ESTORE, "the record has too many fields");
    msgpack_packer_init(&packer, sink, sink_write);
    if (msgpack_pack_map(&packer, pairs + unknown) != 0)
        return err_set(err, KMS_ESTORE, "the record is too large");
    for (size_t p = 0; p < count && rc == 0; p++)
        rc = pack_part(&packer, sink, &parts[p], err);
    if (rc != 0 || unknown == 0)
        return rc;
    if (record_unknown_copy(old, old_len, known, count, sink->buf + sink->len,
                            sink->size - sink->len, &unknown, &len) != 0)
        return err_set(err, KMS_ESTORE, "the record is too large");
    sink->len += len;
    return 0;
}

int record_encode_lease(const struct lease *lease, const struct record_derived *derived,
                        const void *old, size_t old_len, uint8_t *buf, size_t size, size_t *ret_len,
                        struct err *err)
{
    const struct part parts[] = {
        {.table = &record_lease_table, .in = (const uint8_t *)lease},
        {.table = &record_derived_table, .in = (const uint8_t *)derived},
    };
    struct sink sink = {buf, size < RECORD_BYTES_MAX ? size : RECORD_BYTES_MAX, 0};
    int rc = encode(parts, 2, old, old_len, &sink, err);

    if (rc == 0)
        *ret_len = sink.len;
    return rc;
}

int record_encode_audit(const struct audit *audit, uint8_t *buf, size_t size, size_t *ret_len,
                        struct err *err)
{
    const struct part part = {.table = &record_audit_table, .in = (const uint8_t *)audit};
    struct sink sink = {buf, size < RECORD_BYTES_MAX ? size : RECORD_BYTES_MAX, 0};
    int rc = encode(&part, 1, NULL, 0, &sink, err);

    if (rc == 0)
        *ret_len = sink.len;
    return rc;
}

int record_encode_root_key(const struct root_key *record, const void *old, size_t old_len,
                           uint8_t *buf, size_t size, size_t *ret_len, struct err *err)
{
    const struct part part = {.table = &record_root_key_table, .in = (const uint8_t *)record};
    struct sink sink = {buf, size < RECORD_BYTES_MAX ? size : RECORD_BYTES_MAX, 0};
    int rc = encode(&part, 1, old, old_len, &sink, err);

    if (rc == 0)
        *ret_len = sink.len;
    return rc;
}

/* ---- decoding ---- */

/* Records are written in the order of the tables, so the search almost always ends at once. */
static const struct record_field *find_field(struct part *part, uint64_t id)
{
    for (size_t i = 0; i < part->table->count; i++) {
        size_t at = (part->next + i) % part->table->count;

        if (part->table->fields[at].id == id) {
            part->next = at + 1;
            return &part->table->fields[at];
        }
    }
    return NULL;
}

static const char *store_unsigned(const struct record_field *field, const msgpack_object *object,
                                  uint8_t *ret)
{
    if (object->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
        return "has the wrong type";
    return record_field_set_unsigned(field, object->via.u64, ret) == 0 ? NULL : "is out of range";
}

static const char *store_signed(const struct record_field *field, const msgpack_object *object,
                                uint8_t *ret)
{
    if (object->type != MSGPACK_OBJECT_POSITIVE_INTEGER &&
        object->type != MSGPACK_OBJECT_NEGATIVE_INTEGER)
        return "has the wrong type";
    if (object->type == MSGPACK_OBJECT_POSITIVE_INTEGER && object->via.u64 > INT64_MAX)
        return "is out of range";
    return record_field_set_signed(field, object->via.i64, ret) == 0 ? NULL : "is out of range";
}

static const char *store_text(const struct record_field *field, const msgpack_object *object,
                              uint8_t *ret)
{
    const msgpack_object_str *str = &object->via.str;

    if (object->type != MSGPACK_OBJECT_STR)
        return "has the wrong type";
    if (str->size >= field->size)
        return "is too long";
    if (str->size > 0 && memchr(str->ptr, 0, str->size) != NULL)
        return "has a NUL inside";
    if (str->size > 0)
        memcpy(ret, str->ptr, str->size);
    return NULL;
}

static const char *store_groups(const msgpack_object *object, uint8_t *ret)
{
    const msgpack_object *items = object->via.array.ptr;
    struct lease_groups groups = {0};

    if (object->type != MSGPACK_OBJECT_ARRAY || object->via.array.size == 0)
        return "has the wrong type";
    for (uint32_t i = 0; i < object->via.array.size; i++) {
        if (items[i].type != MSGPACK_OBJECT_POSITIVE_INTEGER)
            return "has the wrong type";
        if (i > LEASE_GROUPS_MAX || items[i].via.u64 > UINT32_MAX)
            return "is out of range";
        if (i > 0)
            groups.ids[i - 1] = (uint32_t)items[i].via.u64;
    }
    if (object->via.array.size != groups_kept(items[0].via.u64) + 1)
        return "is out of range";
    groups.count = (uint32_t)items[0].via.u64;
    memcpy(ret, &groups, sizeof groups);
    return NULL;
}

/* NULL, or what is wrong. *ret is all zero before. */
static const char *store_value(const struct record_field *field, const msgpack_object *object,
                               uint8_t *ret)
{
    switch ((enum record_kind)field->kind) {
    case RECORD_BOOL:
        if (object->type != MSGPACK_OBJECT_BOOLEAN)
            return "has the wrong type";
        *ret = object->via.boolean ? 1 : 0;
        return NULL;
    case RECORD_UNSIGNED:
        return store_unsigned(field, object, ret);
    case RECORD_SIGNED:
        return store_signed(field, object, ret);
    case RECORD_TEXT:
        return store_text(field, object, ret);
    case RECORD_UUID:
        if (object->type != MSGPACK_OBJECT_BIN || object->via.bin.size != field->size)
            return "has the wrong type";
        memcpy(ret, object->via.bin.ptr, field->size);
        return NULL;
    case RECORD_GROUPS:
        return store_groups(object, ret);
    }
    return "has no kind";
}

static int decode_pair(const msgpack_object_kv *kv, struct part *parts, size_t count,
                       uint64_t seen[(RECORD_ID_MAX + 64) / 64], struct err *err)
{
    const struct record_field *field = NULL;
    const char *wrong;
    uint64_t id;
    size_t p;

    if (kv->key.type != MSGPACK_OBJECT_POSITIVE_INTEGER || kv->key.via.u64 < 1 ||
        kv->key.via.u64 > RECORD_ID_MAX)
        return err_set(err, KMS_ESTORE, "malformed record: a key is not a field id");
    id = kv->key.via.u64;
    if (seen[id / 64] >> id % 64 & 1)
        return err_set(err, KMS_ESTORE, "malformed record: field %u comes twice", (unsigned)id);
    seen[id / 64] |= UINT64_C(1) << id % 64;
    for (p = 0; p < count && field == NULL; p++)
        field = find_field(&parts[p], id);
    if (field == NULL)
        return 0; /* of a later version: kept when the record is rewritten */
    wrong = store_value(field, &kv->val, parts[p - 1].out + field->offset);
    if (wrong != NULL)
        return err_set(err, KMS_ESTORE, "malformed record: field %u %s", (unsigned)id, wrong);
    return 0;
}

static int decode_object(const msgpack_object *object, struct part *parts, size_t count,
                         struct err *err)
{
    uint64_t seen[(RECORD_ID_MAX + 64) / 64] = {0};
    int rc = 0;

    if (object->type != MSGPACK_OBJECT_MAP)
        return err_set(err, KMS_ESTORE, "malformed record: it is not a map");
    for (uint32_t i = 0; i < object->via.map.size && rc == 0; i++)
        rc = decode_pair(&object->via.map.ptr[i], parts, count, seen, err);
    return rc;
}

static int decode(const void *bytes, size_t len, struct part *parts, size_t count, struct err *err)
{
    struct mp_check check;
    msgpack_unpacked unpacked;
    msgpack_unpack_return status;
    size_t offset = 0;
    int rc;

    mp_check_init(&check, &record_limits);
    if (len == 0 || mp_check_feed(&check, bytes, len) != MP_DONE || check.offset != len)
        return err_set(err, KMS_ESTORE, "malformed record: %s",
                       check.reason != NULL ? check.reason : "cut off, or bytes after its end");
    msgpack_unpacked_init(&unpacked);
    status = msgpack_unpack_next(&unpacked, bytes, len, &offset);
    if (status == MSGPACK_UNPACK_NOMEM_ERROR)
        rc = err_set(err, KMS_ENOMEM, "out of memory");
    else if (status != MSGPACK_UNPACK_SUCCESS || offset != len)
        rc = err_set(err, KMS_ESTORE, "malformed record");
    else
        rc = decode_object(&unpacked.data, parts, count, err);
    msgpack_unpacked_destroy(&unpacked);
    return rc;
}

int record_decode_lease(const void *bytes, size_t len, struct lease *ret,
                        struct record_derived *ret_derived, struct err *err)
{
    struct lease lease;
    struct record_derived derived;
    struct part parts[] = {
        {.table = &record_lease_table, .out = (uint8_t *)&lease},
        {.table = &record_derived_table, .out = (uint8_t *)&derived},
    };
    int rc;

    memset(&lease, 0, sizeof lease); /* padding too: records are compared bytewise in tests */
    memset(&derived, 0, sizeof derived);
    rc = decode(bytes, len, parts, 2, err);
    if (rc != 0)
        return rc;
    memcpy(ret, &lease, sizeof lease);
    if (ret_derived != NULL)
        memcpy(ret_derived, &derived, sizeof derived);
    return 0;
}

int record_decode_audit(const void *bytes, size_t len, struct audit *ret, struct err *err)
{
    struct audit audit;
    struct part part = {.table = &record_audit_table, .out = (uint8_t *)&audit};
    int rc;

    memset(&audit, 0, sizeof audit);
    rc = decode(bytes, len, &part, 1, err);
    if (rc == 0)
        memcpy(ret, &audit, sizeof audit);
    return rc;
}

int record_decode_root_key(const void *bytes, size_t len, struct root_key *ret, struct err *err)
{
    struct root_key record;
    struct part part = {.table = &record_root_key_table, .out = (uint8_t *)&record};
    int rc;

    memset(&record, 0, sizeof record);
    rc = decode(bytes, len, &part, 1, err);
    if (rc == 0)
        memcpy(ret, &record, sizeof record);
    return rc;
}
