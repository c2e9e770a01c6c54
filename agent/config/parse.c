/* SPDX-License-Identifier: Apache-2.0 */
#include "config/parse.h"

#include "config/ownership.h"
#include "config/scan.h"

#include <libconfig.h>
#include <stdlib.h>
#include <string.h>

static void value_done(struct parsed_value *value)
{
    free(value->name);
    free(value->text);
    for (size_t i = 0; i < value->item_count; i++)
        free(value->items[i]);
    free(value->items);
}

static void section_done(struct parsed_section *section)
{
    for (size_t i = 0; i < section->count; i++)
        value_done(&section->values[i]);
    free(section->values);
    free(section->name);
}

void parsed_done(struct parsed *parsed)
{
    if (parsed->agent != NULL)
        section_done(parsed->agent);
    free(parsed->agent);
    for (size_t i = 0; i < parsed->secret_count; i++)
        section_done(&parsed->secrets[i]);
    free(parsed->secrets);
    free(parsed->path);
    memset(parsed, 0, sizeof(*parsed));
}

static int line_of(const config_setting_t *setting)
{
    return (int)config_setting_source_line(setting);
}

/* Strings only; anything else in the list makes the value PARSED_OTHER. */
static int list_take(const config_setting_t *setting, struct parsed_value *value)
{
    size_t count = (size_t)config_setting_length(setting);

    value->kind = PARSED_LIST;
    value->items = calloc(count + 1, sizeof(*value->items));
    if (value->items == NULL)
        return -1;
    for (size_t i = 0; i < count; i++) {
        const char *item = config_setting_get_string_elem(setting, (int)i);

        if (item == NULL) {
            value->kind = PARSED_OTHER;
            return 0;
        }
        value->items[i] = strdup(item);
        if (value->items[i] == NULL)
            return -1;
        value->item_count = i + 1;
    }
    return 0;
}

static int value_take(const config_setting_t *setting, struct parsed_value *value)
{
    value->line = line_of(setting);
    value->name = strdup(config_setting_name(setting));
    if (value->name == NULL)
        return -1;
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_STRING:
        value->kind = PARSED_STRING;
        value->text = strdup(config_setting_get_string(setting));
        return value->text == NULL ? -1 : 0;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        value->kind = PARSED_INT;
        value->integer = config_setting_get_int64(setting);
        value->real = (double)value->integer;
        return 0;
    case CONFIG_TYPE_FLOAT:
        value->kind = PARSED_FLOAT;
        value->real = config_setting_get_float(setting);
        return 0;
    case CONFIG_TYPE_BOOL:
        value->kind = PARSED_BOOL;
        value->boolean = config_setting_get_bool(setting) != 0;
        return 0;
    case CONFIG_TYPE_ARRAY:
    case CONFIG_TYPE_LIST:
        return list_take(setting, value);
    default:
        value->kind = PARSED_OTHER;
        return 0;
    }
}

static int section_take(const config_setting_t *group, struct parsed_section *section)
{
    size_t count = (size_t)config_setting_length(group);

    section->line = line_of(group);
    section->name = strdup(config_setting_name(group));
    section->values = calloc(count + 1, sizeof(*section->values));
    if (section->name == NULL || section->values == NULL)
        return -1;
    for (size_t i = 0; i < count; i++) {
        section->count = i + 1;
        if (value_take(config_setting_get_elem(group, (unsigned)i), &section->values[i]) < 0)
            return -1;
    }
    return 0;
}

/* A setting that must be { … }. */
static int group_wanted(const config_setting_t *setting, const char *path, const char *what,
                        struct findings *findings)
{
    if (config_setting_is_group(setting))
        return 0;
    finding_add(findings, path, line_of(setting), "%s%s%s must be a section in braces", what,
                what[0] != '\0' ? " " : "", config_setting_name(setting));
    return -1;
}

static int memory_finding(const struct parsed *parsed, struct findings *findings)
{
    finding_add(findings, parsed->path, 0, "out of memory");
    return -1;
}

static int agent_take(const config_setting_t *setting, struct parsed *parsed,
                      struct findings *findings)
{
    if (group_wanted(setting, parsed->path, "", findings) < 0)
        return -1;
    parsed->agent = calloc(1, sizeof(*parsed->agent));
    if (parsed->agent == NULL || section_take(setting, parsed->agent) < 0)
        return memory_finding(parsed, findings);
    return 0;
}

static int secrets_take(const config_setting_t *setting, struct parsed *parsed,
                        struct findings *findings)
{
    size_t count;
    int rc = 0;

    if (group_wanted(setting, parsed->path, "", findings) < 0)
        return -1;
    count = (size_t)config_setting_length(setting);
    parsed->secrets = calloc(count + 1, sizeof(*parsed->secrets));
    if (parsed->secrets == NULL)
        return memory_finding(parsed, findings);
    for (size_t i = 0; i < count; i++) {
        const config_setting_t *group = config_setting_get_elem(setting, (unsigned)i);

        if (group_wanted(group, parsed->path, "secret", findings) < 0)
            rc = -1;
        else if (section_take(group, &parsed->secrets[parsed->secret_count++]) < 0)
            return memory_finding(parsed, findings);
    }
    return rc;
}

static int top_take(const config_setting_t *root, struct parsed *parsed, struct findings *findings)
{
    int count = config_setting_length(root), rc = 0;

    for (int i = 0; i < count; i++) {
        const config_setting_t *setting = config_setting_get_elem(root, (unsigned)i);
        const char *name = config_setting_name(setting);

        if (strcmp(name, "agent") == 0) {
            rc |= agent_take(setting, parsed, findings);
        } else if (strcmp(name, "secret") == 0) {
            rc |= secrets_take(setting, parsed, findings);
        } else {
            finding_add(findings, parsed->path, line_of(setting),
                        "unknown section \"%.80s\" (there are agent and secret)", name);
            rc = -1;
        }
    }
    return rc;
}

int parse_text(const char *path, const char *text, size_t len, struct findings *findings,
               struct parsed *ret)
{
    config_t config;
    int rc;

    memset(ret, 0, sizeof(*ret));
    ret->path = strdup(path);
    if (ret->path == NULL) {
        finding_add(findings, path, 0, "out of memory");
        return -1;
    }
    if (strlen(text) != len) {
        finding_add(findings, path, 0, "holds a NUL byte");
        return -1;
    }
    if (scan_includes(path, text, findings) < 0 || scan_numbers(path, text, findings) < 0)
        return -1;
    config_init(&config);
    if (config_read_string(&config, text) != CONFIG_TRUE) {
        finding_add(findings, path, config_error_line(&config), "%s", config_error_text(&config));
        rc = -1;
    } else {
        rc = top_take(config_root_setting(&config), ret, findings);
    }
    config_destroy(&config);
    return rc;
}

int parse_file(const char *path, struct findings *findings, struct parsed *ret)
{
    char *text = NULL;
    size_t len;
    struct err err;
    int rc;

    memset(ret, 0, sizeof(*ret));
    if (ownership_read(path, OWNERSHIP_FILE_MAX, &text, &len, &err) < 0) {
        finding_add(findings, path, 0, "%s", err.message);
        return -1;
    }
    rc = parse_text(path, text, len, findings, ret);
    free(text);
    return rc;
}
