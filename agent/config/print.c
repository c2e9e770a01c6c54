/* SPDX-License-Identifier: Apache-2.0 */
#include "config/print.h"

#include "config/schema.h"
#include "config/value_format.h"

#include <string.h>

#define LINE_WIDTH 100

static void section_print(FILE *out, enum option_section section, const void *target, unsigned pair,
                          const char *indent)
{
    for (size_t i = 0; i < schema_option_count; i++) {
        const struct option *option = &schema_options[i];

        if (option->section != section || value_is_unset(option, target))
            continue;
        if (section == SECTION_SECRET && (option->applies & pair) == 0)
            continue;
        fprintf(out, "%s%s = ", indent, option->name);
        value_format(out, option, target);
        fputs(";\n", out);
    }
}

void print_config(FILE *out, const struct config *config)
{
    fputs("agent: {\n", out);
    section_print(out, SECTION_AGENT, &config->agent, 0, "  ");
    fputs("};\nsecret: {\n", out);
    for (size_t i = 0; i < config->secret_count; i++) {
        const struct secret_config *secret = &config->secrets[i];

        fprintf(out, "  # %s:%d\n  %s: {\n", secret->source_file, secret->source_line,
                secret->name);
        section_print(out, SECTION_SECRET, secret,
                      OPTION_PAIR(secret->recipe.method, secret->recipe.type), "    ");
        fputs("  };\n", out);
    }
    fputs("};\n", out);
}

/* Words of text behind "#", wrapped. */
static void comment_print(FILE *out, const char *text, const char *indent)
{
    size_t column = 0;

    while (*text != '\0') {
        size_t word = strcspn(text, " ");

        if (column == 0 || column + 1 + word > LINE_WIDTH) {
            column = (size_t)fprintf(out, "%s%s#", column == 0 ? "" : "\n", indent);
        }
        column += (size_t)fprintf(out, " %.*s", (int)word, text);
        text += word;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

/* "access-key and iam-user", … where the option does not go with everything. */
static void applies_print(FILE *out, const struct option *option, const char *indent)
{
    static const enum secret_method methods[] = {SECRET_ACCESS_KEY, SECRET_ASSUME_ROLE,
                                                 SECRET_IRSA};
    unsigned all = 0;

    for (size_t i = 0; i < 3; i++)
        all |= OPTION_PAIR(methods[i], CREDENTIAL_IAM_USER) |
               OPTION_PAIR(methods[i], CREDENTIAL_SESSION);
    if ((option->applies & all) == all)
        return;
    fprintf(out, "%s# Goes with:", indent);
    for (size_t i = 0; i < 3; i++)
        for (int type = 0; type < 2; type++)
            if ((option->applies & OPTION_PAIR(methods[i], type)) != 0)
                fprintf(out, " %s/%s", secret_method_name(methods[i]),
                        credential_type_name((enum credential_type)type));
    fputc('\n', out);
}

static void option_print(FILE *out, const struct option *option, const char *indent)
{
    comment_print(out, option->help, indent);
    if (option->section == SECTION_SECRET)
        applies_print(out, option, indent);
    if (option->default_text != NULL)
        fprintf(out, "%s# %s: %s; default: %s\n\n", indent, option->name,
                schema_type_name(option->type), option->default_text);
    else
        fprintf(out, "%s# %s: %s; default: %s\n\n", indent, option->name,
                schema_type_name(option->type),
                option->default_note != NULL ? option->default_note : "none");
}

void print_schema(FILE *out)
{
    fputs("agent: {\n", out);
    for (size_t i = 0; i < schema_option_count; i++)
        if (schema_options[i].section == SECTION_AGENT)
            option_print(out, &schema_options[i], "  ");
    fputs("};\nsecret: {\n  # NAME: {\n", out);
    for (size_t i = 0; i < schema_option_count; i++)
        if (schema_options[i].section == SECTION_SECRET)
            option_print(out, &schema_options[i], "    ");
    fputs("  # };\n};\n", out);
}

int config_print(const struct config *config)
{
    if (config != NULL)
        print_config(stdout, config);
    else
        print_schema(stdout);
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? 0 : KMS_ECONFIG;
}
