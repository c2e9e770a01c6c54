/* SPDX-License-Identifier: Apache-2.0 */
/* AWS's time and the wall clock: expiries held back, jumps; and time driven by hand, as a simulator
 * does. */
#include "schedule_work.h"

static void add_expiry(struct fake *fake, unsigned number, int64_t at_ms)
{
    fake_add_row(fake, number, DUE_REVOKE, at_ms);
    pthread_mutex_lock(&fake->lock);
    fake->rows[fake->row_count - 1].expiry = true;
    pthread_mutex_unlock(&fake->lock);
}

static void test_expiries_wait_for_aws_time(void **state)
{
    struct fake *fake = *state;
    struct work work;

    add_expiry(fake, 1, clock_aws_ms() - 1000);
    fake_add_row(fake, 2, DUE_REVOKE, clock_aws_ms() - 1000);
    work_start(fake);
    fake_wait_notes(fake, 1);
    fake_turn(fake, 100);
    assert_int_equal(fake_notes(fake), 1);
    assert_int_equal(fake_number(&fake->notes[0].id), 2);
    /* A job hears of AWS's time. */
    fake_date(0);
    work_init(fake, &work, 1, 0);
    assert_int_equal(schedule_submit(fake->schedule, &work.job), 0);
    fake_wait_notes(fake, 3);
    assert_int_equal(fake_number(&fake->notes[2].id), 1);
}

static void test_jump_voids_the_offset(void **state)
{
    struct fake *fake = *state;
    struct work work;
    unsigned holds;

#ifndef KMS_TEST_HOOKS
    skip(); /* without the hooks only the kernel tells of a jump, and it knows nothing of this one
             */
#endif
    fake_date(0);
    work_start(fake);
    add_expiry(fake, 1, clock_aws_ms() + 1800 * 1000);
    schedule_poke(fake->schedule);
    fake_turn(fake, 50);
    holds = fake->claims_hold;
    assert_int_equal(holds, 0);
    /* An hour ahead: by the wall clock the lease has ended. */
    atomic_store(&fake_shift_ms, 3600 * 1000);
    fake_turn(fake, 200);
    assert_false(clock_offset(NULL));
    assert_true(fake->claims_hold > 0);
    assert_int_equal(fake_notes(fake), 0);
    /* AWS says it has not. */
    fake_date(-3600 * 1000);
    work_init(fake, &work, 1, 0);
    assert_int_equal(schedule_submit(fake->schedule, &work.job), 0);
    fake_turn(fake, 200);
    assert_int_equal(fake_notes(fake), 1);
    /* And back: nothing is early or lost either. */
    atomic_store(&fake_shift_ms, 0);
    fake_turn(fake, 200);
    assert_false(clock_offset(NULL));
    fake_date(0);
    assert_int_equal(fake_notes(fake), 1);
}

/* ---- by hand, as a simulator does ---- */

static _Atomic int64_t hand_ms;

static int64_t hand_clock(void *arg)
{
    (void)arg;
    return atomic_load(&hand_ms);
}

static void test_driven_by_hand(void **state)
{
    static const struct clock_source source = {hand_clock, hand_clock, NULL};
    struct fake *fake = *state;
    struct work work;
    struct err err;
    int context;

    atomic_store(&hand_ms, 1000000);
    clock_set_source(&source);
    fake_schedule(fake, 0, 10);
    fake_date(0);
    assert_int_equal(schedule_start(fake->schedule, &err), 0);
    event_base_loop(fake->base, EVLOOP_NONBLOCK);
    while (schedule_run_one(fake->schedule, &context, 0))
        event_base_loop(fake->base, EVLOOP_NONBLOCK); /* the scan of bound leases */
    work_init(fake, &work, 1, 1);
    work.again = 1;
    work.wait_ms = 3600 * 1000;
    assert_int_equal(schedule_submit(fake->schedule, &work.job), 0);
    assert_true(schedule_run_one(fake->schedule, &context, 5));
    event_base_loop(fake->base, EVLOOP_NONBLOCK);
    assert_false(schedule_run_one(fake->schedule, &context, 0));
    assert_int_equal(schedule_next_ms(fake->schedule), 1000000 + 3600 * 1000);
    fake_add_row(fake, 7, DUE_REVOKE, 1000000 + 1800 * 1000);
    atomic_store(&hand_ms, 1000000 + 1800 * 1000);
    schedule_advance(fake->schedule);
    event_base_loop(fake->base, EVLOOP_NONBLOCK);
    assert_true(schedule_run_one(fake->schedule, &context, 0));
    assert_int_equal(fake_number(&fake->notes[1].id), 7);
    event_base_loop(fake->base, EVLOOP_NONBLOCK);
    assert_false(schedule_run_one(fake->schedule, &context, 0));
    atomic_store(&hand_ms, schedule_next_ms(fake->schedule));
    schedule_advance(fake->schedule);
    assert_true(schedule_run_one(fake->schedule, &context, 0));
    event_base_loop(fake->base, EVLOOP_NONBLOCK);
    assert_true(work.done);
    assert_int_equal(work.ran, 2);
}

static void test_hold_ends_after_a_minute(void **state)
{
    static const struct clock_source source = {hand_clock, hand_clock, NULL};
    struct fake *fake = *state;
    struct err err;
    int context;

    atomic_store(&hand_ms, 1000000);
    clock_set_source(&source);
    fake_schedule(fake, 0, 10);
    assert_int_equal(schedule_start(fake->schedule, &err), 0);
    event_base_loop(fake->base, EVLOOP_NONBLOCK);
    while (schedule_run_one(fake->schedule, &context, 0))
        event_base_loop(fake->base, EVLOOP_NONBLOCK);
    add_expiry(fake, 1, 1000000);
    atomic_store(&hand_ms, 1000000 + 59000);
    schedule_advance(fake->schedule);
    event_base_loop(fake->base, EVLOOP_NONBLOCK);
    assert_false(schedule_run_one(fake->schedule, &context, 0));
    atomic_store(&hand_ms, 1000000 + 60000);
    schedule_advance(fake->schedule);
    event_base_loop(fake->base, EVLOOP_NONBLOCK);
    assert_true(schedule_run_one(fake->schedule, &context, 0));
    assert_int_equal(fake_notes(fake), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, work_setup, fake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_expiries_wait_for_aws_time),
        TEST(test_jump_voids_the_offset),
        TEST(test_driven_by_hand),
        TEST(test_hold_ends_after_a_minute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
