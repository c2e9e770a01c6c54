/* SPDX-License-Identifier: Apache-2.0 */
#include "client/kmsctl_wire.h"

#include <jansson.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

static json_t *convert(const msgpack_object *object);

/* jansson takes UTF-8 only; a broken character must not cost the whole answer. */
static json_t *convert_text(const char *text, size_t len)
{
    json_t *json = json_stringn(text, len);
    char *copy;

    if (json)
        return json;
    copy = malloc(len + 1);
    if (!copy)
        return NULL;
    for (size_t i = 0; i < len; i++)
        copy[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
    json = json_stringn(copy, len);
    free(copy);
    return json;
}

static json_t *convert_array(const msgpack_object_array *array)
{
    json_t *json = json_array();

    for (uint32_t i = 0; json && i < array->size; i++) {
        if (json_array_append_new(json, convert(&array->ptr[i]))) {
            json_decref(json);
            json = NULL;
        }
    }
    return json;
}

static json_t *convert_map(const msgpack_object_map *map)
{
    json_t *json = json_object();
    char key[256];

    for (uint32_t i = 0; json && i < map->size; i++) {
        const msgpack_object *name = &map->ptr[i].key;

        if (name->type != MSGPACK_OBJECT_STR || name->via.str.size >= sizeof key)
            continue;
        memcpy(key, name->via.str.ptr, name->via.str.size);
        key[name->via.str.size] = '\0';
        json_t *value = convert(&map->ptr[i].val);

        if (!value || json_object_set_new(json, key, value)) {
            json_decref(json);
            json = NULL;
        }
    }
    return json;
}

/* The depth is bounded by mp_check. */
static json_t *convert(const msgpack_object *object)
{
    switch (object->type) {
    case MSGPACK_OBJECT_BOOLEAN:
        return json_boolean(object->via.boolean);
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        if (object->via.u64 > INT64_MAX)
            return json_real((double)object->via.u64);
        return json_integer((json_int_t)object->via.u64);
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return json_integer((json_int_t)object->via.i64);
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        return json_real(object->via.f64);
    case MSGPACK_OBJECT_STR:
        return convert_text(object->via.str.ptr, object->via.str.size);
    case MSGPACK_OBJECT_ARRAY:
        return convert_array(&object->via.array);
    case MSGPACK_OBJECT_MAP:
        return convert_map(&object->via.map);
    case MSGPACK_OBJECT_NIL:
    case MSGPACK_OBJECT_BIN:
    case MSGPACK_OBJECT_EXT:
        break;
    }
    return json_null();
}

json_t *kmsctl_wire_decode(struct mp_cursor value)
{
    msgpack_unpacked unpacked;
    json_t *json = NULL;

    msgpack_unpacked_init(&unpacked);
    if (msgpack_unpack_next(&unpacked, (const char *)value.p, (size_t)(value.end - value.p),
                            NULL) == MSGPACK_UNPACK_SUCCESS)
        json = convert(&unpacked.data);
    msgpack_unpacked_destroy(&unpacked);
    return json;
}

int kmsctl_begin(struct kmsctl *ctl, enum kms_method method, struct err *err)
{
    if (ctl->call->fd < 0) {
        int rc = call_open(ctl->call, call_socket_path(ctl->socket), 0, err);

        if (rc)
            return rc;
    }
    call_begin(ctl->call, method);
    return 0;
}

int kmsctl_run(struct kmsctl *ctl, json_t **ret, struct err *err)
{
    struct mp_cursor result;
    int rc = call_run(ctl->call, ctl->answer_ms ? ctl->answer_ms : CALL_ANSWER_MS, &result, err);

    if (rc)
        return rc;
    json_t *json = kmsctl_wire_decode(result);

    if (!json)
        return err_set(err, KMS_ENOMEM, "out of memory");
    if (!json_is_object(json)) {
        json_decref(json);
        return err_set(err, KMS_ECONNECT, "the agent's answer is not a map");
    }
    *ret = json;
    return 0;
}

int kmsctl_is_admin(struct kmsctl *ctl, bool *ret, struct err *err)
{
    json_auto_t *status = NULL;
    int rc = kmsctl_begin(ctl, METHOD_AGENT_STATUS, err);

    if (rc == 0)
        rc = kmsctl_run(ctl, &status, err);
    if (rc == 0)
        *ret = json_object_get(status, "management") != NULL;
    return rc;
}

/* One page: appends its rows and keeps its cursor in *ret_cursor ("" at the end). */
static int run_page(struct kmsctl *ctl, const char *rows_key, json_t *rows, char *ret_cursor,
                    size_t size, struct err *err)
{
    json_auto_t *page = NULL;
    int rc = kmsctl_run(ctl, &page, err);

    if (rc)
        return rc;
    json_t *more = json_object_get(page, rows_key);
    const char *cursor = json_string_value(json_object_get(page, "cursor"));

    if (!json_is_array(more))
        return err_set(err, KMS_ECONNECT, "the agent's answer has no %s", rows_key);
    if (json_array_extend(rows, more))
        return err_set(err, KMS_ENOMEM, "out of memory");
    if (cursor && (strlen(cursor) >= size || json_array_size(more) == 0))
        return err_set(err, KMS_ECONNECT, "the agent's answer has an unusable cursor");
    memcpy(ret_cursor, cursor ? cursor : "", cursor ? strlen(cursor) + 1 : 1);
    return 0;
}

int kmsctl_run_list(struct kmsctl *ctl, enum kms_method method, kmsctl_params_fn *params,
                    const char *rows_key, json_t **ret, struct err *err)
{
    json_auto_t *all = json_object();
    json_t *rows = json_array();
    char cursor[1024] = "";

    if (!all || !rows || json_object_set_new(all, rows_key, rows))
        return err_set(err, KMS_ENOMEM, "out of memory");
    do {
        uint64_t left = ctl->limit - json_array_size(rows);
        int rc = kmsctl_begin(ctl, method, err);

        if (rc)
            return rc;
        params(ctl);
        call_put_uint(ctl->call, "limit",
                      left < PROTO_LIST_LIMIT_MAX ? left : PROTO_LIST_LIMIT_MAX);
        call_put_text(ctl->call, "cursor", *cursor ? cursor : NULL);
        rc = run_page(ctl, rows_key, rows, cursor, sizeof cursor, err);
        if (rc)
            return rc;
    } while (*cursor && json_array_size(rows) < ctl->limit);
    if (*cursor && json_object_set_new(all, "cursor", json_string(cursor)))
        return err_set(err, KMS_ENOMEM, "out of memory");
    *ret = json_incref(all);
    return 0;
}
