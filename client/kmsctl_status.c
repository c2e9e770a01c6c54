/* SPDX-License-Identifier: Apache-2.0 */
#include "client/kmsctl.h"
#include "client/kmsctl_print.h"
#include "client/kmsctl_wire.h"

#include <jansson.h>

static const struct field status_fields[] = {
    {"version", "version", FIELD_TEXT},
    {"pid", "pid", FIELD_TEXT},
    {"ready", "ready", FIELD_TEXT},
    {"status", "status", FIELD_TEXT},
    {"started", "started_at", FIELD_TEXT},
    {"up", "uptime_s", FIELD_SECONDS},
    {"secrets", "secrets", FIELD_TEXT},
    {"live leases", "live_leases", FIELD_TEXT},
    {"revoking", "revoking", FIELD_TEXT},
    {"stuck", "stuck", FIELD_TEXT},
    {"overdue", "overdue_s", FIELD_SECONDS},
    {"connections", "connections", FIELD_TEXT},
    {"clock offset", "clock_offset_ms", FIELD_MS},
    {"store used", "used_bytes", FIELD_BYTES}, /* these three lie in "store" */
    {"store free", "free_bytes", FIELD_BYTES},
    {"may issue", "issuing_allowed", FIELD_TEXT},
    {"unrecorded", "unrecorded", FIELD_TEXT},
    {"pinned by pid", "reader_pid", FIELD_TEXT},
    {"pinned since", "reader_behind", FIELD_TEXT}, /* commits */
    {NULL, NULL, FIELD_TEXT},
};
static const struct field management_fields[] = {
    {"SECRET", "secret", FIELD_TEXT},      {"IDENTITY", "identity", FIELD_TEXT},
    {"ACCOUNT", "account_id", FIELD_TEXT}, {"OK", "ok", FIELD_TEXT},
    {"ERROR", "error", FIELD_TEXT},        {NULL, NULL, FIELD_TEXT},
};

int kmsctl_status(struct kmsctl *ctl, struct err *err)
{
    json_auto_t *status = NULL;
    int rc = kmsctl_begin(ctl, METHOD_AGENT_STATUS, err);

    if (rc == 0)
        rc = kmsctl_run(ctl, &status, err);
    if (rc)
        return rc;
    if (ctl->json)
        return kmsctl_print_json(ctl, status, err);
    json_t *store = json_object_get(status, "store");
    json_t *management = json_object_get(status, "management");

    if (json_is_object(store) && json_object_update_missing(status, store))
        return err_set(err, KMS_ENOMEM, "out of memory");
    rc = kmsctl_print_object(ctl, status, status_fields, err);
    if (rc || json_array_size(management) == 0)
        return rc;
    putchar('\n');
    return kmsctl_print_table(ctl, management, management_fields, err);
}
