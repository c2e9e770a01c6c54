/* SPDX-License-Identifier: Apache-2.0 */
/* A job for tests of the scheduler: notes when it ran, waits and works as told. */
#ifndef KMS_TESTS_UNIT_SCHEDULE_WORK_H
#define KMS_TESTS_UNIT_SCHEDULE_WORK_H

#include "schedule_fakes.h"

struct work {
    struct job job;
    struct fake *fake;
    int number;
    int again; /* answers KMS_EAGAIN so often */
    int64_t wait_ms;
    int ran, work_ms;
    int64_t last_ms; /* boot clock of the last run */
    bool done;
    int done_rc;
    struct job *then; /* submitted by done */
    int then_rc;
};

static int order[64];
static atomic_int order_count;

static int work_run(struct job *job, void *worker)
{
    struct work *work = QUEUE_OF(job, struct work, job);

    (void)worker;
    fake_note(job, REVOKE_NONE, false);
    if (work->work_ms > 0)
        usleep((useconds_t)work->work_ms * 1000);
    work->ran++;
    work->last_ms = clock_boot_ms();
    order[atomic_fetch_add(&order_count, 1)] = work->number;
    if (work->ran > work->again || atomic_load(&job->canceled))
        return 0;
    job->wake_ms = clock_boot_ms() + work->wait_ms;
    return KMS_EAGAIN;
}

static void work_done(struct job *job)
{
    struct work *work = QUEUE_OF(job, struct work, job);

    assert_false(work->done);
    work->done = true;
    work->done_rc = job->rc;
    if (work->then != NULL)
        work->then_rc = schedule_submit(work->fake->schedule, work->then);
}

static inline void work_init(struct fake *fake, struct work *work, int number, unsigned lease)
{
    *work = (struct work){.fake = fake, .number = number};
    work->job.lane = LANE_MINT;
    work->job.run = work_run;
    work->job.done = work_done;
    work->job.keyed = lease != 0;
    work->job.lease_id = fake_id(lease);
}

static inline void wait_done(struct fake *fake, const struct work *work)
{
    for (int i = 0; i < 10000 && !work->done; i++)
        fake_turn(fake, 1);
    assert_true(work->done);
}

static inline struct schedule_stats stats_of(struct fake *fake)
{
    struct schedule_stats stats;

    schedule_stats(fake->schedule, &stats);
    return stats;
}

static inline void work_start(struct fake *fake)
{
    struct err err;

    fake_schedule(fake, 64, 100);
    assert_int_equal(schedule_start(fake->schedule, &err), 0);
    fake_turn(fake, 20); /* recovery is over */
}

/* Setup of test programs that use works. */
static inline int work_setup(void **state)
{
    atomic_store(&order_count, 0);
    return fake_setup(state);
}

#endif
