/* SPDX-License-Identifier: Apache-2.0 */
#include "config/value_list.h"

#include "config/validate.h"
#include "config/value.h"
#include "config/value_format.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ITEM_MAX 4096 /* bytes of one list element */

static void free_text(char **text)
{
    free(*text);
}
#define TEXT_CLEANUP __attribute__((cleanup(free_text)))

static char *trimmed(const char *text, size_t length)
{
    while (length > 0 && strchr(" \t\r\n", text[0]) != NULL) {
        text++;
        length--;
    }
    while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
        length--;
    return strndup(text, length);
}

/* Takes item (NULL: out of memory) into list. */
static int item_take(struct draft *draft, const struct option *option, struct string_list *list,
                     char *item)
{
    char *owned TEXT_CLEANUP = item;

    if (item == NULL)
        return value_out_of_memory(draft, option);
    if (strlen(item) > ITEM_MAX) {
        draft_finding(draft, option->name, "an element is longer than %d bytes", ITEM_MAX);
        return -1;
    }
    if (option->type != OPTION_RULES && value_text_check(draft, option, item) < 0)
        return -1;
    if (string_list_add(list, owned) < 0)
        return value_out_of_memory(draft, option);
    return 0;
}

/* A comma too many, or "". index counts from 0; count: how many elements there are. */
static int empty_item_refuse(struct draft *draft, const struct option *option,
                             const struct parsed_value *value, size_t index, size_t count)
{
    const char *why = "";

    if (value->kind == PARSED_STRING)
        why = index == 0           ? ": the string begins with a comma"
              : index == count - 1 ? ": the string ends with a comma"
                                   : ": there is nothing between two commas";
    draft_finding(draft, option->name, "element %zu of %zu is empty%s", index + 1, count, why);
    return -1;
}

static size_t items_count(const struct parsed_value *value)
{
    size_t count = 1;

    if (value->kind == PARSED_LIST)
        return value->item_count;
    for (const char *p = value->text; *p != '\0'; p++)
        count += *p == ',';
    return count;
}

/* One element's text, blanks around it cut off. */
static int text_take(struct draft *draft, const struct option *option,
                     const struct parsed_value *value, size_t index, struct string_list *list,
                     const char *text, size_t length)
{
    char *item = trimmed(text, length);

    if (item != NULL && item[0] == '\0') {
        free(item);
        return empty_item_refuse(draft, option, value, index, items_count(value));
    }
    return item_take(draft, option, list, item);
}

/* An array's elements, or one string split at commas. */
static int items_collect(struct draft *draft, const struct option *option,
                         const struct parsed_value *value, struct string_list *ret)
{
    int rc = 0;

    if (value->kind == PARSED_LIST) {
        for (size_t i = 0; i < value->item_count; i++)
            rc |= text_take(draft, option, value, i, ret, value->items[i], strlen(value->items[i]));
    } else if (value->kind == PARSED_STRING) {
        const char *p = value->text;
        bool blank = p[strspn(p, " \t\r\n")] == '\0'; /* no element at all */

        for (size_t i = 0; !blank; i++) {
            size_t length = strcspn(p, ",");

            rc |= text_take(draft, option, value, i, ret, p, length);
            if (p[length] == '\0')
                break;
            p += length + 1;
        }
    } else {
        return value_wants(draft, option, "a list of strings");
    }
    if (rc == 0 && option->max > 0 && (double)ret->count > option->max) {
        draft_finding(draft, option->name, "has %zu elements, at most %.0f are possible%s%s",
                      ret->count, option->max, option->max_why != NULL ? ": " : "",
                      option->max_why != NULL ? option->max_why : "");
        return -1;
    }
    return rc;
}

static int duplicates_check(struct draft *draft, const struct option *option,
                            const struct string_list *list)
{
    for (size_t i = 1; i < list->count; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(list->items[i], list->items[j]) == 0) {
                draft_finding(draft, option->name, "\"%.128s\" is there twice", list->items[i]);
                return -1;
            } else if (option->any_case && strcasecmp(list->items[i], list->items[j]) == 0) {
                draft_finding(draft, option->name,
                              "\"%.128s\" and \"%.128s\" are the same to AWS, which ignores case "
                              "in names",
                              list->items[j], list->items[i]);
                return -1;
            }
    return 0;
}

int value_set_list(struct draft *draft, const struct option *option,
                   const struct parsed_value *value)
{
    struct string_list *list = value_field(draft, option);

    if (items_collect(draft, option, value, list) < 0)
        return -1;
    return duplicates_check(draft, option, list);
}

int value_set_rules(struct draft *draft, const struct option *option,
                    const struct parsed_value *value)
{
    struct string_list items __attribute__((cleanup(string_list_done))) = {0};
    struct rule_list *list = value_field(draft, option);
    struct err err;
    int rc = 0;

    if (items_collect(draft, option, value, &items) < 0 ||
        duplicates_check(draft, option, &items) < 0)
        return -1;
    list->rules = calloc(items.count + 1, sizeof(*list->rules));
    if (list->rules == NULL)
        return value_out_of_memory(draft, option);
    for (size_t i = 0; i < items.count; i++) {
        if (resolve_rule(&draft->loader->resolver, items.items[i], &list->rules[list->count],
                         &err) < 0) {
            draft_finding(draft, option->name, "%s", err.message);
            rc = -1;
        } else {
            list->count++;
        }
    }
    return rc;
}

int value_set_tags(struct draft *draft, const struct option *option,
                   const struct parsed_value *value)
{
    struct string_list items __attribute__((cleanup(string_list_done))) = {0};
    struct tag **tags = value_field(draft, option);
    size_t *count = (size_t *)(void *)((char *)draft->target + option->count_offset);

    if (items_collect(draft, option, value, &items) < 0)
        return -1;
    if (items.count == 0)
        return 0;
    *tags = calloc(items.count, sizeof(**tags));
    if (*tags == NULL)
        return value_out_of_memory(draft, option);
    for (size_t i = 0; i < items.count; i++) {
        const char *equals = strchr(items.items[i], '='); /* check_tag() saw it */
        struct tag *tag = &(*tags)[(*count)++];

        tag->key = strndup(items.items[i], (size_t)(equals - items.items[i]));
        tag->value = strdup(equals + 1);
        if (tag->key == NULL || tag->value == NULL)
            return value_out_of_memory(draft, option);
    }
    return validate_tags(draft, option->name, *tags, *count);
}
