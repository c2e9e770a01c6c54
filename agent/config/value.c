/* SPDX-License-Identifier: Apache-2.0 */
#include "config/value.h"

#include "config/validate_text.h"
#include "config/value_document.h"
#include "config/value_list.h"
#include "config/value_number.h"

#include <stdlib.h>
#include <string.h>

void *value_field(const struct draft *draft, const struct option *option)
{
    return (char *)draft->target + option->offset;
}

int value_wants(struct draft *draft, const struct option *option, const char *what)
{
    draft_finding(draft, option->name, "wants %s", what);
    return -1;
}

int value_out_of_memory(struct draft *draft, const struct option *option)
{
    draft_finding(draft, option->name, "out of memory");
    return -1;
}

/* One string: not empty, clean, and of the row's shape. */
int value_text_check(struct draft *draft, const struct option *option, const char *text)
{
    struct err err;

    if (text[0] == '\0') {
        draft_finding(draft, option->name, "is empty");
        return -1;
    }
    if (check_clean(text, &err) < 0 || (option->check != NULL && option->check(text, &err) < 0)) {
        draft_finding(draft, option->name, "%s", err.message);
        return -1;
    }
    return 0;
}

static int string_set(struct draft *draft, const struct option *option,
                      const struct parsed_value *value)
{
    char *field = value_field(draft, option), *copy;

    if (value->kind != PARSED_STRING)
        return value_wants(draft, option, "a string");
    if (value_text_check(draft, option, value->text) < 0)
        return -1;
    if (option->type == OPTION_TEXT) {
        if (strlen(value->text) >= option->size) {
            draft_finding(draft, option->name, "is longer than %zu bytes", option->size - 1);
            return -1;
        }
        memcpy(field, value->text, strlen(value->text) + 1);
        return 0;
    }
    copy = strdup(value->text);
    if (copy == NULL)
        return value_out_of_memory(draft, option);
    *(char **)(void *)field = copy;
    return 0;
}

int value_set(struct draft *draft, const struct option *option, const struct parsed_value *value)
{
    switch (option->type) {
    case OPTION_STRING:
    case OPTION_TEXT:
        return string_set(draft, option, value);
    case OPTION_LIST:
        return value_set_list(draft, option, value);
    case OPTION_RULES:
        return value_set_rules(draft, option, value);
    case OPTION_TAGS:
        return value_set_tags(draft, option, value);
    case OPTION_DOCUMENT:
        return value_set_document(draft, option, value);
    case OPTION_DOCUMENTS:
        return value_set_documents(draft, option, value);
    default:
        return value_set_number(draft, option, value);
    }
}

void value_set_default(struct draft *draft, const struct option *option)
{
    struct parsed_value value = {.kind = PARSED_STRING};

    if (option->default_text == NULL)
        return;
    value.text = strdup(option->default_text);
    if (value.text == NULL) {
        value_out_of_memory(draft, option);
        return;
    }
    if (option->type == OPTION_BOOL) {
        value.kind = PARSED_BOOL;
        value.boolean = strcmp(value.text, "true") == 0;
    } else if (option->type == OPTION_UINT || option->type == OPTION_FLOAT) {
        value.kind = PARSED_INT;
        value.integer = strtoll(value.text, NULL, 10);
        value.real = strtod(value.text, NULL);
    }
    value_set(draft, option, &value);
    free(value.text);
}
