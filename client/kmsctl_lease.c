/* SPDX-License-Identifier: Apache-2.0 */
#include "client/kmsctl.h"
#include "client/kmsctl_print.h"
#include "client/kmsctl_wire.h"

#include <jansson.h>

static const struct field fields[] = {
    {"lease", "lease_id", FIELD_TEXT},
    {"secret", "secret", FIELD_TEXT},
    {"state", "state", FIELD_STATE},
    {"reason", "reason", FIELD_TEXT},
    {"type", "credential_type", FIELD_TEXT},
    {"method", "method", FIELD_TEXT},
    {"access key", "access_key_id", FIELD_TEXT},
    {"user name", "username", FIELD_TEXT},
    {"arn", "arn", FIELD_TEXT},
    {"account", "account_id", FIELD_TEXT},
    {"uid", "uid", FIELD_TEXT},
    {"gid", "gid", FIELD_TEXT},
    {"pid", "pid", FIELD_TEXT},
    {"unit", "unit", FIELD_TEXT},
    {"command", "command", FIELD_TEXT},
    {"rule", "rule", FIELD_TEXT},
    {"issued", "issued_at", FIELD_TEXT},
    {"expires", "expires_at", FIELD_TEXT},
    {"left", "expires_at", FIELD_LEFT},
    {"ends", "ends_at", FIELD_TEXT},
    {"credential ends", "credential_expires_at", FIELD_TEXT},
    {"requested", "requested_ttl_s", FIELD_SECONDS},
    {"granted", "granted_ttl_s", FIELD_SECONDS},
    {"because", "clamp_reason", FIELD_TEXT},
    {"bound", "bound", FIELD_TEXT},
    {"shared", "shared", FIELD_TEXT},
    {"delivered", "delivered", FIELD_TEXT},
    {"ready", "ready", FIELD_TEXT},
    {"stuck", "stuck", FIELD_TEXT},
    {"note", "note", FIELD_TEXT},
    {"stage", "stage", FIELD_TEXT},
    {"attempts", "attempts", FIELD_TEXT},
    {"next attempt", "retry_at", FIELD_TEXT},
    {"error", "error", FIELD_TEXT},
    {"failed action", "error_action", FIELD_TEXT},
    {"aws error", "error_code", FIELD_TEXT},
    {"aws request", "error_request_id", FIELD_TEXT},
    {NULL, NULL, FIELD_TEXT},
};

int kmsctl_lease(struct kmsctl *ctl, struct err *err)
{
    json_auto_t *answer = NULL;
    int rc = kmsctl_begin(ctl, METHOD_LEASE_GET, err);

    if (rc)
        return rc;
    call_put_text(ctl->call, "lease_id", ctl->argv[0]);
    rc = kmsctl_run(ctl, &answer, err);
    return rc ? rc : kmsctl_print_answer(ctl, answer, fields, err);
}
