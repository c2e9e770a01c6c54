/* SPDX-License-Identifier: Apache-2.0 */
#include "client/kmsctl.h"
#include "client/kmsctl_print.h"
#include "client/kmsctl_wire.h"
#include "client/report.h"
#include "common/timefmt.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct field fields[] = {
    {"TIME", "time", FIELD_TEXT},
    {"EVENT", "event", FIELD_TEXT},
    {"SECRET", "secret", FIELD_TEXT},
    {"LEASE", "lease_id", FIELD_TEXT},
    {"UID", "uid", FIELD_TEXT},
    {"GID", "gid", FIELD_TEXT},
    {"PID", "pid", FIELD_TEXT},
    {"COMMAND", "command", FIELD_TEXT},
    {"UNIT", "unit", FIELD_TEXT},
    {"RESULT", "result", FIELD_TEXT},
    {"REQUEST", "aws_request_id", FIELD_TEXT},
    {NULL, NULL, FIELD_TEXT},
};

#define UNIT_COLUMNS 24 /* ids have to be whole to be of use, the name of a unit does not */

/* "kms-…-worker.service": both ends tell more than one. */
static void shorten_unit(json_t *line)
{
    const char *text = json_string_value(json_object_get(line, "unit"));
    size_t len = text != NULL ? strlen(text) : 0;
    char cut[UNIT_COLUMNS + sizeof "…"];

    if (len <= UNIT_COLUMNS)
        return;
    snprintf(cut, sizeof cut, "%.*s…%s", UNIT_COLUMNS / 2, text,
             text + len - (UNIT_COLUMNS - UNIT_COLUMNS / 2 - 1));
    json_object_set_new(line, "unit", json_string(cut));
}

/* What came of it in one column: the error, or that it went well and why it was done. */
static void put_result(json_t *line)
{
    const char *error = json_string_value(json_object_get(line, "error"));
    const char *reason = json_string_value(json_object_get(line, "reason"));
    char text[64];

    if (error != NULL)
        snprintf(text, sizeof text, "%s", error);
    else
        snprintf(text, sizeof text, reason != NULL ? "ok (%s)" : "ok", reason);
    json_object_set_new(line, "result", json_string(text));
}

static void fit(json_t *lines)
{
    size_t index;
    json_t *line;

    json_array_foreach(lines, index, line)
    {
        put_result(line);
        shorten_unit(line);
    }
}

/* "2h" ago or a time; the wire wants a time. */
static int read_since(const char *text, char ret[TIME_TEXT_SIZE], struct err *err)
{
    struct timespec now;
    int64_t ms;

    if (duration_parse(text, &ms) == 0) {
        clock_gettime(CLOCK_REALTIME, &now);
        ms = now.tv_sec * 1000LL - ms;
    } else if (time_parse(text, &ms)) {
        err_set(err, KMS_EUSAGE, "--since: neither a duration nor a time: %s", text);
        return err_hint(err, "2h, or 2026-01-02T03:04:05Z");
    }
    time_format(ms, ret);
    return 0;
}

static void params(struct kmsctl *ctl)
{
    call_put_text(ctl->call, "since", ctl->since);
    call_put_text(ctl->call, "lease_id", ctl->lease);
}

int kmsctl_audit(struct kmsctl *ctl, struct err *err)
{
    json_auto_t *answer = NULL;
    char since[TIME_TEXT_SIZE];
    int rc = ctl->since ? read_since(ctl->since, since, err) : 0;

    if (rc)
        return rc;
    if (ctl->since)
        ctl->since = since;
    rc = kmsctl_run_list(ctl, METHOD_AUDIT_LIST, params, "lines", &answer, err);
    ctl->since = NULL;
    if (rc)
        return rc;
    if (ctl->json)
        return kmsctl_print_json(ctl, answer, err);
    fit(json_object_get(answer, "lines"));
    rc = kmsctl_print_table(ctl, json_object_get(answer, "lines"), fields, err);
    if (json_object_get(answer, "cursor"))
        report_line("kmsctl", "there are more lines than --limit let through");
    return rc;
}
