/* SPDX-License-Identifier: Apache-2.0 */
/* Connections per uid and in all (front/limits), token buckets per uid (service/rate). */
#include "front/limits.h"
#include "service/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_per_uid(void **state)
{
    struct limits limits = {0};

    (void)state;
    limits_set(&limits, 100, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(limits_take(&limits, 1000), 0);
    assert_int_equal(limits_take(&limits, 1000), KMS_ELIMIT);
    assert_int_equal(limits_take(&limits, 1001), 0);
    limits_drop(&limits, 1000);
    assert_int_equal(limits_take(&limits, 1000), 0);
    assert_int_equal(limits_take(&limits, 1000), KMS_ELIMIT);
    assert_int_equal(limits.count, 4);
    limits_done(&limits);
}

static void test_total(void **state)
{
    struct limits limits = {0};

    (void)state;
    limits_set(&limits, 50, 10);
    for (uint32_t uid = 0; uid < 50; uid++)
        assert_int_equal(limits_take(&limits, uid), 0);
    assert_int_equal(limits_take(&limits, 77), KMS_ELIMIT);
    for (uint32_t uid = 0; uid < 50; uid += 2)
        limits_drop(&limits, uid);
    assert_int_equal(limits.count, 25);
    assert_int_equal(limits.uid_count, 25);
    assert_int_equal(limits_take(&limits, 1), 0);
    limits_drop(&limits, 999); /* was never counted */
    assert_int_equal(limits.count, 26);
    limits_done(&limits);
}

/* A reload that lowers the limits closes nothing and lets nobody new in until there is room. */
static void test_lowered(void **state)
{
    struct limits limits = {0};

    (void)state;
    limits_set(&limits, 10, 10);
    for (int i = 0; i < 5; i++)
        assert_int_equal(limits_take(&limits, 5), 0);
    limits_set(&limits, 10, 3);
    assert_int_equal(limits_take(&limits, 5), KMS_ELIMIT);
    for (int i = 0; i < 3; i++)
        limits_drop(&limits, 5);
    assert_int_equal(limits_take(&limits, 5), 0);
    limits_set(&limits, 10, 0);
    assert_int_equal(limits_take(&limits, 6), KMS_ELIMIT);
    limits_done(&limits);
}

static struct rate rate;

static void test_rate_refills(void **state)
{
    uint32_t suppressed = 0;
    int64_t wait_ms = 0;

    (void)state;
    rate = (struct rate){0};
    for (int i = 0; i < 10; i++)
        assert_true(rate_take(&rate, 1, 2, 10, 1000, &suppressed, &wait_ms));
    assert_false(rate_take(&rate, 1, 2, 10, 1000, &suppressed, &wait_ms));
    assert_in_range(wait_ms, 500, 501);
    assert_false(rate_take(&rate, 1, 2, 10, 1400, &suppressed, &wait_ms));
    assert_true(rate_take(&rate, 2, 2, 10, 1400, &suppressed, &wait_ms));
    assert_int_equal(suppressed, 0);
    assert_true(rate_take(&rate, 1, 2, 10, 1501, &suppressed, &wait_ms));
    assert_int_equal(suppressed, 2);
    assert_false(rate_take(&rate, 1, 2, 10, 1501, &suppressed, &wait_ms));
}

/* More uids than buckets: the rest share one, nobody is forgotten while below the burst. */
static void test_rate_is_bounded(void **state)
{
    (void)state;
    rate = (struct rate){0};
    for (uint32_t uid = 0; uid < RATE_UIDS_MAX; uid++)
        for (int i = 0; i < 2; i++)
            assert_true(rate_take(&rate, uid, 1, 2, 5, NULL, NULL));
    assert_true(rate_take(&rate, 10001, 1, 2, 5, NULL, NULL));
    assert_true(rate_take(&rate, 10002, 1, 2, 5, NULL, NULL));
    assert_false(rate_take(&rate, 10003, 1, 2, 5, NULL, NULL));
    assert_false(rate_take(&rate, 0, 1, 2, 5, NULL, NULL));
    /* Two seconds later all are full again and make room. */
    assert_true(rate_take(&rate, 10004, 1, 2, 2005, NULL, NULL));
    assert_true(rate_take(&rate, 10004, 1, 2, 2005, NULL, NULL));
    assert_false(rate_take(&rate, 10004, 1, 2, 2005, NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_per_uid),         cmocka_unit_test(test_total),
        cmocka_unit_test(test_lowered),         cmocka_unit_test(test_rate_refills),
        cmocka_unit_test(test_rate_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
