/* SPDX-License-Identifier: Apache-2.0 */
#include "client/kmsctl.h"
#include "client/kmsctl_print.h"
#include "client/kmsctl_wire.h"
#include "client/report.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROTATE_ROOT "rotate-root"
#define USER_QUOTA 2048 /* characters of all inline policies of a user; the least of the limits */

/* Whom a document may be for, as the agent names them: who comes first is printed unless --for says
 * otherwise. */
static const struct {
    const char *name, *what;
} holders[] = {
    {"management", "the policy of"},
    {"role", "the policy of"},
    {"trust", "the trust policy of"},
};
#define HOLDERS (sizeof holders / sizeof holders[0])

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static bool is_for(const json_t *document, const char *holder)
{
    return strcmp(text_of(document, "for"), holder) == 0;
}

static bool is_rotation(const json_t *document)
{
    return strcmp(text_of(document, "title"), ROTATE_ROOT) == 0;
}

static bool is_optional(const json_t *document)
{
    return json_is_true(json_object_get(document, "optional"));
}

/* Whether it goes into what is printed, if that is for its holder. */
static bool is_wanted(const struct kmsctl *ctl, const json_t *document)
{
    if (is_rotation(document))
        return ctl->rotate_root;
    return !is_optional(document) || ctl->all;
}

/* The first document for the holder that is wanted; NULL if there is none. */
static const json_t *find(const struct kmsctl *ctl, const json_t *documents, const char *holder)
{
    const json_t *document;
    size_t i;

    json_array_foreach(documents, i, document)
    {
        if (is_for(document, holder) && is_wanted(ctl, document))
            return document;
    }
    return NULL;
}

/* One document of all that are wanted, their statements one after the other; *ret_parts says how
 * many went in. NULL: the agent gave no JSON. */
static json_t *merge(const struct kmsctl *ctl, const json_t *documents, const char *holder,
                     size_t *ret_parts)
{
    json_auto_t *whole = NULL;
    const json_t *document;
    size_t i, parts = 0;

    json_array_foreach(documents, i, document)
    {
        json_auto_t *part = NULL;

        if (!is_for(document, holder) || !is_wanted(ctl, document))
            continue;
        part = json_loads(text_of(document, "policy"), JSON_REJECT_DUPLICATES, NULL);
        if (!part)
            return NULL;
        if (!whole)
            whole = json_incref(part);
        else if (json_array_extend(json_object_get(whole, "Statement"),
                                   json_object_get(part, "Statement")))
            return NULL;
        parts++;
    }
    *ret_parts = parts;
    return json_incref(whole);
}

/* The agent's notes tell of the size of each part, not of their sum. */
static void note_size(const json_t *whole, size_t parts)
{
    char *text = parts > 1 ? json_dumps(whole, JSON_COMPACT) : NULL;

    if (text && strlen(text) > USER_QUOTA)
        report_line("kmsctl",
                    "note: it has about %zu characters: AWS takes 2048 in all inline policies of a "
                    "user, 10240 in those of a role, 6144 in a managed policy",
                    strlen(text));
    free(text);
}

/* What else there is. */
static void tell_others(const struct kmsctl *ctl, const json_t *documents, const char *holder)
{
    const json_t *document;
    bool optional = false, rotation = false;
    size_t i;

    for (size_t k = 0; k < HOLDERS; k++) {
        document = strcmp(holders[k].name, holder) ? find(ctl, documents, holders[k].name) : NULL;
        if (document && !is_optional(document))
            report_line("kmsctl", "%s %s is needed, too: --for %s", holders[k].what,
                        text_of(document, "identity"), holders[k].name);
    }
    json_array_foreach(documents, i, document)
    {
        if (is_for(document, holder) && !is_wanted(ctl, document)) {
            rotation |= is_rotation(document);
            optional |= !is_rotation(document);
        }
    }
    if (optional)
        report_line("kmsctl", "--all adds what the agent can do without (sweep, clean-up after "
                              "others, doctor)");
    if (rotation)
        report_line("kmsctl", "--rotate-root adds what kmsctl rotate-root needs");
}

/* The document alone on standard output, laid out for people; all else on standard error. */
static int print_one(const struct kmsctl *ctl, const json_t *documents, const char *holder,
                     const char *what, struct err *err)
{
    const json_t *first = find(ctl, documents, holder);
    size_t parts = 0;
    json_auto_t *whole = merge(ctl, documents, holder, &parts);
    char *text = whole ? json_dumps(whole, JSON_INDENT(2)) : NULL;

    if (!text)
        return err_set(err, KMS_EINTERNAL, "the agent gave a policy that is no JSON");
    report_line("kmsctl", "%s %s:", what, text_of(first, "identity"));
    printf("%s\n", text);
    free(text);
    note_size(whole, parts);
    tell_others(ctl, documents, holder);
    return kmsctl_print_flush(err);
}

static bool has_rotation(const json_t *documents)
{
    const json_t *document;
    size_t i;

    json_array_foreach(documents, i, document)
    {
        if (is_rotation(document))
            return true;
    }
    return false;
}

static int print_chosen(const struct kmsctl *ctl, const json_t *documents, struct err *err)
{
    if (ctl->rotate_root && !has_rotation(documents))
        return err_set(err, KMS_EINVALID,
                       "secret \"%s\" has no user's access key of its own that could be replaced",
                       ctl->argv[0]);
    for (size_t k = 0; k < HOLDERS; k++) {
        if (ctl->holder && strcmp(ctl->holder, holders[k].name) != 0)
            continue;
        if (find(ctl, documents, holders[k].name))
            return print_one(ctl, documents, holders[k].name, holders[k].what, err);
    }
    return ctl->holder ? err_set(err, KMS_EINVALID, "secret \"%s\" needs no policy for %s",
                                 ctl->argv[0], ctl->holder)
                       : 0;
}

static int check_usage(const struct kmsctl *ctl, struct err *err)
{
    size_t k = 0;

    while (ctl->holder && k < HOLDERS && strcmp(ctl->holder, holders[k].name) != 0)
        k++;
    if (k == HOLDERS)
        return err_set(err, KMS_EUSAGE, "--for: not management, role or trust: %s", ctl->holder);
    if (ctl->holder && k > 0 && ctl->rotate_root)
        return err_set(err, KMS_EUSAGE,
                       "--rotate-root is about the management identity, so --for "
                       "can only be management");
    return 0;
}

int kmsctl_policy(struct kmsctl *ctl, struct err *err)
{
    json_auto_t *answer = NULL;
    json_t *note;
    size_t i;
    int rc = check_usage(ctl, err);

    if (rc == 0)
        rc = kmsctl_begin(ctl, METHOD_SECRET_POLICY, err);
    if (rc)
        return rc;
    call_put_text(ctl->call, "secret", ctl->argv[0]);
    rc = kmsctl_run(ctl, &answer, err);
    if (rc)
        return rc;
    if (ctl->json)
        return kmsctl_print_json(ctl, answer, err);
    rc = print_chosen(ctl, json_object_get(answer, "documents"), err);
    json_array_foreach(json_object_get(answer, "notes"), i, note)
        report_line("kmsctl", "note: %s", json_is_string(note) ? json_string_value(note) : "");
    return rc;
}
