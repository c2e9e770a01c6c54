/* SPDX-License-Identifier: Apache-2.0 */
/* Connections per uid and in all, answers not read (front/limits), token buckets per uid
 * (service/rate), long answers under way (service/room). */
#include "front/limits.h"
#include "service/rate.h"
#include "service/room.h"
#include "service/service.h"

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
    for (uint32_t uid = 100; uid < 150; uid++)
        assert_int_equal(limits_take(&limits, uid), 0);
    assert_int_equal(limits_take(&limits, 77), KMS_ELIMIT);
    for (uint32_t uid = 100; uid < 150; uid += 2)
        limits_drop(&limits, uid);
    assert_int_equal(limits.count, 25);
    assert_int_equal(limits.uid_count, 25);
    assert_int_equal(limits_take(&limits, 1), 0);
    limits_drop(&limits, 999); /* was never counted */
    assert_int_equal(limits.count, 26);
    limits_done(&limits);
}

/* Whoever takes all connections does not keep the administrator out. */
static void test_root_gets_in(void **state)
{
    struct limits limits = {0};

    (void)state;
    limits_set(&limits, 20, 30);
    for (int i = 0; i < 20; i++)
        assert_int_equal(limits_take(&limits, 1000), 0);
    assert_int_equal(limits_take(&limits, 1001), KMS_ELIMIT);
    for (int i = 0; i < LIMITS_ROOT_MORE; i++)
        assert_int_equal(limits_take(&limits, 0), 0);
    assert_int_equal(limits_take(&limits, 0), KMS_ELIMIT);
    limits_drop(&limits, 1000);
    assert_int_equal(limits_take(&limits, 1001), KMS_ELIMIT);
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

static void test_unread(void **state)
{
    struct limits limits = {.max_unread = 1000};

    (void)state;
    limits_set(&limits, 10, 5);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(limits_take(&limits, 7), 0);
        assert_int_equal(limits_take(&limits, 8), 0);
    }
    limits_move_unread(&limits, 7, 0, 600);
    assert_false(limits_reads_slowly(&limits, 7));
    limits_move_unread(&limits, 7, 0, 400); /* another connection */
    assert_true(limits_reads_slowly(&limits, 7));
    assert_false(limits_reads_slowly(&limits, 8));
    limits_move_unread(&limits, 7, 600, 100);
    assert_int_equal(limits_unread(&limits, 7), 500);
    limits_drop(&limits, 7);
    limits_drop(&limits, 7);
    limits_move_unread(&limits, 7, 400, 0); /* its last connection is gone */
    assert_int_equal(limits_unread(&limits, 7), 0);
    assert_int_equal(limits_take(&limits, 7), 0);
    assert_int_equal(limits_unread(&limits, 7), 0);
    limits_done(&limits);
}

static unsigned fill_room(struct room *room, uint32_t uid, size_t unread)
{
    struct err err = {0};
    unsigned count = 0;

    while (room_take(room, uid, unread, &err) == 0)
        count++;
    assert_int_equal(err.code, KMS_EBUSY);
    assert_true(err.retry_after_ms > 0);
    return count;
}

static void test_room(void **state)
{
    struct room room = {0};
    unsigned all = fill_room(&room, 7, 0);

    (void)state;
    assert_in_range(all, 16, 64);
    room_give(&room, 7);
    assert_int_equal(fill_room(&room, 7, 0), 1);
    for (uint32_t uid = 100; uid < 150; uid++) /* a uid's are its own */
        assert_int_equal(fill_room(&room, uid, SERVICE_ANSWERS_UID_MAX / 2), all / 2);
    assert_int_equal(fill_room(&room, 8, SERVICE_ANSWERS_UID_MAX), 0);
    for (uint32_t uid = 100; uid < 150; uid++)
        for (unsigned i = 0; i < all / 2; i++)
            room_give(&room, uid);
    while (all-- > 0)
        room_give(&room, 7);
    assert_int_equal(room.count, 0);
    room_give(&room, 7); /* was never counted */
    room_done(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_per_uid),
        cmocka_unit_test(test_total),
        cmocka_unit_test(test_lowered),
        cmocka_unit_test(test_rate_refills),
        cmocka_unit_test(test_rate_is_bounded),
        cmocka_unit_test(test_unread),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_root_gets_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
