/* SPDX-License-Identifier: Apache-2.0 */
/* The pump of the due index: rows become jobs on time and in bounds, pokes, claims that fail or
 * come back late. */
#include "schedule_work.h"

#include <sys/pidfd.h>

static void test_due_rows_become_jobs(void **state)
{
    struct fake *fake = *state;
    int64_t now = clock_aws_ms();
    struct uuid bound = fake_id(2);
    struct err err;

    fake->bound[0] = (struct lease){.id = bound, .state = LEASE_ACTIVE, .process.pid = getpid()};
    fake->bound_count = 1;
    fake_schedule(fake, 64, 100);
    assert_int_equal(schedule_bind(fake->schedule, &bound, pidfd_open(getpid(), 0), &err), 0);
    fake_add_row(fake, 1, DUE_REVOKE, now - 5000);
    fake_add_row(fake, 2, DUE_RENEW, now - 4000);
    fake_add_row(fake, 3, DUE_REVOKE, now + 100);
    fake_add_row(fake, 4, DUE_REVOKE, now - 3000);
    fake->rows[3].row.slow = true;
    assert_int_equal(schedule_start(fake->schedule, &err), 0);
    fake_wait_notes(fake, 4);
    assert_int_equal(fake->claims_recover, 3); /* as long as there is more */
    for (int i = 0; i < 4; i++) {
        const struct fake_note *note = &fake->notes[i];
        unsigned number = fake_number(&note->id);

        assert_int_equal(note->renewal, number == 2);
        assert_int_equal(note->lane, number == 4   ? LANE_BACKGROUND
                                     : number == 2 ? LANE_MINT
                                                   : LANE_REVOKE);
        assert_int_equal(note->reason, REVOKE_NONE);
    }
    /* The one that lay ahead came last, on time. */
    assert_int_equal(fake_number(&fake->notes[3].id), 3);
    fake_turn(fake, 50);
    assert_int_equal(stats_of(fake).oldest_overdue_ms, 0);
}

/* The wall clock of the start may be wrong: what lies near now is another thing once AWS's time is
 * known. */
static void test_recovery_begins_anew_when_the_time_is_known(void **state)
{
    struct fake *fake = *state;
    int64_t now = clock_wall_ms();
    unsigned claims;

    clock_void_offset();
    work_start(fake);
    claims = fake->claims_recover;
    assert_true(claims > 0);
    for (int i = 0; i < 2; i++)
        clock_observe_aws(now + 3600000, now, now);
    schedule_poke(fake->schedule);
    fake_turn(fake, 150);
    assert_true(fake->claims_recover > claims);
    claims = fake->claims_recover;
    now = clock_wall_ms();
    for (int i = 0; i < 2; i++)
        clock_observe_aws(now + 7200000, now, now); /* later it is no start any more */
    schedule_poke(fake->schedule);
    fake_turn(fake, 150);
    assert_int_equal(fake->claims_recover, claims);
    clock_void_offset();
}

/* After a restart of the agent a process may not be found again: then nobody knows whether it
 * lives. */
static void test_no_renewal_of_what_is_not_watched(void **state)
{
    struct fake *fake = *state;

    fake_add_row(fake, 1, DUE_RENEW, clock_aws_ms() - 1);
    work_start(fake);
    fake_turn(fake, 50);
    assert_int_equal(fake_notes(fake), 0);
}

static void test_row_is_on_time(void **state)
{
    struct fake *fake = *state;
    int64_t due;
    unsigned claims;

    work_start(fake);
    claims = fake_claims(fake);
    due = clock_aws_ms() + 300;
    fake_add_row(fake, 1, DUE_REVOKE, due);
    schedule_poke(fake->schedule);
    fake_wait_notes(fake, 1);
    assert_true(clock_aws_ms() >= due);
    assert_true(clock_aws_ms() < due + 1000); /* a loaded machine */
    fake_turn(fake, 100);
    /* The poke, the time itself, and no more than one beside: nothing spins. */
    assert_true(fake_claims(fake) <= claims + 3);
}

/* AWS's clock decides: a row due in ten seconds of the wall clock is due now when AWS is ten
 * seconds ahead. */
static void test_expiry_is_on_aws_time(void **state)
{
    struct fake *fake = *state;
    struct work work;

    work_start(fake);
    fake_add_row(fake, 1, DUE_REVOKE, clock_wall_ms() + 10000);
    schedule_poke(fake->schedule);
    fake_turn(fake, 50);
    assert_int_equal(fake_notes(fake), 0);
    fake_date(10000);
    work_init(fake, &work, 1, 0); /* any job's end: it may have heard of AWS's time */
    assert_int_equal(schedule_submit(fake->schedule, &work.job), 0);
    fake_wait_notes(fake, 2);
    assert_int_equal(fake_number(&fake->notes[1].id), 1);
}

static void *poker_main(void *arg)
{
    for (int i = 0; i < 1000; i++)
        schedule_poke(arg);
    return NULL;
}

static void test_pokes_are_coalesced(void **state)
{
    struct fake *fake = *state;
    pthread_t threads[4];
    unsigned claims;

    work_start(fake);
    claims = fake_claims(fake);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, poker_main, fake->schedule);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    fake_turn(fake, 50);
    assert_int_equal(fake_claims(fake), claims + 1);
}

static void *answer_main(void *arg)
{
    fake_answer_claim(arg);
    return NULL;
}

static void answer_on_a_thread(struct fake *fake)
{
    pthread_t thread;

    pthread_create(&thread, NULL, answer_main, fake->kept);
    pthread_join(thread, NULL);
}

static void test_one_claim_at_a_time(void **state)
{
    struct fake *fake = *state;
    unsigned claims;

    work_start(fake);
    fake->keep_claim = true;
    claims = fake_claims(fake);
    schedule_poke(fake->schedule);
    fake_turn(fake, 20);
    for (int i = 0; i < 5; i++) {
        schedule_poke(fake->schedule);
        fake_turn(fake, 10);
    }
    assert_int_equal(fake_claims(fake), claims + 1);
    pthread_mutex_lock(&fake->lock);
    fake->keep_claim = false;
    pthread_mutex_unlock(&fake->lock);
    answer_on_a_thread(fake);
    fake_turn(fake, 50);
    assert_int_equal(fake_claims(fake), claims + 2); /* for the pokes meanwhile */
}

/* The store answers after the scheduler is gone, or its answer lies in the mailbox then. */
static void test_claim_outlives_the_scheduler(void **state)
{
    struct fake *fake = *state;

    for (int posted = 0; posted < 2; posted++) {
        pthread_mutex_lock(&fake->lock);
        fake->keep_claim = false;
        pthread_mutex_unlock(&fake->lock);
        work_start(fake);
        fake->keep_claim = true;
        schedule_poke(fake->schedule);
        fake_turn(fake, 20);
        if (posted)
            answer_on_a_thread(fake);
        assert_int_equal(schedule_stop(fake->schedule, 5000), 0);
        schedule_poke(fake->schedule);
        schedule_free(fake->schedule);
        schedule_poke(fake->schedule); /* the writer thread may still do so */
        fake->schedule = NULL;
        if (!posted)
            answer_on_a_thread(fake);
        fake_turn(fake, 10);
    }
}

static void test_failed_claims_are_tried_again(void **state)
{
    struct fake *fake = *state;
    unsigned claims;

    work_start(fake);
    pthread_mutex_lock(&fake->lock);
    fake->claim_rc = KMS_ESTORE;
    pthread_mutex_unlock(&fake->lock);
    claims = fake_claims(fake);
    fake_add_row(fake, 1, DUE_REVOKE, clock_aws_ms());
    schedule_poke(fake->schedule);
    fake_turn(fake, 300);
    assert_int_equal(fake_claims(fake), claims + 1);
    pthread_mutex_lock(&fake->lock);
    fake->claim_rc = 0;
    pthread_mutex_unlock(&fake->lock);
    fake_wait_notes(fake, 1);
}

/* Thousands of due rows: bounded memory, each once, in time order of claiming. */
static void test_many_rows(void **state)
{
    enum { COUNT = 2000 };
    struct fake *fake = *state;
    static bool seen[COUNT];
    int64_t now = clock_aws_ms();

    memset(seen, 0, sizeof seen);
    for (unsigned i = 0; i < COUNT; i++)
        fake_add_row(fake, i, DUE_REVOKE, now - 1000);
    fake->work_ms = 1;
    work_start(fake);
    fake_wait_notes(fake, COUNT);
    assert_true(fake->jobs_most <= 256);
    assert_true(fake->most_claimed <= CLAIM_MAX);
    for (size_t i = 0; i < COUNT; i++) {
        assert_false(seen[fake_number(&fake->notes[i].id)]);
        seen[fake_number(&fake->notes[i].id)] = true;
    }
}

/* Neither clean-ups nor stuck leases, however many, keep a key alive. */
static void test_keys_first(void **state)
{
    struct fake *fake = *state;
    int64_t now = clock_aws_ms(), since;
    size_t i;

    for (unsigned n = 0; n < 400; n++) {
        fake_add_row(fake, 1000 + n, DUE_REVOKE, now - 9000);
        fake->rows[n].row.slow = n % 2 == 0;
        fake->rows[n].row.cleanup = true;
    }
    fake->work_ms = 200;
    work_start(fake);
    fake_turn(fake, 100);
    assert_true(fake->jobs_most <= 64 + 16);
    since = clock_boot_ms();
    fake_add_row(fake, 1, DUE_REVOKE, now);
    schedule_poke(fake->schedule);
    for (i = 0; i < 1000 && fake_notes(fake) < 400; i++) {
        fake_turn(fake, 10);
        for (size_t k = 0; k < fake_notes(fake); k++)
            if (fake_number(&fake->notes[k].id) == 1) {
                assert_true(fake->notes[k].at_ms - since < 2000);
                return;
            }
    }
    fail();
}

static void wait_note(struct fake *fake, unsigned number, int64_t since_ms, int64_t limit_ms)
{
    for (;;) {
        for (size_t i = 0; i < fake_notes(fake); i++)
            if (fake_number(&fake->notes[i].id) == number)
                return;
        assert_true(clock_boot_ms() - since_ms < limit_ms);
        fake_turn(fake, 10);
    }
}

/* Calls for thousands of leases of one endpoint hang: keys, renewals and clean-ups of others do not
 * wait for them, whether they were due later or come when all of those are claimed. */
static void test_one_way_holds_up_no_other(void **state)
{
    enum { HUNG = 3000 };
    struct fake *fake = *state;
    int64_t now = clock_aws_ms(), since;

    for (unsigned i = 0; i < HUNG; i++) {
        fake_add_row(fake, 1000 + i, DUE_REVOKE, now - 5000);
        fake->rows[i].row.way = 7;
        fake->rows[i].row.cleanup = i % 8 == 7;
    }
    fake->hang_way = 7;
    fake->hang_ms = 60000;
    for (unsigned n = 1; n <= 8; n++) {
        fake_add_row(fake, n, DUE_REVOKE, now - 4000 + n);
        fake->rows[fake->row_count - 1].row.way = 8;
        fake->rows[fake->row_count - 1].row.cleanup = n == 8;
    }
    since = clock_boot_ms();
    work_start(fake);
    for (unsigned n = 1; n <= 8; n++)
        wait_note(fake, n, since, 2000);
    fake_turn(fake, 500);
    assert_true(fake_notes(fake) <= 16 + 8); /* the threads of one way */
    for (unsigned n = 11; n <= 14; n++) {
        since = clock_boot_ms();
        fake_add_row(fake, n, DUE_REVOKE, clock_aws_ms());
        fake->rows[fake->row_count - 1].row.way = n % 2 == 0 ? 8 : 0;
        schedule_poke(fake->schedule);
        wait_note(fake, n, since, 1000);
    }
    assert_true(fake->jobs_most <= 64);
}

/* What is claimed again while it waits is the same row. */
static void test_a_row_that_waits_is_there_once(void **state)
{
    struct fake *fake = *state;
    int64_t now = clock_aws_ms();

    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < 100; i++) {
            fake_add_row(fake, i, DUE_REVOKE, now - 1000);
            fake->rows[fake->row_count - 1].row.way = 7;
        }
    fake->hang_way = 7;
    fake->hang_ms = 20;
    work_start(fake);
    for (int i = 0; i < 1000 && fake_notes(fake) < 100; i++)
        fake_turn(fake, 10);
    fake_turn(fake, 1000);
    assert_true(fake_notes(fake) >= 100);
    assert_true(fake_notes(fake) < 200); /* only what ran when it came again has to run once more */
}

static void add_while_working(struct fake *fake)
{
    fake->work_ms = 200;
    for (int i = 0; i < 5; i++) {
        fake_add_row(fake, 1, DUE_REVOKE, clock_aws_ms() - 1);
        schedule_poke(fake->schedule);
        fake_turn(fake, 5);
    }
    fake_turn(fake, 600);
}

/* Rows of a lease that came while its job worked may be its next stage: one more job, after it. */
static void test_rows_that_come_meanwhile(void **state)
{
    struct fake *fake = *state;

    work_start(fake);
    add_while_working(fake);
    fake_wait_notes(fake, 2);
    assert_int_equal(fake->busy_most, 1);
}

static void test_no_more_jobs_once_revoked(void **state)
{
    struct fake *fake = *state;

    work_start(fake);
    fake->after = LEASE_REVOKED;
    add_while_working(fake);
    assert_int_equal(fake_notes(fake), 1);
}

static void test_overdue_is_seen(void **state)
{
    struct fake *fake = *state;

    work_start(fake);
    fake->work_ms = 300;
    fake_add_row(fake, 1, DUE_REVOKE, clock_aws_ms());
    schedule_poke(fake->schedule);
    fake_turn(fake, 150);
    assert_true(stats_of(fake).oldest_overdue_ms >= 100);
    for (int i = 0; i < 100 && stats_of(fake).oldest_overdue_ms != 0; i++)
        fake_turn(fake, 50);
    assert_int_equal(stats_of(fake).oldest_overdue_ms, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, work_setup, fake_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_due_rows_become_jobs),
        TEST(test_recovery_begins_anew_when_the_time_is_known),
        TEST(test_no_renewal_of_what_is_not_watched),
        TEST(test_row_is_on_time),
        TEST(test_expiry_is_on_aws_time),
        TEST(test_pokes_are_coalesced),
        TEST(test_one_claim_at_a_time),
        TEST(test_claim_outlives_the_scheduler),
        TEST(test_failed_claims_are_tried_again),
        TEST(test_many_rows),
        TEST(test_keys_first),
        TEST(test_one_way_holds_up_no_other),
        TEST(test_a_row_that_waits_is_there_once),
        TEST(test_rows_that_come_meanwhile),
        TEST(test_no_more_jobs_once_revoked),
        TEST(test_overdue_is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
