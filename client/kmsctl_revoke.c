/* SPDX-License-Identifier: Apache-2.0 */
#include "client/kmsctl.h"
#include "client/kmsctl_print.h"
#include "client/kmsctl_wire.h"
#include "client/report.h"

#include <jansson.h>

#define ROUNDS_MAX 10000 /* of at most 256 leases each */

static const struct field fields[] = {
    {"LEASE", "lease_id", FIELD_TEXT},
    {"STATE", "state", FIELD_STATE},
    {"ENDS", "ends_at", FIELD_TEXT},
    {NULL, NULL, FIELD_TEXT},
};

/* Each id on its own: one that is refused does not keep the others alive. */
static int revoke_each(struct kmsctl *ctl, json_t *leases, struct err *err)
{
    int first = 0;

    for (int i = 0; i < ctl->argc; i++) {
        struct err one;
        json_t *answer;
        int rc = kmsctl_begin(ctl, METHOD_LEASE_REVOKE, &one);

        call_put_text(ctl->call, "lease_id", ctl->argv[i]);
        if (rc == 0)
            rc = kmsctl_run(ctl, &answer, &one);
        if (rc == 0) {
            if (json_array_append_new(leases, answer))
                return err_set(err, KMS_ENOMEM, "out of memory");
            continue;
        }
        err_context(&one, "%s", ctl->argv[i]);
        if (first == 0) {
            first = rc;
            *err = one;
        } else {
            report_error("kmsctl", &one);
        }
        if (rc == KMS_ECONNECT)
            break; /* the connection is of no more use */
    }
    return first;
}

/* One call takes a bounded number of leases; `more` says that some are left. */
static int revoke_all(struct kmsctl *ctl, json_t *leases, struct err *err)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        json_auto_t *answer = NULL;
        int rc = kmsctl_begin(ctl, METHOD_LEASE_REVOKE, err);

        if (rc)
            return rc;
        call_put_text(ctl->call, "secret", ctl->secret);
        call_put_bool(ctl->call, "all", true);
        rc = kmsctl_run(ctl, &answer, err);
        if (rc)
            return rc;
        if (json_array_extend(leases, json_object_get(answer, "leases")))
            return err_set(err, KMS_ECONNECT, "the agent's answer has no leases");
        if (!json_is_true(json_object_get(answer, "more")) ||
            json_integer_value(json_object_get(answer, "revoked")) <= 0)
            return 0;
    }
    return err_set(err, KMS_EINTERNAL, "new leases are issued faster than old ones are revoked");
}

static int print(struct kmsctl *ctl, json_t *leases, struct err *err)
{
    json_auto_t *answer = NULL;

    if (!ctl->json)
        return kmsctl_print_table(ctl, leases, fields, err);
    answer =
        json_pack("{s:I, s:O}", "revoked", (json_int_t)json_array_size(leases), "leases", leases);
    return answer ? kmsctl_print_json(ctl, answer, err) : err_set(err, KMS_ENOMEM, "out of memory");
}

int kmsctl_revoke(struct kmsctl *ctl, struct err *err)
{
    json_auto_t *leases = json_array();
    bool named = ctl->argc > 0;

    if (named == ctl->all || ctl->all != !!ctl->secret) {
        err_set(err, KMS_EUSAGE, "revoke takes lease ids, or --all with --secret");
        return err_hint(err, "see kmsctl --help");
    }
    if (!leases)
        return err_set(err, KMS_ENOMEM, "out of memory");
    int rc = named ? revoke_each(ctl, leases, err) : revoke_all(ctl, leases, err);

    if (json_array_size(leases) == 0 && rc)
        return rc;
    struct err print_err;
    int print_rc = print(ctl, leases, &print_err);

    if (rc == 0 && print_rc)
        *err = print_err;
    return rc ? rc : print_rc;
}
