/* SPDX-License-Identifier: Apache-2.0 */
#include "common/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
    unsigned calls;
    enum log_level level;
    char message[256], id[64], field[64];
} seen;

static void sink(enum log_level level, const char *message, const char *message_id,
                 const struct log_field *fields, size_t count, void *arg)
{
    assert_ptr_equal(arg, &seen);
    seen.calls++;
    seen.level = level;
    snprintf(seen.message, sizeof seen.message, "%s", message);
    snprintf(seen.id, sizeof seen.id, "%s", message_id ? message_id : "none");
    snprintf(seen.field, sizeof seen.field, "%s", count ? fields[0].value : "none");
}

static void goes_to_the_sink(void **state)
{
    const struct log_field fields[] = {{"KMS_LEASE_ID", "0123"}};
    (void)state;

    memset(&seen, 0, sizeof seen);
    log_set_sink(sink, &seen);
    log_info("hello %d", 3);
    assert_int_equal(seen.level, LOG_LEVEL_INFO);
    assert_string_equal(seen.message, "hello 3");
    assert_string_equal(seen.id, "none");
    log_event(LOG_LEVEL_NOTICE, "abcd", fields, 1, "issued");
    assert_int_equal(seen.level, LOG_LEVEL_NOTICE);
    assert_string_equal(seen.id, "abcd");
    assert_string_equal(seen.field, "0123");
    assert_int_equal(seen.calls, 2);
    log_set_sink(NULL, NULL);
}

static void level_filters(void **state)
{
    (void)state;

    memset(&seen, 0, sizeof seen);
    log_set_sink(sink, &seen);
    log_debug("not by default");
    assert_int_equal(seen.calls, 0);
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("now");
    assert_int_equal(seen.calls, 1);
    log_set_level(LOG_LEVEL_ERROR);
    log_warning("no");
    log_error("yes");
    assert_int_equal(seen.calls, 2);
    log_set_level(LOG_LEVEL_INFO);
    log_set_sink(NULL, NULL);
}

/* Runs with stderr in a pipe; what was written goes to `ret`. */
static void capture(char *ret, size_t size, void (*run)(void))
{
    int pipe_fds[2], saved = dup(STDERR_FILENO);

    assert_int_equal(pipe(pipe_fds), 0);
    dup2(pipe_fds[1], STDERR_FILENO);
    close(pipe_fds[1]);
    run();
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t n = read(pipe_fds[0], ret, size - 1);

    close(pipe_fds[0]);
    assert_true(n > 0);
    ret[n] = '\0';
}

static void run_plain(void)
{
    const struct log_field fields[] = {
        {"KMS_SECRET", "app"}, {"KMS_UNIT", NULL}, {"KMS_COMMAND", "a\nerror: forged\x1B[2J"}};

    log_event(LOG_LEVEL_WARNING, NULL, fields, 3, "denied %s", "x\ty");
}

static void default_is_one_line_on_stderr(void **state)
{
    char text[4096];
    (void)state;

    capture(text, sizeof text, run_plain);
    assert_string_equal(text,
                        "warning: denied x y KMS_SECRET=app KMS_COMMAND=a error: forged [2J\n");
}

static void run_long(void)
{
    char message[5000];
    const struct log_field fields[] = {{"A", message}, {"B", message}};

    memset(message, 'm', sizeof message);
    message[sizeof message - 1] = '\0';
    log_event(LOG_LEVEL_ERROR, NULL, fields, 2, "%s", message);
}

static void long_lines_are_cut(void **state)
{
    char text[8192];
    (void)state;

    capture(text, sizeof text, run_long);
    size_t len = strlen(text);

    assert_true(len > 2000 && len < 2200);
    assert_int_equal(text[len - 1], '\n');
    assert_ptr_equal(strchr(text, '\n'), text + len - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_to_the_sink),
        cmocka_unit_test(level_filters),
        cmocka_unit_test(default_is_one_line_on_stderr),
        cmocka_unit_test(long_lines_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
