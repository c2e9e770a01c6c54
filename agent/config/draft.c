/* SPDX-License-Identifier: Apache-2.0 */
#include "config/draft.h"

#include "config/value.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int line_of(const struct draft *draft, const char *option)
{
    const struct option *row = option != NULL ? schema_find(draft->kind, option) : NULL;

    if (row != NULL && draft->line[row - schema_options] != 0)
        return draft->line[row - schema_options];
    return draft->section->line;
}

void draft_finding(struct draft *draft, const char *option, const char *format, ...)
{
    char reason[FINDING_MAX], where[SECRET_NAME_MAX + 32];
    va_list args;

    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    if (draft->kind == SECTION_AGENT)
        snprintf(where, sizeof(where), "agent");
    else
        snprintf(where, sizeof(where), "secret \"%.*s\"", SECRET_NAME_MAX, draft->section->name);
    finding_add(&draft->loader->findings, draft->file, line_of(draft, option), "%s: %s%s%s", where,
                option != NULL ? option : "", option != NULL ? ": " : "", reason);
}

bool draft_has(const struct draft *draft, const char *option)
{
    const struct option *row = schema_find(draft->kind, option);

    return row != NULL && draft->line[row - schema_options] != 0;
}

bool draft_is_bad(const struct draft *draft, const char *option)
{
    const struct option *row = schema_find(draft->kind, option);

    return row != NULL && draft->bad[row - schema_options];
}

static void unknown_option(struct draft *draft, const struct parsed_value *value)
{
    bool agent = draft->kind == SECTION_AGENT;
    const char *other = agent ? "a secret" : "the agent section";
    const char *guess = schema_suggest(draft->kind, value->name);
    char where[SECRET_NAME_MAX + 32], hint[96] = "";

    if (agent)
        snprintf(where, sizeof(where), "the agent section");
    else
        snprintf(where, sizeof(where), "secret \"%.*s\"", SECRET_NAME_MAX, draft->section->name);
    if (schema_find(agent ? SECTION_SECRET : SECTION_AGENT, value->name) != NULL)
        snprintf(hint, sizeof(hint), " (it is an option of %s)", other);
    else if (guess != NULL)
        snprintf(hint, sizeof(hint), " (did you mean \"%s\"?)", guess);
    finding_add(&draft->loader->findings, draft->file, value->line,
                "unknown option \"%.64s\" in %s%s", value->name, where, hint);
}

void draft_fill(struct draft *draft)
{
    for (size_t i = 0; i < draft->section->count; i++) {
        const struct parsed_value *value = &draft->section->values[i];
        const struct option *option = schema_find(draft->kind, value->name);

        if (option == NULL) {
            unknown_option(draft, value);
            continue;
        }
        draft->line[option - schema_options] = value->line;
        draft->bad[option - schema_options] = value_set(draft, option, value) < 0;
    }
    for (size_t i = 0; i < schema_option_count; i++)
        if (schema_options[i].section == draft->kind && draft->line[i] == 0)
            value_set_default(draft, &schema_options[i]);
}
