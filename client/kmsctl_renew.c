/* SPDX-License-Identifier: Apache-2.0 */
#include "client/kmsctl.h"
#include "client/kmsctl_credential.h"
#include "client/kmsctl_print.h"
#include "client/kmsctl_wire.h"

#include <jansson.h>

int kmsctl_renew(struct kmsctl *ctl, struct err *err)
{
    json_auto_t *answer = NULL;
    int rc = kmsctl_begin(ctl, METHOD_LEASE_RENEW, err);

    if (rc)
        return rc;
    call_put_text(ctl->call, "lease_id", ctl->argv[0]);
    if (ctl->ttl_s >= 0)
        call_put_uint(ctl->call, "ttl_s", (uint64_t)ctl->ttl_s);
    rc = kmsctl_run(ctl, &answer, err);
    return rc ? rc : kmsctl_print_answer(ctl, answer, kmsctl_credential_fields, err);
}
