/* SPDX-License-Identifier: Apache-2.0 */
/* How RLIMIT_NOFILE is shared out between the agent, connections and bound processes. */
#include "base/descriptors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

/* Lowers the hard limit, which is not given back: each test has a lower one than the test before.
 */
static void set_limit(rlim_t soft, rlim_t hard)
{
    const struct rlimit limit = {soft, hard};

    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void check_sum(unsigned connections, unsigned limit)
{
    assert_true(descriptors_bound_max() + connections * DESCRIPTORS_OF_CONNECTION <= limit);
}

static void test_soft_limit_is_raised(void **state)
{
    struct rlimit limit;

    (void)state;
    assert_true(descriptors_take_bound()); /* nothing is shared out yet */
    descriptors_give_bound();
    set_limit(256, 4096);
    assert_int_equal(descriptors_share_out(100), 100);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(limit.rlim_cur, 4096);
    assert_int_equal(descriptors_bound_max(), 4096 - DESCRIPTORS_RESERVED - 200);
}

/* However many connections are configured, half is left for processes. */
static void test_connections_get_half(void **state)
{
    unsigned usable = 4000 - DESCRIPTORS_RESERVED;

    (void)state;
    set_limit(4000, 4000);
    assert_int_equal(descriptors_share_out(65536), usable / 4);
    assert_in_range(descriptors_bound_max(), usable / 2, usable / 2 + 1);
}

static void test_bound_are_counted(void **state)
{
    struct err err = {0};
    unsigned most;

    (void)state;
    set_limit(2000, 2000);
    assert_int_equal(descriptors_share_out(64), 64);
    most = descriptors_bound_max();
    for (unsigned i = 0; i < most; i++)
        assert_true(descriptors_take_bound());
    assert_false(descriptors_take_bound());
    assert_int_equal(descriptors_bound(), most);
    assert_int_equal(descriptors_refuse(&err), KMS_ELIMIT);
    assert_non_null(strstr(err.message, "LimitNOFILE"));
    descriptors_give_bound();
    assert_true(descriptors_take_bound());
    for (unsigned i = 0; i < most; i++)
        descriptors_give_bound();
    assert_int_equal(descriptors_bound(), 0);
}

/* A reload that allows more connections does not give them what processes have already; one that
 * allows as many as before takes none of these away. */
static void test_more_connections_later(void **state)
{
    unsigned usable = 1900 - DESCRIPTORS_RESERVED, connections, bound;

    (void)state;
    set_limit(1900, 1900);
    assert_int_equal(descriptors_share_out(64), 64);
    while (descriptors_take_bound())
        ;
    bound = descriptors_bound();
    connections = descriptors_share_out(1024);
    assert_int_equal(connections, 64);
    assert_true(bound + connections * DESCRIPTORS_OF_CONNECTION <= usable);
    for (unsigned i = 0; i < bound; i++)
        descriptors_give_bound();
    assert_int_equal(descriptors_share_out(1024), usable / 4);
}

static void test_small_limit(void **state)
{
    unsigned connections;

    (void)state;
    set_limit(600, 600);
    connections = descriptors_share_out(1024);
    assert_int_equal(connections, 75);
    check_sum(connections, 300);
    set_limit(64, 64);
    connections = descriptors_share_out(1024);
    assert_int_equal(connections, 8);
    check_sum(connections, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_soft_limit_is_raised), cmocka_unit_test(test_connections_get_half),
        cmocka_unit_test(test_bound_are_counted),    cmocka_unit_test(test_more_connections_later),
        cmocka_unit_test(test_small_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
