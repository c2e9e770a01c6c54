/* SPDX-License-Identifier: Apache-2.0 */
#include "config/value_document.h"

#include "config/ownership.h"
#include "config/policy_document.h"
#include "config/value.h"
#include "config/value_format.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void free_text(char **text)
{
    free(*text);
}
#define TEXT_CLEANUP __attribute__((cleanup(free_text)))

/* "@file" is relative to the file that names it. */
static int document_read(struct draft *draft, const struct option *option, const char *where,
                         const char *name, char **ret)
{
    char *directory TEXT_CLEANUP = strdup(draft->file), *path TEXT_CLEANUP = NULL;
    struct err err;
    size_t len;

    if (directory == NULL)
        return value_out_of_memory(draft, option);
    path = name[0] == '/' ? strdup(name) : NULL;
    if (path == NULL && asprintf(&path, "%s/%s", dirname(directory), name) < 0)
        return value_out_of_memory(draft, option);
    if (draft->loader->offline)
        return value_wants(draft, option, "no files here");
    if (ownership_read(path, POLICY_DOCUMENT_MAX, ret, &len, &err) < 0) {
        draft_finding(draft, option->name, "%s@%.256s: %s", where, name, err.message);
        return -1;
    }
    return 0;
}

/* JSON in place or "@file" to minified JSON. where: "document 2: " in a list, else "". */
static int document_take(struct draft *draft, const struct option *option, const char *where,
                         const char *text, char **ret)
{
    char *contents TEXT_CLEANUP = NULL;
    struct err err;

    text += strspn(text, " \t\r\n");
    if (text[0] == '@') {
        if (document_read(draft, option, where, text + 1, &contents) < 0)
            return -1;
        if (policy_document_check(contents, ret, &err) == 0)
            return 0;
        draft_finding(draft, option->name, "%s%.256s: %s", where, text, err.message);
        return -1;
    }
    if (policy_document_check(text, ret, &err) == 0)
        return 0;
    draft_finding(draft, option->name, "%s%s", where, err.message);
    return -1;
}

int value_set_documents(struct draft *draft, const struct option *option,
                        const struct parsed_value *value)
{
    struct string_list *list = value_field(draft, option);
    char *const *items = value->kind == PARSED_STRING ? &value->text : value->items;
    size_t count = value->kind == PARSED_STRING ? 1 : value->item_count;
    int rc = 0;

    if (value->kind == PARSED_STRING && value->text[strspn(value->text, " \t\r\n")] == '\0')
        return 0; /* none, as with other lists */
    if (value->kind != PARSED_STRING && value->kind != PARSED_LIST)
        return value_wants(draft, option, "a list of strings");
    if ((double)count > option->max) {
        draft_finding(draft, option->name, "has %zu elements, at most %.0f are possible", count,
                      option->max);
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        char *document TEXT_CLEANUP = NULL, where[32] = "";

        if (count > 1)
            snprintf(where, sizeof(where), "document %zu: ", i + 1);
        if (document_take(draft, option, where, items[i], &document) < 0)
            rc = -1;
        else if (string_list_add(list, document) < 0)
            return value_out_of_memory(draft, option);
    }
    return rc;
}

int value_set_document(struct draft *draft, const struct option *option,
                       const struct parsed_value *value)
{
    if (value->kind != PARSED_STRING)
        return value_wants(draft, option, "a string");
    return document_take(draft, option, "", value->text, value_field(draft, option));
}
