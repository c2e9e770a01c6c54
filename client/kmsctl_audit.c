/* SPDX-License-Identifier: Apache-2.0 */
#include "client/kmsctl.h"
#include "client/kmsctl_print.h"
#include "client/kmsctl_wire.h"
#include "client/report.h"
#include "common/timefmt.h"

#include <jansson.h>
#include <time.h>

static const struct field fields[] = {
    {"TIME", "time", FIELD_TEXT},       {"EVENT", "event", FIELD_TEXT},
    {"SECRET", "secret", FIELD_TEXT},   {"LEASE", "lease_id", FIELD_TEXT},
    {"UID", "uid", FIELD_TEXT},         {"PID", "pid", FIELD_TEXT},
    {"COMMAND", "command", FIELD_TEXT}, {"REASON", "reason", FIELD_TEXT},
    {"ERROR", "error", FIELD_TEXT},     {NULL, NULL, FIELD_TEXT},
};

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
    rc = kmsctl_print_table(ctl, json_object_get(answer, "lines"), fields, err);
    if (json_object_get(answer, "cursor"))
        report_line("kmsctl", "there are more lines than --limit let through");
    return rc;
}
