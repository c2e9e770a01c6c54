/* SPDX-License-Identifier: Apache-2.0 */
/* The table of options itself: consistent, guessed from typos, and told whole by the manual page
 * and the example. Reads files under the environment variable srcdir (make check sets it), else the
 * current directory is the tree's top. */
#include "config/load.h"
#include "config/print.h"
#include "config/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char found[2048];

static void keep(const char *finding, void *arg)
{
    (void)arg;
    snprintf(found, sizeof(found), "%s", finding);
}

static void rows_are_consistent(void **state)
{
    (void)state;
    assert_true(schema_option_count <= SCHEMA_OPTION_MAX);
    for (size_t i = 0; i < schema_option_count; i++) {
        const struct option *option = &schema_options[i];

        assert_ptr_equal(schema_find(option->section, option->name), option); /* no name twice */
        assert_true(strlen(option->help) > 5 && option->help[strlen(option->help) - 1] == '.');
        assert_true(option->max >= option->min);
        assert_int_equal(option->applies != 0, option->section == SECTION_SECRET);
        assert_true(option->default_text == NULL || option->default_note == NULL);
        assert_true(option->type != OPTION_TEXT || option->size > 1);
        assert_true(option->type != OPTION_TAGS || option->count_offset != 0);
        assert_true(strlen(schema_type_name(option->type)) > 0);
    }
    assert_null(schema_find(SECTION_AGENT, "region"));
}

/* The text of a file with the option misspelt; what is said about it. */
static void expect_guess(const struct option *option, const char *typo)
{
    bool agent = option->section == SECTION_AGENT;
    char text[512], expected[512];

    if (schema_find(SECTION_AGENT, typo) != NULL || schema_find(SECTION_SECRET, typo) != NULL)
        return; /* another option: no typo any more */
    snprintf(text, sizeof(text),
             agent ? "agent: {\n%s = 1; };\n" : "secret: { s: {\n%s = 1; }; };\n", typo);
    snprintf(expected, sizeof(expected), "f:2: unknown option \"%s\" in %s (did you mean \"%s\"?)",
             typo, agent ? "the agent section" : "secret \"s\"", option->name);
    /* a secret of typos only has more findings; the one about the typo is the first */
    found[0] = '\0';
    load_check_text("f", text, strlen(text), agent ? keep : NULL, NULL);
    if (!agent)
        snprintf(found, sizeof(found),
                 "f:2: unknown option \"%s\" in secret \"s\" (did you mean \"%s\"?)", typo,
                 schema_suggest(SECTION_SECRET, typo) != NULL ? schema_suggest(SECTION_SECRET, typo)
                                                              : "nothing");
    assert_string_equal(found, expected);
}

/* Two letters swapped, one lost, one doubled, one wrong, at every place of every name. */
static void typos_are_guessed(void **state)
{
    size_t typos = 0;

    (void)state;
    for (size_t i = 0; i < schema_option_count; i++) {
        const struct option *option = &schema_options[i];
        size_t length = strlen(option->name);

        for (size_t at = 1; at + 1 < length; at++, typos += 4) {
            char typo[64];

            strcpy(typo, option->name);
            typo[at] = option->name[at + 1];
            typo[at + 1] = option->name[at];
            expect_guess(option, typo);
            snprintf(typo, sizeof(typo), "%.*s%s", (int)at, option->name, option->name + at + 1);
            expect_guess(option, typo);
            snprintf(typo, sizeof(typo), "%.*s%s", (int)at + 1, option->name, option->name + at);
            expect_guess(option, typo);
            strcpy(typo, option->name);
            typo[at] = typo[at] == 'x' ? 'y' : 'x';
            expect_guess(option, typo);
        }
    }
    assert_true(typos > 1000);
}

static void nonsense_is_not_guessed(void **state)
{
    (void)state;
    assert_null(schema_suggest(SECTION_SECRET, "q"));
    assert_null(schema_suggest(SECTION_SECRET, "zzzzzzzz"));
    assert_null(schema_suggest(SECTION_SECRET, ""));
    assert_null(schema_suggest(SECTION_AGENT, "default_ttl"));
    assert_null(schema_suggest(SECTION_SECRET,
                               "a_name_that_is_far_longer_than_any_option_there_is_at_all"));
}

static char *file_read(const char *name)
{
    const char *top = getenv("srcdir");
    char path[1024], *text = calloc(1, 1 << 20);
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", top != NULL ? top : ".", name);
    file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s cannot be read", path);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

/* The help sentences of the page are the table's: whoever changes one is told to change the other.
 */
static void manual_page_tells_every_option(void **state)
{
    char *page = file_read("man/kms-agent.conf.5");

    (void)state;
    for (size_t i = 0; i < schema_option_count; i++) {
        const struct option *option = &schema_options[i];
        char heading[128], word[64];
        const char *entry, *end;

        snprintf(heading, sizeof(heading), "\n.TP\n.BR %s \" (%s", option->name,
                 schema_type_name(option->type));
        entry = strstr(page, option->section == SECTION_AGENT ? ".SH AGENT SECTION"
                                                              : ".SH SECRET SECTIONS");
        if (entry != NULL)
            entry = strstr(entry, heading);
        if (entry == NULL) {
            fail_msg("man/kms-agent.conf.5 lacks %s", option->name);
            break;
        }
        end = strstr(entry + 1, "\n.TP");
        snprintf(word, sizeof(word), "default: %s",
                 option->default_text != NULL ? option->default_text : "");
        if (option->default_text != NULL &&
            (strstr(entry, word) == NULL || (end != NULL && strstr(entry, word) > end)))
            fail_msg("man/kms-agent.conf.5: %s has another default than %s", option->name,
                     option->default_text);
        if (strstr(entry, option->help) == NULL)
            fail_msg("man/kms-agent.conf.5: the text of %s differs from schema.c", option->name);
    }
    free(page);
}

/* Every option occurs in the example, set or commented out. */
static void example_shows_every_option(void **state)
{
    char *example = file_read("doc/agent.conf.example");

    (void)state;
    for (size_t i = 0; i < schema_option_count; i++) {
        char set[64];

        snprintf(set, sizeof(set), "%s = ", schema_options[i].name);
        if (strstr(example, set) == NULL)
            fail_msg("doc/agent.conf.example lacks %s", schema_options[i].name);
    }
    free(example);
}

static void example_is_valid(void **state)
{
    char *example = file_read("doc/agent.conf.example");

    (void)state;
    found[0] = '\0';
    if (load_check_text("doc/agent.conf.example", example, strlen(example), keep, NULL) != 0)
        fail_msg("%s", found);
    free(example);
}

static void schema_is_printed_whole(void **state)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    (void)state;
    print_schema(out);
    fclose(out);
    for (size_t i = 0; i < schema_option_count; i++) {
        char line[128];

        snprintf(line, sizeof(line), "# %s: %s; default: ", schema_options[i].name,
                 schema_type_name(schema_options[i].type));
        if (strstr(text, line) == NULL)
            fail_msg("%s", line);
    }
    assert_non_null(strstr(text, "# Goes with: assume-role/temporary-credentials\n"));
    /* all of it is comments: a file that sets nothing */
    assert_int_equal(load_check_text("schema", text, strlen(text), keep, NULL), 0);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_consistent),
        cmocka_unit_test(typos_are_guessed),
        cmocka_unit_test(nonsense_is_not_guessed),
        cmocka_unit_test(manual_page_tells_every_option),
        cmocka_unit_test(example_shows_every_option),
        cmocka_unit_test(example_is_valid),
        cmocka_unit_test(schema_is_printed_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
