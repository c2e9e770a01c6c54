/* SPDX-License-Identifier: Apache-2.0 */
/* kmsctl sweep: the agent answers in parts, each with a cursor to the next. */
#include "client/kmsctl.h"
#include "client/kmsctl_print.h"
#include "client/kmsctl_wire.h"
#include "client/report.h"

#include <jansson.h>

static const struct field summary_fields[] = {
    {"paths", "paths", FIELD_TEXT},
    {"users", "users", FIELD_TEXT},
    {"of this agent", "ours", FIELD_TEXT},
    {"report only", "report_only", FIELD_TEXT},
    {NULL, NULL, FIELD_TEXT},
};
static const struct field orphan_fields[] = {
    {"USER", "username", FIELD_TEXT},     {"SECRET", "secret", FIELD_TEXT},
    {"LEASE", "lease_id", FIELD_TEXT},    {"ENDED", "last_end", FIELD_TEXT},
    {"REVOKING", "revoking", FIELD_TEXT}, {NULL, NULL, FIELD_TEXT},
};

static int sweep_part(struct kmsctl *ctl, const char *cursor, json_t **ret, struct err *err)
{
    int rc = kmsctl_begin(ctl, METHOD_AGENT_SWEEP, err);

    if (rc)
        return rc;
    if (ctl->report)
        call_put_bool(ctl->call, "report_only", true);
    call_put_text(ctl->call, "cursor", cursor);
    return kmsctl_run(ctl, ret, err);
}

static const struct field unseen_fields[] = {
    {"USER", "username", FIELD_TEXT},
    {"SECRET", "secret", FIELD_TEXT},
    {"ERROR", "error", FIELD_TEXT},
    {NULL, NULL, FIELD_TEXT},
};

/* Numbers add up, lists grow, the last error stays. */
static int add_part(json_t *sum, json_t *part)
{
    static const char *const numbers[] = {"paths", "users", "ours", "failed"};
    json_t *error = json_object_get(part, "error");

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        json_int_t value = json_integer_value(json_object_get(sum, numbers[i])) +
                           json_integer_value(json_object_get(part, numbers[i]));

        if (json_object_set_new(sum, numbers[i], json_integer(value)))
            return -1;
    }
    if (error && json_object_set(sum, "error", error))
        return -1;
    if (json_array_extend(json_object_get(sum, "unseen"), json_object_get(part, "unseen")))
        return -1;
    return json_array_extend(json_object_get(sum, "orphans"), json_object_get(part, "orphans"));
}

/* A list under what is printed already; nothing when it is empty. */
static int print_list(struct kmsctl *ctl, json_t *list, const struct field *fields, struct err *err)
{
    if (json_array_size(list) == 0)
        return 0;
    putchar('\n');
    return kmsctl_print_table(ctl, list, fields, err);
}

static int print(struct kmsctl *ctl, json_t *sum, struct err *err)
{
    json_t *unseen = json_object_get(sum, "unseen");
    const char *error = json_string_value(json_object_get(sum, "error"));
    int rc = kmsctl_print_object(ctl, sum, summary_fields, err);

    if (error)
        report_line("kmsctl", "not everything could be looked at: %s", error);
    if (rc == 0)
        rc = print_list(ctl, json_object_get(sum, "orphans"), orphan_fields, err);
    return rc ? rc : print_list(ctl, unseen, unseen_fields, err);
}

int kmsctl_sweep(struct kmsctl *ctl, struct err *err)
{
    json_auto_t *sum = NULL;
    json_t *cursor;
    int rc = sweep_part(ctl, NULL, &sum, err);

    while (rc == 0 && (cursor = json_object_get(sum, "cursor")) != NULL) {
        json_auto_t *part = NULL;
        json_t *next;

        rc = sweep_part(ctl, json_string_value(cursor), &part, err);
        if (rc)
            break;
        next = json_object_get(part, "cursor");
        if (add_part(sum, part) ||
            (next ? json_object_set(sum, "cursor", next) : json_object_del(sum, "cursor")))
            rc = err_set(err, KMS_ENOMEM, "out of memory");
    }
    if (rc)
        return rc;
    return ctl->json ? kmsctl_print_json(ctl, sum, err) : print(ctl, sum, err);
}
