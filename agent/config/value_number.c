/* SPDX-License-Identifier: Apache-2.0 */
#include "config/value_number.h"

#include "common/timefmt.h"
#include "config/config.h"
#include "config/value.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int range_check(struct draft *draft, const struct option *option, double number,
                       const char *shown)
{
    char limit[64];
    bool low = number < option->min;
    double bound = low ? option->min : option->max;

    if (number >= option->min && number <= option->max)
        return 0;
    if (option->type == OPTION_SECONDS)
        duration_format((int64_t)bound * 1000, limit, sizeof(limit));
    else if (option->type == OPTION_MS)
        duration_format((int64_t)bound, limit, sizeof(limit));
    else if (option->type == OPTION_MODE)
        snprintf(limit, sizeof(limit), "%04o", (unsigned)bound);
    else
        snprintf(limit, sizeof(limit), "%.15g", bound);
    draft_finding(draft, option->name, "%s is %s, %s", shown,
                  low ? "below the least" : "above the most", limit);
    return -1;
}

/* A duration in a string, or whole seconds as a number; milliseconds. */
static int duration_take(struct draft *draft, const struct option *option,
                         const struct parsed_value *value, int64_t *ret_ms)
{
    if (value->kind == PARSED_INT && value->integer >= 0 && value->integer <= INT64_MAX / 1000) {
        *ret_ms = value->integer * 1000;
        return 0;
    }
    if (value->kind != PARSED_STRING || duration_parse(value->text, ret_ms) < 0)
        return value_wants(draft, option, "a duration (\"90s\", \"15m\", \"1h30m\", \"2d\")");
    return 0;
}

static int duration_set(struct draft *draft, const struct option *option,
                        const struct parsed_value *value)
{
    bool seconds = option->type == OPTION_SECONDS;
    char shown[64];
    int64_t ms;

    if (duration_take(draft, option, value, &ms) < 0)
        return -1;
    if (seconds && ms % 1000 != 0)
        return value_wants(draft, option, "whole seconds");
    duration_format(ms, shown, sizeof(shown));
    if (range_check(draft, option, (double)(seconds ? ms / 1000 : ms), shown) < 0)
        return -1;
    *(int64_t *)value_field(draft, option) = seconds ? ms / 1000 : ms;
    return 0;
}

static int uint_set(struct draft *draft, const struct option *option,
                    const struct parsed_value *value)
{
    char shown[32];

    if (value->kind != PARSED_INT)
        return value_wants(draft, option, "a whole number");
    snprintf(shown, sizeof(shown), "%lld", (long long)value->integer);
    if (range_check(draft, option, (double)value->integer, shown) < 0)
        return -1;
    *(uint32_t *)value_field(draft, option) = (uint32_t)value->integer;
    return 0;
}

static int float_set(struct draft *draft, const struct option *option,
                     const struct parsed_value *value)
{
    char shown[64];

    if ((value->kind != PARSED_INT && value->kind != PARSED_FLOAT) || !isfinite(value->real))
        return value_wants(draft, option, "a number");
    snprintf(shown, sizeof(shown), "%.15g", value->real);
    if (range_check(draft, option, value->real, shown) < 0)
        return -1;
    *(double *)value_field(draft, option) = value->real;
    return 0;
}

/* Digits and one of K, M, G, T, or bytes as a number. */
static int size_take(const struct parsed_value *value, uint64_t *ret)
{
    static const char units[] = "KMGT";
    const char *unit;
    char *end;
    uint64_t size;

    if (value->kind == PARSED_INT && value->integer >= 0) {
        *ret = (uint64_t)value->integer;
        return 0;
    }
    if (value->kind != PARSED_STRING || value->text[0] < '0' || value->text[0] > '9')
        return -1;
    errno = 0;
    size = strtoull(value->text, &end, 10);
    if (errno != 0)
        return -1;
    if (*end != '\0') {
        unit = strchr(units, *end);
        if (unit == NULL || end[1] != '\0' || size > UINT64_MAX >> (10 * (unit - units + 1)))
            return -1;
        size <<= 10 * (unit - units + 1);
    }
    *ret = size;
    return 0;
}

static int size_set(struct draft *draft, const struct option *option,
                    const struct parsed_value *value)
{
    char shown[32];
    uint64_t size;

    if (size_take(value, &size) < 0)
        return value_wants(draft, option, "a size (\"512M\", \"16G\")");
    snprintf(shown, sizeof(shown), "%llu", (unsigned long long)size);
    if (range_check(draft, option, (double)size, shown) < 0)
        return -1;
    *(uint64_t *)value_field(draft, option) = size;
    return 0;
}

static int mode_set(struct draft *draft, const struct option *option,
                    const struct parsed_value *value)
{
    size_t digits = value->kind == PARSED_STRING ? strspn(value->text, "01234567") : 0;
    unsigned long mode;

    if (digits == 0 || digits > 4 || value->text[digits] != '\0')
        return value_wants(draft, option, "octal digits in quotes (\"0660\")");
    mode = strtoul(value->text, NULL, 8);
    if (range_check(draft, option, (double)mode, value->text) < 0)
        return -1;
    *(uint32_t *)value_field(draft, option) = (uint32_t)mode;
    return 0;
}

static int group_set(struct draft *draft, const struct option *option,
                     const struct parsed_value *value)
{
    struct err err;

    if (value->kind != PARSED_STRING)
        return value_wants(draft, option, "a group's name");
    if (value_text_check(draft, option, value->text) < 0)
        return -1;
    if (resolve_group(&draft->loader->resolver, value->text, value_field(draft, option), &err) == 0)
        return 0;
    draft_finding(draft, option->name, "%s", err.message);
    return -1;
}

static int bool_set(struct draft *draft, const struct option *option,
                    const struct parsed_value *value)
{
    if (value->kind != PARSED_BOOL)
        return value_wants(draft, option, "true or false");
    *(bool *)value_field(draft, option) = value->boolean;
    return 0;
}

static int share_parse(const char *text, enum share_mode *ret)
{
    if (strcmp(text, "uid") != 0 && strcmp(text, "none") != 0)
        return -1;
    *ret = strcmp(text, "uid") == 0 ? SHARE_UID : SHARE_NONE;
    return 0;
}

static int choice_set(struct draft *draft, const struct option *option,
                      const struct parsed_value *value)
{
    const char *text = value->kind == PARSED_STRING ? value->text : "";
    void *field = value_field(draft, option);

    if (option->type == OPTION_METHOD && secret_method_parse(text, field) < 0)
        return value_wants(draft, option, "\"access-key\", \"assume-role\" or \"irsa\"");
    if (option->type == OPTION_CREDENTIAL && credential_type_parse(text, field) < 0)
        return value_wants(draft, option, "\"iam-user\" or \"temporary-credentials\"");
    if (option->type == OPTION_SHARE && share_parse(text, field) < 0)
        return value_wants(draft, option, "\"uid\" or \"none\"");
    return 0;
}

int value_set_number(struct draft *draft, const struct option *option,
                     const struct parsed_value *value)
{
    switch (option->type) {
    case OPTION_SECONDS:
    case OPTION_MS:
        return duration_set(draft, option, value);
    case OPTION_UINT:
        return uint_set(draft, option, value);
    case OPTION_FLOAT:
        return float_set(draft, option, value);
    case OPTION_SIZE:
        return size_set(draft, option, value);
    case OPTION_MODE:
        return mode_set(draft, option, value);
    case OPTION_GROUP:
        return group_set(draft, option, value);
    case OPTION_BOOL:
        return bool_set(draft, option, value);
    default:
        return choice_set(draft, option, value);
    }
}
