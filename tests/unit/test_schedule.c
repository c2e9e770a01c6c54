/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs from submission to done: one job per lease, jobs that wait for their time, stopping. */
#include "schedule_work.h"

/* ---- one job per lease ---- */

static void test_jobs_of_a_lease_take_turns(void **state)
{
    struct fake *fake = *state;
    struct work same[6], other[6];

    fake_schedule(fake, 64, 100);
    fake->work_ms = 10;
    for (int i = 0; i < 6; i++) {
        work_init(fake, &same[i], i, 1);
        assert_int_equal(schedule_submit(fake->schedule, &same[i].job), 0);
    }
    assert_int_equal(stats_of(fake).busy_leases, 1);
    wait_done(fake, &same[5]);
    assert_int_equal(fake->busy_most, 1);
    for (int i = 0; i < 6; i++)
        assert_int_equal(order[i], i);
    assert_int_equal(stats_of(fake).busy_leases, 0);
    /* Leases do not wait for each other. */
    for (int i = 0; i < 6; i++) {
        work_init(fake, &other[i], i, 10 + (unsigned)i);
        assert_int_equal(schedule_submit(fake->schedule, &other[i].job), 0);
    }
    for (int i = 0; i < 6; i++)
        wait_done(fake, &other[i]);
    assert_true(fake->busy_most >= 3);
}

/* A job that waits for its time keeps its lease. */
static void test_waiting_job_keeps_its_lease(void **state)
{
    struct fake *fake = *state;
    struct work first, second;

    fake_schedule(fake, 8, 10);
    work_init(fake, &first, 1, 1);
    first.again = 2;
    first.wait_ms = 30;
    work_init(fake, &second, 2, 1);
    assert_int_equal(schedule_submit(fake->schedule, &first.job), 0);
    assert_int_equal(schedule_submit(fake->schedule, &second.job), 0);
    wait_done(fake, &second);
    assert_int_equal(order[0], 1);
    assert_int_equal(order[1], 1);
    assert_int_equal(order[2], 1);
    assert_int_equal(order[3], 2);
}

static void test_queue_of_a_lease_is_bounded(void **state)
{
    struct fake *fake = *state;
    struct work works[10];

    fake_schedule(fake, 8, 100);
    fake->work_ms = 5;
    for (int i = 0; i < 10; i++) {
        work_init(fake, &works[i], i, 1);
        assert_int_equal(schedule_submit(fake->schedule, &works[i].job), i < 9 ? 0 : KMS_EBUSY);
    }
    wait_done(fake, &works[8]);
    assert_false(works[9].done);
    assert_null(works[9].job.timer);
    /* The refused job stayed ours and may be tried again. */
    assert_int_equal(schedule_submit(fake->schedule, &works[9].job), 0);
    wait_done(fake, &works[9]);
}

/* However many jobs a holder has of its lease: a revocation is taken, comes next, and what runs and
 * yields gives up for it. */
static void test_revocation_of_a_busy_lease(void **state)
{
    struct fake *fake = *state;
    struct work works[9], revocations[2];

    fake_schedule(fake, 8, 100);
    for (int i = 0; i < 9; i++) {
        work_init(fake, &works[i], i, 1);
        works[i].again = 1;
        works[i].wait_ms = i == 0 ? 60000 : 0;
        works[i].job.yields = i == 0;
        assert_int_equal(schedule_submit(fake->schedule, &works[i].job), 0);
    }
    fake_wait_notes(fake, 1);
    for (int i = 0; i < 2; i++) {
        work_init(fake, &revocations[i], 20 + i, 1);
        revocations[i].job.revocation = revocations[i].job.internal = true;
        assert_int_equal(schedule_submit(fake->schedule, &revocations[i].job), 0);
    }
    wait_done(fake, &works[8]);
    assert_true(atomic_load(&works[0].job.yielded));
    assert_false(atomic_load(&works[1].job.canceled));
    assert_int_equal(order[0], 0);
    assert_int_equal(order[1], 0);
    assert_int_equal(order[2], 20);
    assert_int_equal(order[3], 21);
    assert_int_equal(order[4], 1);
}

/* One that yields and has no thread yet does not wait for one. */
static void test_revocation_of_a_lease_whose_job_has_no_thread(void **state)
{
    struct fake *fake = *state;
    struct work other, yielding, revocation;

    fake_schedule(fake, 1, 100);
    fake->work_ms = 500;
    work_init(fake, &other, 0, 1);
    assert_int_equal(schedule_submit(fake->schedule, &other.job), 0);
    fake_wait_notes(fake, 1);
    work_init(fake, &yielding, 1, 2);
    yielding.job.yields = true;
    assert_int_equal(schedule_submit(fake->schedule, &yielding.job), 0);
    work_init(fake, &revocation, 2, 2);
    revocation.job.revocation = revocation.job.internal = true;
    assert_int_equal(schedule_submit(fake->schedule, &revocation.job), 0);
    wait_done(fake, &yielding);
    assert_int_equal(yielding.job.rc, KMS_ECANCELED);
    assert_true(atomic_load(&yielding.job.yielded));
    assert_false(other.done);
    wait_done(fake, &revocation);
    assert_true(other.done);
    assert_int_equal(order[0], 0);
    assert_int_equal(order[1], 2); /* and nothing else ran */
}

static void test_full_lane_leaves_no_trace(void **state)
{
    struct fake *fake = *state;
    struct work works[3];

    fake_schedule(fake, 1, 1);
    fake->work_ms = 20;
    for (int i = 0; i < 3; i++)
        work_init(fake, &works[i], i, 1 + (unsigned)i);
    assert_int_equal(schedule_submit(fake->schedule, &works[0].job), 0);
    fake_wait_notes(fake, 1);
    assert_int_equal(schedule_submit(fake->schedule, &works[1].job), 0);
    assert_int_equal(schedule_submit(fake->schedule, &works[2].job), KMS_EBUSY);
    assert_int_equal(stats_of(fake).busy_leases, 2);
    wait_done(fake, &works[1]);
    assert_int_equal(stats_of(fake).busy_leases, 0);
}

/* done of one job submits the next of the same lease: it comes behind those that wait. */
static void test_done_may_submit(void **state)
{
    struct fake *fake = *state;
    struct work first, second, third;

    fake_schedule(fake, 8, 10);
    work_init(fake, &first, 1, 1);
    work_init(fake, &second, 2, 1);
    work_init(fake, &third, 3, 1);
    first.then = &third.job;
    assert_int_equal(schedule_submit(fake->schedule, &first.job), 0);
    assert_int_equal(schedule_submit(fake->schedule, &second.job), 0);
    wait_done(fake, &third);
    assert_int_equal(order[1], 2);
    assert_int_equal(order[2], 3);
}

/* ---- waiting ---- */

static void test_wakes_on_time(void **state)
{
    struct fake *fake = *state;
    struct work work;
    int64_t begun = clock_boot_ms();

    fake_schedule(fake, 8, 10);
    work_init(fake, &work, 1, 0);
    work.again = 1;
    work.wait_ms = 80;
    assert_int_equal(schedule_submit(fake->schedule, &work.job), 0);
    fake_turn(fake, 30);
    assert_int_equal(stats_of(fake).waiting_jobs, 1);
    assert_int_equal(stats_of(fake).lane_running[LANE_MINT], 0);
    assert_in_range(schedule_next_ms(fake->schedule), begun + 80, begun + 110);
    wait_done(fake, &work);
    assert_true(work.last_ms >= begun + 80);
    assert_true(work.last_ms < begun + 1000);
    assert_int_equal(stats_of(fake).waiting_jobs, 0);
}

static void test_deadline_ends_the_wait(void **state)
{
    struct fake *fake = *state;
    struct work work;

    fake_schedule(fake, 8, 10);
    work_init(fake, &work, 1, 0);
    work.again = 1;
    work.wait_ms = 60000;
    work.job.deadline_ms = clock_boot_ms() + 50;
    assert_int_equal(schedule_submit(fake->schedule, &work.job), 0);
    wait_done(fake, &work);
    assert_true(work.last_ms >= work.job.deadline_ms);
}

static void test_cancel_wakes(void **state)
{
    struct fake *fake = *state;
    struct work work;

    fake_schedule(fake, 8, 10);
    work_init(fake, &work, 1, 1);
    work.again = 1;
    work.wait_ms = 60000;
    assert_int_equal(schedule_submit(fake->schedule, &work.job), 0);
    fake_wait_notes(fake, 1);
    fake_turn(fake, 20);
    schedule_cancel(fake->schedule, &work.job);
    wait_done(fake, &work);
    assert_int_equal(work.ran, 2);
    assert_int_equal(work.done_rc, 0);
}

/* ---- stopping ---- */

static void test_stop_ends_all(void **state)
{
    struct fake *fake = *state;
    struct work running, queued, waiting, behind, late;

    work_start(fake);
    work_init(fake, &running, 1, 1);
    running.work_ms = 50;
    work_init(fake, &queued, 2, 1);
    work_init(fake, &waiting, 3, 2);
    waiting.again = 1;
    waiting.wait_ms = 60000;
    work_init(fake, &behind, 4, 2);
    work_init(fake, &late, 5, 3);
    running.then = &late.job;
    assert_int_equal(schedule_submit(fake->schedule, &waiting.job), 0);
    assert_int_equal(schedule_submit(fake->schedule, &behind.job), 0);
    fake_wait_notes(fake, 1);
    fake_turn(fake, 20);
    assert_int_equal(schedule_submit(fake->schedule, &running.job), 0);
    assert_int_equal(schedule_submit(fake->schedule, &queued.job), 0);
    for (int i = 0; i < 1000 && fake_notes(fake) < 2; i++)
        usleep(1000);
    assert_int_equal(schedule_stop(fake->schedule, 5000), 0);
    assert_true(running.done && queued.done && waiting.done && behind.done);
    assert_int_equal(running.done_rc, 0);
    assert_int_equal(queued.done_rc, KMS_ECANCELED);
    assert_int_equal(waiting.done_rc, KMS_ECANCELED);
    assert_int_equal(behind.done_rc, KMS_ECANCELED);
    assert_int_equal(queued.ran + behind.ran, 0);
    assert_int_equal(running.then_rc, KMS_ESTOPPING);
    assert_int_equal(schedule_submit(fake->schedule, &late.job), KMS_ESTOPPING);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, work_setup, fake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_jobs_of_a_lease_take_turns),
        TEST(test_waiting_job_keeps_its_lease),
        TEST(test_queue_of_a_lease_is_bounded),
        TEST(test_revocation_of_a_busy_lease),
        TEST(test_revocation_of_a_lease_whose_job_has_no_thread),
        TEST(test_full_lane_leaves_no_trace),
        TEST(test_done_may_submit),
        TEST(test_wakes_on_time),
        TEST(test_deadline_ends_the_wait),
        TEST(test_cancel_wakes),
        TEST(test_stop_ends_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
