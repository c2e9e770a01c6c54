/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/random.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW_MS 1767323045000LL /* a whole second */

static int64_t wall_ms = NOW_MS, boot_ms = 5000;

static int64_t fake_wall(void *arg)
{
    (void)arg;
    return wall_ms;
}

static int64_t fake_boot(void *arg)
{
    (void)arg;
    return boot_ms;
}

static const struct clock_source fake = {fake_wall, fake_boot, NULL};

static int set_up(void **state)
{
    (void)state;
    wall_ms = NOW_MS;
    clock_set_source(&fake);
    clock_void_offset();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    clock_set_source(NULL);
    clock_void_offset();
    return 0;
}

static void offset_is_learned_and_forgotten(void **state)
{
    int64_t offset = -1;

    (void)state;
    assert_false(clock_offset(&offset));
    assert_int_equal(offset, -1);
    assert_int_equal(clock_aws_ms(), NOW_MS);
    /* Sent at 0, answered at 200 ms: at least 9.8 s ahead, at most 11 s; the nearest to what was
     * known (0). */
    clock_observe_aws(NOW_MS + 10000, NOW_MS, NOW_MS + 200);
    assert_true(clock_offset(&offset));
    assert_int_equal(offset, 9800);
    assert_int_equal(clock_aws_ms(), NOW_MS + 9800);
    clock_void_offset();
    assert_false(clock_offset(NULL));
    assert_int_equal(clock_aws_ms(), NOW_MS);
}

static void jumps_do_not_move_aws_time(void **state)
{
    int64_t offset;

    (void)state;
    clock_observe_aws(NOW_MS + 10000, NOW_MS, NOW_MS + 200);
    wall_ms += 3600000; /* somebody set the clock */
    assert_int_equal(clock_aws_ms(), NOW_MS + 9800);
    clock_doubt_offset();
    assert_false(clock_offset(&offset));
    boot_ms += 5000;
    wall_ms += 5000;
    assert_int_equal(clock_aws_ms(), NOW_MS + 14800);
    /* The next Date, by the new clock. */
    clock_observe_aws(NOW_MS + 15000, wall_ms, wall_ms);
    assert_int_equal(clock_aws_ms(), NOW_MS + 15000);
    assert_true(clock_offset(&offset));
    assert_int_equal(offset, NOW_MS + 15000 - wall_ms);
    boot_ms -= 5000;
}

/* Far from what is known: only when two say so. */
static void one_wrong_date_is_not_believed(void **state)
{
    int64_t offset;

    (void)state;
    clock_observe_aws(NOW_MS, NOW_MS, NOW_MS);
    clock_observe_aws(NOW_MS + 7200000, NOW_MS, NOW_MS);
    assert_false(clock_offset(NULL)); /* in doubt … */
    assert_int_equal(clock_aws_ms(), NOW_MS);
    clock_observe_aws(NOW_MS, NOW_MS, NOW_MS);
    assert_true(clock_offset(&offset)); /* … until the next one */
    assert_int_equal(offset, 0);
    clock_observe_aws(NOW_MS + 7200000, NOW_MS, NOW_MS);
    assert_false(clock_offset(NULL)); /* not: the same as before the last one */
    assert_int_equal(clock_aws_ms(), NOW_MS);
    clock_observe_aws(NOW_MS - 7200000, NOW_MS, NOW_MS);
    assert_false(clock_offset(NULL)); /* these do not agree */
    clock_observe_aws(NOW_MS - 7200000, NOW_MS, NOW_MS);
    assert_true(clock_offset(&offset));
    assert_in_range(offset + 7200000, 0, 1000);
    clock_observe_aws(NOW_MS - 7200000 + 55000, NOW_MS, NOW_MS); /* not far */
    assert_true(clock_offset(&offset));
    assert_in_range(offset + 7200000, 54000, 56000);
}

/* Nothing is known: this host's clock is what a Date is held against. */
static void first_date_that_is_far(void **state)
{
    unsigned doubts = clock_doubts();
    int64_t offset;

    (void)state;
    clock_observe_aws(NOW_MS + 7200000, NOW_MS, NOW_MS);
    assert_false(clock_offset(NULL));
    assert_int_equal(clock_aws_ms(), NOW_MS);
    assert_int_equal(clock_doubts(), doubts + 1);
    clock_observe_aws(NOW_MS + 7200000, NOW_MS - 20, NOW_MS); /* was under way already */
    assert_false(clock_offset(NULL));
    assert_int_equal(clock_doubts(), doubts + 2);
    clock_observe_aws(NOW_MS + 7200000, NOW_MS, NOW_MS);
    assert_true(clock_offset(&offset));
    assert_in_range(offset, 7200000, 7201000);
    assert_int_equal(clock_doubts(), doubts + 2);
}

/* Slow answers leave much open: they agree when one time fits both. */
static void slow_dates_agree(void **state)
{
    (void)state;
    clock_observe_aws(NOW_MS + 7200000, NOW_MS - 20000, NOW_MS);
    clock_observe_aws(NOW_MS + 7200000 + 15000, NOW_MS, NOW_MS + 30000);
    assert_true(clock_offset(NULL));
    assert_in_range(clock_aws_ms(), NOW_MS + 7200000, NOW_MS + 7200000 + 21000);
}

static void time_does_not_tremble(void **state)
{
    int64_t first, offset;

    (void)state;
    clock_observe_aws(NOW_MS, NOW_MS + 500, NOW_MS + 500); /* a perfect clock: 0 */
    assert_true(clock_offset(&first));
    assert_int_equal(first, 0);
    for (int64_t at = 0; at < 1000; at += 100) { /* any moment of the second says the same second */
        clock_observe_aws(NOW_MS, NOW_MS + at, NOW_MS + at);
        assert_true(clock_offset(&offset));
        assert_int_equal(offset, first);
    }
    clock_observe_aws(NOW_MS + 2000, NOW_MS + 500, NOW_MS + 500);
    assert_true(clock_offset(&offset));
    assert_int_equal(offset, 1500);
    clock_observe_aws(NOW_MS + 2000, NOW_MS + 100, NOW_MS + 100); /* a later Date says more */
    assert_true(clock_offset(&offset));
    assert_int_equal(offset, 1900);
}

static void impossible_observations_are_dropped(void **state)
{
    (void)state;
    clock_observe_aws(0, NOW_MS, NOW_MS + 10);
    clock_observe_aws(NOW_MS, NOW_MS, NOW_MS - 1);     /* the clock was set back meanwhile */
    clock_observe_aws(NOW_MS, NOW_MS, NOW_MS + 70000); /* or ahead */
    assert_false(clock_offset(NULL));
}

static void kernel_clocks(void **state)
{
    int64_t boot;

    (void)state;
    clock_set_source(NULL);
    boot = clock_boot_ms();
    assert_true(boot > 0);
    assert_true(clock_boot_ms() >= boot);
    assert_true(clock_wall_ms() > NOW_MS - 86400000LL * 3650);
}

#ifdef KMS_TEST_HOOKS
static void wall_time_is_shifted_by_the_file(void **state)
{
    char path[] = "/tmp/kms-test-clock-XXXXXX";
    int fd = mkstemp(path);
    int64_t shift = 3600000, before, after;

    (void)state;
    assert_true(fd >= 0);
    clock_set_source(NULL);
    assert_int_equal(pwrite(fd, &shift, sizeof(shift), 0), (ssize_t)sizeof(shift));
    setenv("KMS_TEST_CLOCK", path, 1);
    before = clock_wall_ms();
    clock_init();
    after = clock_wall_ms();
    assert_true(after - before >= 3600000 && after - before < 3605000);
    shift = 7200000;
    assert_int_equal(pwrite(fd, &shift, sizeof(shift), 0), (ssize_t)sizeof(shift));
    assert_true(clock_wall_ms() - before >= 7200000); /* seen without a further call */
    shift = 0;
    assert_int_equal(pwrite(fd, &shift, sizeof(shift), 0), (ssize_t)sizeof(shift));
    close(fd);
    unlink(path);
}
#endif

static void fill_pattern(void *buf, size_t len, void *arg)
{
    unsigned char *next = arg;

    memset(buf, *next, len);
    (*next)++;
}

static void random_seam(void **state)
{
    unsigned char next = 0xff, bytes[4];
    struct uuid id;

    (void)state;
    assert_int_equal(random_below(0), 0);
    assert_int_equal(random_below(1), 0);
    for (int i = 0; i < 1000; i++)
        assert_true(random_below(7) < 7);
    random_set_source(fill_pattern, &next);
    /* 0xff… lies in the biased tail of 10 and is drawn again. */
    assert_int_equal(random_below(10), 0);
    next = 9;
    random_bytes(bytes, sizeof(bytes));
    assert_int_equal(bytes[3], 9);
    id = random_uuid7();
    random_set_source(NULL, NULL);
    /* 48 bits of wall time come first. */
    assert_int_equal((int64_t)id.bytes[0] << 40 | (int64_t)id.bytes[1] << 32 |
                         (int64_t)id.bytes[2] << 24 | (int64_t)id.bytes[3] << 16 |
                         (int64_t)id.bytes[4] << 8 | (int64_t)id.bytes[5],
                     NOW_MS);
}

/* Readings of the clocks, of which one is followed by 14 ms without a processor. */
static int readings_left;

static int64_t torn(int64_t *clock_ms)
{
    int64_t now = *clock_ms;

    if (readings_left-- == 0) {
        wall_ms += 14;
        boot_ms += 14;
    }
    return now;
}

static int64_t torn_wall(void *arg)
{
    (void)arg;
    return torn(&wall_ms);
}

static int64_t torn_boot(void *arg)
{
    (void)arg;
    return torn(&boot_ms);
}

static void a_lost_processor_does_not_move_aws_time(void **state)
{
    const struct clock_source source = {torn_wall, torn_boot, NULL};

    (void)state;
    for (int after = 0; after < 4; after++) {
        set_up(NULL);
        clock_observe_aws(NOW_MS, NOW_MS, NOW_MS); /* the clocks agree */
        clock_set_source(&source);
        readings_left = after;
        clock_observe_aws(NOW_MS, NOW_MS, NOW_MS);        /* neither more … */
        clock_observe_aws(NOW_MS - 1000, NOW_MS, NOW_MS); /* … nor less */
        clock_set_source(&fake);
        assert_int_equal(clock_aws_ms(), wall_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(offset_is_learned_and_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(jumps_do_not_move_aws_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_wrong_date_is_not_believed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(first_date_that_is_far, set_up, tear_down),
        cmocka_unit_test_setup_teardown(slow_dates_agree, set_up, tear_down),
        cmocka_unit_test_setup_teardown(time_does_not_tremble, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_processor_does_not_move_aws_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(impossible_observations_are_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(kernel_clocks, set_up, tear_down),
#ifdef KMS_TEST_HOOKS
        cmocka_unit_test_setup_teardown(wall_time_is_shifted_by_the_file, set_up, tear_down),
#endif
        cmocka_unit_test_setup_teardown(random_seam, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
