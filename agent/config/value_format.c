/* SPDX-License-Identifier: Apache-2.0 */
#include "config/value_format.h"

#include "common/timefmt.h"

#include <stdlib.h>
#include <string.h>

/* The field of target that the row stores in. */
#define FIELD(type, option, target)                                                                \
    ((const type *)(const void *)((const char *)(target) + (option)->offset))

void string_list_done(struct string_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    list->items = NULL;
    list->count = 0;
}

int string_list_add(struct string_list *list, const char *item)
{
    char **items = realloc(list->items, (list->count + 1) * sizeof(*items));

    if (items == NULL)
        return KMS_ENOMEM;
    list->items = items;
    items[list->count] = strdup(item);
    if (items[list->count] == NULL)
        return KMS_ENOMEM;
    list->count++;
    return 0;
}

static void string_format(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20)
            fprintf(out, "\\x%02x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static void list_format(FILE *out, const struct string_list *list)
{
    fputc('[', out);
    for (size_t i = 0; i < list->count; i++) {
        fputs(i == 0 ? "" : ", ", out);
        string_format(out, list->items[i]);
    }
    fputc(']', out);
}

static void rules_format(FILE *out, const struct rule_list *list)
{
    fputc('[', out);
    for (size_t i = 0; i < list->count; i++) {
        fputs(i == 0 ? "" : ", ", out);
        string_format(out, list->rules[i].text);
    }
    fputc(']', out);
}

static void tags_format(FILE *out, const struct tag *tags, size_t count)
{
    fputc('[', out);
    for (size_t i = 0; i < count; i++) {
        char *text = NULL;

        fputs(i == 0 ? "" : ", ", out);
        if (asprintf(&text, "%s=%s", tags[i].key, tags[i].value) < 0)
            return;
        string_format(out, text);
        free(text);
    }
    fputc(']', out);
}

static void duration_write(FILE *out, int64_t ms)
{
    char text[64];

    duration_format(ms, text, sizeof(text));
    fprintf(out, "\"%s\"", text);
}

static void size_write(FILE *out, uint64_t bytes)
{
    static const char units[] = "KMGT";
    int unit = -1;

    while (bytes != 0 && bytes % 1024 == 0 && unit < 3) {
        bytes /= 1024;
        unit++;
    }
    if (unit < 0)
        fprintf(out, "\"%llu\"", (unsigned long long)bytes);
    else
        fprintf(out, "\"%llu%c\"", (unsigned long long)bytes, units[unit]);
}

/* libconfig tells numbers with a fraction by their point. */
static void float_write(FILE *out, double number)
{
    char text[64];

    snprintf(text, sizeof(text), "%.15g", number);
    fprintf(out, "%s%s", text, strpbrk(text, ".e") == NULL ? ".0" : "");
}

static void number_format(FILE *out, const struct option *option, const void *target)
{
    switch (option->type) {
    case OPTION_SECONDS:
        duration_write(out, *FIELD(int64_t, option, target) * 1000);
        return;
    case OPTION_MS:
        duration_write(out, *FIELD(int64_t, option, target));
        return;
    case OPTION_BOOL:
        fputs(*FIELD(bool, option, target) ? "true" : "false", out);
        return;
    case OPTION_FLOAT:
        float_write(out, *FIELD(double, option, target));
        return;
    case OPTION_SIZE:
        size_write(out, *FIELD(uint64_t, option, target));
        return;
    case OPTION_MODE:
        fprintf(out, "\"%04o\"", *FIELD(uint32_t, option, target));
        return;
    case OPTION_GROUP:
        fprintf(out, "\"%u\"", *FIELD(uint32_t, option, target));
        return;
    default:
        fprintf(out, "%u", *FIELD(uint32_t, option, target));
    }
}

void value_format(FILE *out, const struct option *option, const void *target)
{
    switch (option->type) {
    case OPTION_STRING:
    case OPTION_DOCUMENT:
        string_format(out,
                      *FIELD(char *, option, target) != NULL ? *FIELD(char *, option, target) : "");
        return;
    case OPTION_TEXT:
        string_format(out, FIELD(char, option, target));
        return;
    case OPTION_LIST:
    case OPTION_DOCUMENTS:
        list_format(out, FIELD(struct string_list, option, target));
        return;
    case OPTION_RULES:
        rules_format(out, FIELD(struct rule_list, option, target));
        return;
    case OPTION_TAGS:
        tags_format(out, *FIELD(struct tag *, option, target),
                    *(const size_t *)(const void *)((const char *)target + option->count_offset));
        return;
    case OPTION_METHOD:
        string_format(out, secret_method_name(*FIELD(enum secret_method, option, target)));
        return;
    case OPTION_CREDENTIAL:
        string_format(out, credential_type_name(*FIELD(enum credential_type, option, target)));
        return;
    case OPTION_SHARE:
        string_format(out, *FIELD(enum share_mode, option, target) == SHARE_UID ? "uid" : "none");
        return;
    default:
        number_format(out, option, target);
    }
}

bool value_is_unset(const struct option *option, const void *target)
{
    switch (option->type) {
    case OPTION_STRING:
    case OPTION_DOCUMENT:
        return *FIELD(char *, option, target) == NULL;
    case OPTION_TEXT:
        return FIELD(char, option, target)[0] == '\0';
    case OPTION_LIST:
    case OPTION_DOCUMENTS:
        return FIELD(struct string_list, option, target)->count == 0;
    case OPTION_RULES:
        return FIELD(struct rule_list, option, target)->count == 0;
    case OPTION_TAGS:
        return *FIELD(struct tag *, option, target) == NULL;
    case OPTION_GROUP:
        return *FIELD(uint32_t, option, target) == UINT32_MAX;
    case OPTION_SECONDS:
        return *FIELD(int64_t, option, target) == 0;
    default:
        return false;
    }
}

static void tags_done(struct tag **tags, size_t *count)
{
    for (size_t i = 0; i < *count; i++) {
        free((*tags)[i].key);
        free((*tags)[i].value);
    }
    free(*tags);
    *tags = NULL;
    *count = 0;
}

void value_done(const struct option *option, void *target)
{
    void *field = (char *)target + option->offset;

    switch (option->type) {
    case OPTION_STRING:
    case OPTION_DOCUMENT:
        free(*(char **)field);
        *(char **)field = NULL;
        return;
    case OPTION_LIST:
    case OPTION_DOCUMENTS:
        string_list_done(field);
        return;
    case OPTION_RULES:
        rule_list_done(field);
        return;
    case OPTION_TAGS:
        tags_done(field, (size_t *)(void *)((char *)target + option->count_offset));
        return;
    default:
        return;
    }
}
