/* SPDX-License-Identifier: Apache-2.0 */
#include "client/kmsctl.h"
#include "client/kmsctl_print.h"
#include "client/kmsctl_wire.h"

#include <jansson.h>

static const struct field fields[] = {
    {"SECRET", "name", FIELD_TEXT},
    {"TYPE", "credential_type", FIELD_TEXT},
    {"METHOD", "method", FIELD_TEXT},
    {"REGION", "region", FIELD_TEXT},
    {"TTL", "default_ttl_s", FIELD_SECONDS},
    {"MAX", "max_ttl_s", FIELD_SECONDS},
    {"SHARE", "share", FIELD_TEXT},
    {"LIVE", "live_leases", FIELD_TEXT},
    {NULL, NULL, FIELD_TEXT},
};

int kmsctl_secrets(struct kmsctl *ctl, struct err *err)
{
    json_auto_t *answer = NULL;
    int rc = kmsctl_is_admin(ctl, &ctl->everyone, err);

    if (rc == 0)
        rc = kmsctl_begin(ctl, METHOD_SECRET_LIST, err);
    if (rc)
        return rc;
    if (ctl->everyone)
        call_put_bool(ctl->call, "all", true);
    rc = kmsctl_run(ctl, &answer, err);
    if (rc)
        return rc;
    if (ctl->json)
        return kmsctl_print_json(ctl, answer, err);
    return kmsctl_print_table(ctl, json_object_get(answer, "secrets"), fields, err);
}
