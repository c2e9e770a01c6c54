/* SPDX-License-Identifier: Apache-2.0 */
#include "client/kmsctl_print.h"

#include "client/table.h"
#include "common/timefmt.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CELL_SIZE 1024 /* longer texts are cut in a table of many rows */

static const char *const secret_keys[] = {"secret_access_key", "session_token"};

void kmsctl_short_duration(int64_t ms, char *ret, size_t size)
{
    static const int64_t units[] = {86400000, 3600000, 60000, 1000};

    for (size_t i = 0; i + 1 < sizeof units / sizeof units[0]; i++) {
        if (ms >= units[i]) {
            duration_format(ms / units[i + 1] * units[i + 1], ret, size);
            return;
        }
    }
    duration_format(ms > 0 ? ms / 1000 * 1000 : 0, ret, size);
}

static void left_text(const char *until, char *buf, size_t size)
{
    struct timespec now;
    int64_t end_ms;

    clock_gettime(CLOCK_REALTIME, &now);
    if (!until || time_parse(until, &end_ms))
        return;
    int64_t left = end_ms - (now.tv_sec * 1000LL + now.tv_nsec / 1000000);

    if (left <= 0)
        snprintf(buf, size, "ended");
    else
        kmsctl_short_duration(left, buf, size);
}

static void bytes_text(json_int_t bytes, char *buf, size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024;
        unit++;
    }
    snprintf(buf, size, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static void scalar_text(const json_t *value, char *buf, size_t size)
{
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_STRING:
        snprintf(buf, size, "%s", json_string_value(value));
        break;
    case JSON_INTEGER:
        snprintf(buf, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        snprintf(buf, size, "%s", json_is_true(value) ? "yes" : "no");
        break;
    default:
        break;
    }
}

/* "revoking (stuck)", "revoking (waiting to be sure)" */
static void state_text(const json_t *lease, char *buf, size_t size)
{
    const char *state = json_string_value(json_object_get(lease, "state"));
    const char *note = json_string_value(json_object_get(lease, "note"));

    if (json_is_true(json_object_get(lease, "stuck")))
        note = "stuck";
    if (state)
        snprintf(buf, size, note ? "%s (%s)" : "%s", state, note);
}

void kmsctl_field_text(const struct kmsctl *ctl, const json_t *object, const struct field *field,
                       char *buf, size_t size)
{
    const json_t *value = json_object_get(object, field->key);

    buf[0] = '\0';
    if (!value || json_is_null(value))
        return;
    switch (field->kind) {
    case FIELD_TEXT:
        scalar_text(value, buf, size);
        break;
    case FIELD_SECONDS:
        duration_format(json_integer_value(value) * 1000, buf, size);
        break;
    case FIELD_MS:
        duration_format(json_integer_value(value), buf, size);
        break;
    case FIELD_BYTES:
        bytes_text(json_integer_value(value), buf, size);
        break;
    case FIELD_LEFT:
        left_text(json_string_value(value), buf, size);
        break;
    case FIELD_STATE:
        state_text(object, buf, size);
        break;
    case FIELD_SECRET:
        if (ctl->hide)
            snprintf(buf, size, "not shown on a terminal without --show");
        else
            scalar_text(value, buf, size);
        break;
    }
}

int kmsctl_print_flush(struct err *err)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    return err_set(err, KMS_EINTERNAL, "cannot write to standard output: %s", strerror(errno));
}

int kmsctl_print_json(const struct kmsctl *ctl, json_t *json, struct err *err)
{
    for (size_t i = 0; ctl->hide && i < sizeof secret_keys / sizeof secret_keys[0]; i++)
        json_object_del(json, secret_keys[i]);
    if (json_dumpf(json, stdout, JSON_INDENT(2)))
        return err_set(err, KMS_EINTERNAL, "cannot write to standard output: %s", strerror(errno));
    fputc('\n', stdout);
    return kmsctl_print_flush(err);
}

static unsigned count_fields(const struct field *fields)
{
    unsigned count = 0;

    while (fields[count].header)
        count++;
    return count;
}

static int fill_table(const struct kmsctl *ctl, const json_t *rows, const struct field *fields,
                      struct table *table)
{
    char texts[TABLE_COLUMNS_MAX][CELL_SIZE];
    const char *cells[TABLE_COLUMNS_MAX];
    size_t index;
    json_t *row;

    json_array_foreach(rows, index, row)
    {
        for (unsigned i = 0; fields[i].header; i++) {
            kmsctl_field_text(ctl, row, &fields[i], texts[i], CELL_SIZE);
            cells[i] = texts[i];
        }
        if (table_add(table, cells))
            return KMS_ENOMEM;
    }
    return 0;
}

int kmsctl_print_table(const struct kmsctl *ctl, const json_t *rows, const struct field *fields,
                       struct err *err)
{
    const char *headers[TABLE_COLUMNS_MAX];
    unsigned count = count_fields(fields);

    for (unsigned i = 0; i < count; i++)
        headers[i] = fields[i].header;
    struct table *table = table_new(count, headers);

    if (!table || fill_table(ctl, rows, fields, table)) {
        table_free(table);
        return err_set(err, KMS_ENOMEM, "out of memory");
    }
    table_print(table, stdout);
    table_free(table);
    return kmsctl_print_flush(err);
}

/* A string of any length as it is, another value as the text that was made of it. */
static const char *whole_text(const json_t *object, const struct field *field, const char *text)
{
    const char *string = json_string_value(json_object_get(object, field->key));

    return string ? string : text;
}

int kmsctl_print_object(const struct kmsctl *ctl, const json_t *object, const struct field *fields,
                        struct err *err)
{
    struct table *table = table_new(2, NULL);
    char text[CELL_SIZE];
    bool failed = !table;

    for (; !failed && fields->header; fields++) {
        const char *cells[] = {fields->header, text};

        kmsctl_field_text(ctl, object, fields, text, sizeof text);
        if (fields->kind == FIELD_TEXT || (fields->kind == FIELD_SECRET && !ctl->hide))
            cells[1] = whole_text(object, fields, text);
        if (*cells[1])
            failed = table_add(table, cells) != 0;
    }
    if (!failed)
        table_print(table, stdout);
    table_free(table);
    return failed ? err_set(err, KMS_ENOMEM, "out of memory") : kmsctl_print_flush(err);
}

int kmsctl_print_answer(const struct kmsctl *ctl, json_t *object, const struct field *fields,
                        struct err *err)
{
    return ctl->json ? kmsctl_print_json(ctl, object, err)
                     : kmsctl_print_object(ctl, object, fields, err);
}
