/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int set_up(void **state)
{
    struct err err;

    (void)state;
    return secret_heap_init(&err);
}

static int tear_down(void **state)
{
    (void)state;
    secret_heap_done();
    return 0;
}

static long locked_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *file = fopen("/proc/self/status", "re");

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "VmLck: %ld kB", &kib) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return kib;
}

static void heap_is_locked(void **state)
{
    (void)state;
    assert_true(locked_kib() >= 2048);
}

static void contents_are_copied_and_replaced(void **state)
{
    struct secret a = {0}, b = {0};

    (void)state;
    assert_true(secret_empty(&a));
    assert_string_equal(secret_text(&a), "");
    assert_int_equal(secret_set(&a, "first", 5), 0);
    assert_string_equal(secret_text(&a), "first");
    assert_int_equal(secret_set(&a, a.bytes + 1, 3), 0); /* from its own bytes */
    assert_string_equal(secret_text(&a), "irs");
    assert_int_equal(secret_copy(&a, &b), 0);
    assert_ptr_not_equal(a.bytes, b.bytes);
    assert_string_equal(secret_text(&b), "irs");
    assert_int_equal(secret_set(&a, "", 0), 0);
    assert_true(secret_empty(&a));
    secret_take(&b, &a);
    assert_true(secret_empty(&b));
    assert_string_equal(secret_text(&a), "irs");
    secret_take(&a, &a); /* onto itself: nothing lost, nothing freed twice */
    secret_done(&a);
    secret_done(&a);
}

static void full_heap_is_an_error(void **state)
{
    static char big[1 << 20];
    struct secret a = {0}, b = {0}, c = {0};

    (void)state;
    assert_int_equal(secret_set(&a, big, sizeof(big) - 1), 0);
    assert_int_equal(secret_set(&b, big, sizeof(big) - 1), 0);
    assert_int_equal(secret_set(&c, "x", 1), KMS_ENOMEM);
    assert_true(secret_empty(&c));
    secret_done(&a);
    assert_int_equal(secret_set(&c, "x", 1), 0);
    assert_int_equal(secret_set(&c, big, 4u << 20), KMS_ENOMEM);
    secret_done(&b);
    secret_done(&c);
}

static void many_small_ones_fit(void **state)
{
    static struct secret secrets[20000];
    char text[31];

    (void)state;
    memset(text, 'k', sizeof(text));
    for (size_t i = 0; i < 20000; i++)
        assert_int_equal(secret_set(&secrets[i], text, sizeof(text)), 0);
    for (size_t i = 0; i < 20000; i++)
        secret_done(&secrets[i]);
}

/* In a child: no privilege, a limit of one page. */
static void unlocked_heap_is_refused(void **state)
{
    int status = 0;
    pid_t pid;

    (void)state;
    pid = fork();
    if (pid == 0) {
        struct rlimit limit = {4096, 4096};
        struct err err;
        struct secret secret = {0};
        int rc;

        secret_heap_done();
        if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0 || (geteuid() == 0 && setuid(65534) != 0))
            _exit(2);
        rc = secret_heap_init(&err);
        _exit(rc == KMS_ENOMEM && strstr(err.message, "LimitMEMLOCK") != NULL &&
                      secret_set(&secret, "x", 1) == KMS_ENOMEM
                  ? 0
                  : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void wiping_family(void **state)
{
    char *p = wiping_malloc(10), *q;

    (void)state;
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % 16, 0);
    memcpy(p, "123456789", 10);
    p = wiping_realloc(p, 5000);
    assert_string_equal(p, "123456789");
    p = wiping_realloc(p, 4);
    assert_memory_equal(p, "1234", 4);
    assert_null(wiping_realloc(p, 0));
    p = wiping_calloc(3, 5);
    for (int i = 0; i < 15; i++)
        assert_int_equal(p[i], 0);
    wiping_free(p);
    q = wiping_strdup("text");
    assert_string_equal(q, "text");
    wiping_free(q);
    wiping_free(NULL);
    p = wiping_realloc(NULL, 1);
    assert_non_null(p);
    wiping_free(p);
    assert_null(wiping_calloc(SIZE_MAX / 2, 3));
    assert_null(wiping_malloc(SIZE_MAX - 4));
}

/* The bytes must be gone when the block goes back: freed memory is looked at through a block of the
 * same size class, which the C library hands out again. Under a sanitizer freed memory is kept
 * apart, so there is nothing to see. */
static void freed_bytes_are_gone(void **state)
{
    static const char text[] = "wiping-canary-0123456789";
    char *p, *raw;

    (void)state;
    for (int i = 0; i < 64; i++) {
        p = wiping_malloc(64);
        strcpy(p, text);
        wiping_free(p);
        raw = malloc(64 + 16); /* the block and its header */
        assert_non_null(raw);
        assert_null(memmem(raw, 64 + 16, text, sizeof(text) - 1));
        free(raw);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heap_is_locked),
        cmocka_unit_test(contents_are_copied_and_replaced),
        cmocka_unit_test(full_heap_is_an_error),
        cmocka_unit_test(many_small_ones_fit),
        cmocka_unit_test(unlocked_heap_is_refused),
        cmocka_unit_test(wiping_family),
        cmocka_unit_test(freed_bytes_are_gone),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
