/* SPDX-License-Identifier: Apache-2.0 */
#include "client/kmsctl.h"
#include "client/kmsctl_print.h"
#include "client/kmsctl_wire.h"

#include <jansson.h>

static const struct field fields[] = {
    {"secret", "name", FIELD_TEXT},
    {"method", "method", FIELD_TEXT},
    {"type", "credential_type", FIELD_TEXT},
    {"region", "region", FIELD_TEXT},
    {"default ttl", "default_ttl_s", FIELD_SECONDS},
    {"max ttl", "max_ttl_s", FIELD_SECONDS},
    {"share", "share", FIELD_TEXT},
    {"role", "role_arn", FIELD_TEXT},
    {"path", "path", FIELD_TEXT},
    {"live leases", "live_leases", FIELD_TEXT},
    {NULL, NULL, FIELD_TEXT},
};

int kmsctl_secret(struct kmsctl *ctl, struct err *err)
{
    json_auto_t *answer = NULL;
    int rc = kmsctl_begin(ctl, METHOD_SECRET_GET, err);

    if (rc)
        return rc;
    call_put_text(ctl->call, "secret", ctl->argv[0]);
    rc = kmsctl_run(ctl, &answer, err);
    return rc ? rc : kmsctl_print_answer(ctl, answer, fields, err);
}
