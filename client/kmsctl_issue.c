/* SPDX-License-Identifier: Apache-2.0 */
#include "client/kmsctl.h"
#include "client/kmsctl_credential.h"
#include "client/kmsctl_print.h"
#include "client/kmsctl_wire.h"

#include <jansson.h>
#include <string.h>

const struct field kmsctl_credential_fields[] = {
    {"lease", "lease_id", FIELD_TEXT},
    {"secret", "secret", FIELD_TEXT},
    {"type", "credential_type", FIELD_TEXT},
    {"access key", "access_key_id", FIELD_TEXT},
    {"secret access key", "secret_access_key", FIELD_SECRET},
    {"session token", "session_token", FIELD_SECRET},
    {"user name", "username", FIELD_TEXT},
    {"arn", "arn", FIELD_TEXT},
    {"account", "account_id", FIELD_TEXT},
    {"region", "region", FIELD_TEXT},
    {"issued", "issued_at", FIELD_TEXT},
    {"requested", "requested_ttl_s", FIELD_SECONDS},
    {"granted", "granted_ttl_s", FIELD_SECONDS},
    {"because", "clamp_reason", FIELD_TEXT},
    {"expires", "expires_at", FIELD_TEXT},
    {"renewable", "renewable", FIELD_TEXT},
    {"ready", "ready", FIELD_TEXT},
    {"bound", "bound", FIELD_TEXT},
    {"shared", "shared", FIELD_TEXT},
    {NULL, NULL, FIELD_TEXT},
};

/* This lease is bound to no process that could end it: for an IAM user that must be wished for. */
static int check_kept(struct kmsctl *ctl, struct err *err)
{
    json_auto_t *secret = NULL;
    int rc = kmsctl_begin(ctl, METHOD_SECRET_GET, err);

    if (rc)
        return rc;
    call_put_text(ctl->call, "secret", ctl->argv[0]);
    rc = kmsctl_run(ctl, &secret, err);
    if (rc)
        return rc;
    const char *type = json_string_value(json_object_get(secret, "credential_type"));

    if (type && strcmp(type, "temporary-credentials") == 0)
        return 0;
    err_set(err, KMS_EUSAGE, "secret %s mints IAM users, and this lease is bound to no process",
            ctl->argv[0]);
    return err_hint(err, "add --keep to let it live until its TTL");
}

/* Nobody has seen this credential: its lease is of no use. Best effort, it has its TTL. */
static void give_up(struct kmsctl *ctl, const json_t *lease)
{
    json_t *answer;
    struct err ignored;

    if (json_is_true(json_object_get(lease, "shared")) ||
        kmsctl_begin(ctl, METHOD_LEASE_REVOKE, &ignored))
        return;
    call_put_text(ctl->call, "lease_id", json_string_value(json_object_get(lease, "lease_id")));
    if (kmsctl_run(ctl, &answer, &ignored) == 0)
        json_decref(answer);
}

int kmsctl_issue(struct kmsctl *ctl, struct err *err)
{
    json_auto_t *answer = NULL;

    if (ctl->hide) {
        err_set(err, KMS_EUSAGE, "standard output is a terminal, the secret is not printed there");
        return err_hint(err, "redirect it, or add --show");
    }
    int rc = ctl->keep ? 0 : check_kept(ctl, err);

    if (rc == 0)
        rc = kmsctl_begin(ctl, METHOD_LEASE_ISSUE, err);
    if (rc)
        return rc;
    call_put_text(ctl->call, "secret", ctl->argv[0]);
    if (ctl->ttl_s >= 0)
        call_put_uint(ctl->call, "ttl_s", (uint64_t)ctl->ttl_s);
    rc = kmsctl_run(ctl, &answer, err);
    if (rc)
        return rc;
    rc = kmsctl_print_answer(ctl, answer, kmsctl_credential_fields, err);
    if (rc)
        give_up(ctl, answer);
    return rc;
}
