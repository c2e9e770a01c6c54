/* SPDX-License-Identifier: Apache-2.0 */
#include "client/kmsctl.h"
#include "client/kmsctl_print.h"
#include "client/kmsctl_wire.h"
#include "client/report.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

/* The document alone on standard output, laid out for people; whose it is on standard error. */
static int print_document(const json_t *document, struct err *err)
{
    json_auto_t *policy = json_loads(text_of(document, "policy"), JSON_REJECT_DUPLICATES, NULL);
    char *text = policy ? json_dumps(policy, JSON_INDENT(2)) : NULL;

    if (!text)
        return err_set(err, KMS_EINTERNAL, "the agent gave a policy that is no JSON");
    report_line("kmsctl", "%s, for %s:", text_of(document, "title"), text_of(document, "identity"));
    printf("%s\n", text);
    free(text);
    return kmsctl_print_flush(err);
}

static int print_documents(const struct kmsctl *ctl, const json_t *documents, struct err *err)
{
    size_t hidden = 0, i;
    json_t *document;
    int rc = 0;

    json_array_foreach(documents, i, document)
    {
        if (json_is_true(json_object_get(document, "optional")) && !ctl->all)
            hidden++;
        else if (rc == 0)
            rc = print_document(document, err);
    }
    if (rc == 0 && hidden > 0)
        report_line("kmsctl", "--all also prints what the agent can do without (sweep, clean-up "
                              "after others, doctor)");
    return rc;
}

int kmsctl_policy(struct kmsctl *ctl, struct err *err)
{
    json_auto_t *answer = NULL;
    json_t *note;
    size_t i;
    int rc = kmsctl_begin(ctl, METHOD_SECRET_POLICY, err);

    if (rc)
        return rc;
    call_put_text(ctl->call, "secret", ctl->argv[0]);
    rc = kmsctl_run(ctl, &answer, err);
    if (rc)
        return rc;
    if (ctl->json)
        return kmsctl_print_json(ctl, answer, err);
    rc = print_documents(ctl, json_object_get(answer, "documents"), err);
    json_array_foreach(json_object_get(answer, "notes"), i, note)
        report_line("kmsctl", "note: %s", json_is_string(note) ? json_string_value(note) : "");
    return rc;
}
