/* SPDX-License-Identifier: Apache-2.0 */
#include "client/kmsctl.h"
#include "client/kmsctl_print.h"
#include "client/kmsctl_wire.h"

#include <jansson.h>

static const struct field fields[] = {
    {"secret", "secret", FIELD_TEXT},
    {"user", "username", FIELD_TEXT},
    {"access key", "access_key_id", FIELD_TEXT},
    {"deleted", "previous_access_key_id", FIELD_TEXT},
    {NULL, NULL, FIELD_TEXT},
};

int kmsctl_rotate_root(struct kmsctl *ctl, struct err *err)
{
    json_auto_t *answer = NULL;
    int rc = kmsctl_begin(ctl, METHOD_SECRET_ROTATE_ROOT, err);

    if (rc)
        return rc;
    call_put_text(ctl->call, "secret", ctl->argv[0]);
    rc = kmsctl_run(ctl, &answer, err);
    return rc ? rc : kmsctl_print_answer(ctl, answer, fields, err);
}
