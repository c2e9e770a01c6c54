/* SPDX-License-Identifier: Apache-2.0 */
#include "client/kmsctl.h"
#include "client/kmsctl_print.h"
#include "client/kmsctl_wire.h"
#include "client/report.h"

#include <jansson.h>

static const struct field fields[] = {
    {"LEASE", "lease_id", FIELD_TEXT},  {"SECRET", "secret", FIELD_TEXT},
    {"STATE", "state", FIELD_STATE},    {"KEY", "access_key_id", FIELD_TEXT},
    {"UID", "uid", FIELD_TEXT},         {"PID", "pid", FIELD_TEXT},
    {"LEFT", "expires_at", FIELD_LEFT}, {"COMMAND", "command", FIELD_TEXT},
    {NULL, NULL, FIELD_TEXT},
};

static void params(struct kmsctl *ctl)
{
    call_put_text(ctl->call, "secret", ctl->secret);
    call_put_text(ctl->call, "state", ctl->state ? ctl->state : ctl->all ? "any" : NULL);
    if (ctl->everyone)
        call_put_bool(ctl->call, "all", true);
}

int kmsctl_leases(struct kmsctl *ctl, struct err *err)
{
    json_auto_t *answer = NULL;
    int rc = kmsctl_is_admin(ctl, &ctl->everyone, err);

    if (rc == 0)
        rc = kmsctl_run_list(ctl, METHOD_LEASE_LIST, params, "leases", &answer, err);

    if (rc)
        return rc;
    if (ctl->json)
        return kmsctl_print_json(ctl, answer, err);
    rc = kmsctl_print_table(ctl, json_object_get(answer, "leases"), fields, err);
    if (json_object_get(answer, "cursor"))
        report_line("kmsctl", "there are more leases than --limit let through");
    return rc;
}
