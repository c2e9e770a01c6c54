/* SPDX-License-Identifier: Apache-2.0 */
#include "client/exec_options.h"

#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORDS_MAX 32

/* Parses a line of words parted by single blanks. */
static int parse(const char *line, struct exec_options *ret, struct err *err)
{
    static char copy[512];
    static char *argv[WORDS_MAX + 1];
    int argc = 0;

    strcpy(copy, line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    optind = 0; /* glibc: start anew */
    return exec_options_parse(argc, argv, ret, err);
}

static void all_options(void **state)
{
    struct exec_options o;
    struct err err;
    (void)state;

    assert_int_equal(
        parse("kms-exec -s app -t 15m --region eu-west-1 --keep --min-ttl 10m --wait 30s "
              "-v --socket /s -- cmd -v --keep",
              &o, &err),
        0);
    assert_string_equal(o.secret, "app");
    assert_int_equal(o.ttl_ms, 900000);
    assert_string_equal(o.region, "eu-west-1");
    assert_true(o.keep && o.verbose && !o.print_env && !o.show);
    assert_int_equal(o.min_ttl_ms, 600000);
    assert_int_equal(o.wait_ms, 30000);
    assert_string_equal(o.socket, "/s");
    assert_string_equal(o.command[0], "cmd");
    assert_string_equal(o.command[1], "-v");
    assert_string_equal(o.command[2], "--keep");
    assert_null(o.command[3]);
}

/* The first word that is no option is the command, all after it is the command's. */
static void command_keeps_its_options(void **state)
{
    struct exec_options o;
    struct err err;
    (void)state;

    assert_int_equal(parse("kms-exec aws -s x --format y --bogus", &o, &err), 0);
    assert_null(o.secret);
    assert_int_equal(o.ttl_ms, -1);
    assert_int_equal(o.format, FORMAT_NONE);
    assert_string_equal(o.command[0], "aws");
    assert_string_equal(o.command[5], "--bogus");
}

static void without_command(void **state)
{
    struct exec_options o;
    struct err err;
    (void)state;

    assert_int_equal(parse("kms-exec --format json --show", &o, &err), 0);
    assert_int_equal(o.format, FORMAT_JSON);
    assert_true(o.show);
    assert_int_equal(parse("kms-exec --print-env -- cmd", &o, &err), 0);
    assert_true(o.print_env);
    assert_int_equal(parse("kms-exec --help", &o, &err), 0);
    assert_true(o.help);
    assert_int_equal(parse("kms-exec --version", &o, &err), 0);
    assert_true(o.version);
}

static void refused(void **state)
{
    static const char *const wrong[] = {
        "kms-exec",
        "kms-exec -s",
        "kms-exec -s app",
        "kms-exec -x true",
        "kms-exec -vx true",
        "kms-exec --refresh true",
        "kms-exec --bogus true",
        "kms-exec --keep=1 true",
        "kms-exec -t 1x true",
        "kms-exec -t -5 true",
        "kms-exec -t 1500ms true",
        "kms-exec -t 100000d true",
        "kms-exec -t 5m --min-ttl 10m true",
        "kms-exec --wait",
        "kms-exec --format ini",
        "kms-exec --format json true",
        "kms-exec --format json --print-env",
    };
    (void)state;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct exec_options o;
        struct err err;

        err_clear(&err);
        if (parse(wrong[i], &o, &err) != KMS_EUSAGE)
            fail_msg("taken: %s", wrong[i]);
        assert_true(strlen(err.message) > 0);
        assert_true(strlen(err.hint) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_options),
        cmocka_unit_test(command_keeps_its_options),
        cmocka_unit_test(without_command),
        cmocka_unit_test(refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
