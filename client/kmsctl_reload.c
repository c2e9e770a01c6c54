/* SPDX-License-Identifier: Apache-2.0 */
#include "client/kmsctl.h"
#include "client/kmsctl_print.h"
#include "client/kmsctl_wire.h"
#include "client/report.h"

#include <jansson.h>

static const struct field fields[] = {
    {"secrets", "secrets", FIELD_TEXT},
    {NULL, NULL, FIELD_TEXT},
};

int kmsctl_reload(struct kmsctl *ctl, struct err *err)
{
    json_auto_t *answer = NULL;
    size_t index;
    json_t *warning;
    int rc = kmsctl_begin(ctl, METHOD_AGENT_RELOAD, err);

    if (rc == 0)
        rc = kmsctl_run(ctl, &answer, err);
    if (rc)
        return rc;
    if (ctl->json)
        return kmsctl_print_json(ctl, answer, err);
    json_array_foreach(json_object_get(answer, "warnings"), index,
                       warning) if (json_is_string(warning))
        report_line("kmsctl", "warning: %s", json_string_value(warning));
    return kmsctl_print_object(ctl, answer, fields, err);
}
