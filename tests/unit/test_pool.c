/* SPDX-License-Identifier: Apache-2.0 */
/* The worker pool: lanes, busy, order, cancel, waiting jobs, threads that come and go, stress. */
#include "job/job.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct rig {
    struct event_base *base;
    struct mailbox *mailbox;
    struct pool *pool;
    sem_t gate; /* blocking jobs wait here */
    atomic_int running, begun, contexts;
    atomic_bool no_context;
    unsigned finished, waited;
    unsigned finished_at_socket;
    unsigned order[64]; /* numbers of finished jobs */
};

struct task {
    struct job job;
    struct rig *rig;
    unsigned number;
    int step, steps; /* answers KMS_EAGAIN until step == steps */
    int done_rc;
    bool done;
};

static int run_block(struct job *job, void *context)
{
    struct task *task = (struct task *)job;

    (void)context;
    atomic_fetch_add(&task->rig->begun, 1);
    atomic_fetch_add(&task->rig->running, 1);
    while (!atomic_load(&job->canceled)) {
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 5000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000;
        }
        if (sem_timedwait(&task->rig->gate, &until) == 0)
            break;
    }
    atomic_fetch_sub(&task->rig->running, 1);
    return 0;
}

static int run_steps(struct job *job, void *context)
{
    struct task *task = (struct task *)job;

    (void)context;
    atomic_fetch_add(&task->rig->begun, 1);
    return task->step++ < task->steps ? KMS_EAGAIN : 0;
}

static void on_done(struct job *job)
{
    struct task *task = (struct task *)job;

    assert_false(task->done);
    task->done = true;
    task->done_rc = job->rc;
}

static void on_waiting(struct job *job, void *arg)
{
    struct rig *rig = arg;

    rig->waited++;
    assert_int_equal(pool_submit(rig->pool, job, true), 0);
}

static void on_finished(struct job *job, void *arg)
{
    struct rig *rig = arg;

    if (rig->finished < 64)
        rig->order[rig->finished] = ((struct task *)job)->number;
    rig->finished++;
    job->done(job);
}

static void *context_new(void *arg)
{
    struct rig *rig = arg;

    if (atomic_load(&rig->no_context))
        return NULL;
    atomic_fetch_add(&rig->contexts, 1);
    return rig;
}

static void context_free(void *context)
{
    struct rig *rig = context;

    atomic_fetch_sub(&rig->contexts, 1);
}

static struct rig *rig_new(unsigned threads_max, unsigned queue_max, unsigned idle_ms)
{
    struct rig *rig = calloc(1, sizeof *rig);
    struct pool_options options = {.threads_max = threads_max,
                                   .queue_max = queue_max,
                                   .idle_ms = idle_ms,
                                   .context_new = context_new,
                                   .context_free = context_free,
                                   .arg = rig,
                                   .waiting = on_waiting,
                                   .finished = on_finished,
                                   .callback_arg = rig};
    struct err err;

    sem_init(&rig->gate, 0, 0);
    rig->base = event_base_new();
    assert_int_equal(mailbox_new(rig->base, &rig->mailbox, &err), 0);
    options.mailbox = rig->mailbox;
    assert_int_equal(pool_new(&options, &rig->pool, &err), 0);
    return rig;
}

/* As main does: the pool first, then the mailbox that may still hold the pool's mail. */
static void rig_free(struct rig *rig)
{
    assert_int_equal(pool_stop(rig->pool, 10000), 0);
    pool_free(rig->pool);
    mailbox_free(rig->mailbox);
    event_base_free(rig->base);
    assert_int_equal(atomic_load(&rig->contexts), 0);
    sem_destroy(&rig->gate);
    free(rig);
}

static int submit(struct rig *rig, struct task *task, enum job_lane lane, job_run_fn *run)
{
    task->rig = rig;
    task->job.lane = lane;
    task->job.run = run;
    task->job.done = on_done;
    return pool_submit(rig->pool, &task->job, false);
}

/* Turns the loop until value reaches target (10 s at most). */
static void wait_for(struct rig *rig, const atomic_int *value, int target)
{
    for (int i = 0; i < 10000 && atomic_load(value) != target; i++) {
        event_base_loop(rig->base, EVLOOP_NONBLOCK);
        usleep(1000);
    }
    assert_int_equal(atomic_load(value), target);
}

static void wait_finished(struct rig *rig, unsigned target)
{
    for (int i = 0; i < 20000 && rig->finished < target; i++) {
        event_base_loop(rig->base, EVLOOP_NONBLOCK);
        usleep(1000);
    }
    assert_int_equal(rig->finished, target);
}

static void test_full_mint_lane_never_delays(void **state)
{
    struct rig *rig = rig_new(64, 200, 0);
    struct task mints[100] = {0}, revokes[8] = {0}, sessions[8] = {0}, sweeps[2] = {0};
    unsigned waiting, running;

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(submit(rig, &mints[i], LANE_MINT, run_block), 0);
    wait_for(rig, &rig->running, 64 - 8 - 8 - 2);
    pool_load(rig->pool, LANE_MINT, &waiting, &running);
    assert_int_equal(running, 46);
    assert_int_equal(waiting, 54);
    /* Each other lane starts its whole reserve at once, whatever the order. */
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(submit(rig, &sweeps[i], LANE_BACKGROUND, run_block), 0);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(submit(rig, &sessions[i], LANE_SESSION, run_block), 0);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(submit(rig, &revokes[i], LANE_REVOKE, run_block), 0);
    wait_for(rig, &rig->running, 64);
    pool_load(rig->pool, LANE_REVOKE, &waiting, &running);
    assert_int_equal(running, 8);
    assert_int_equal(waiting, 0);
    for (unsigned i = 0; i < 118; i++)
        sem_post(&rig->gate);
    wait_finished(rig, 118);
    for (unsigned i = 0; i < 100; i++)
        assert_true(mints[i].done && mints[i].done_rc == 0);
    rig_free(rig);
}

static void test_idle_lane_uses_the_rest(void **state)
{
    struct rig *rig = rig_new(64, 200, 0);
    struct task revokes[70] = {0};

    (void)state;
    for (unsigned i = 0; i < 70; i++)
        assert_int_equal(submit(rig, &revokes[i], LANE_REVOKE, run_block), 0);
    wait_for(rig, &rig->running, 64 - 8 - 8 - 2);
    for (unsigned i = 0; i < 70; i++)
        sem_post(&rig->gate);
    wait_finished(rig, 70);
    rig_free(rig);
}

/* Calls to one endpoint that hang, however many and for whatever, leave threads to the others. */
static void test_a_way_that_hangs_gets_a_part(void **state)
{
    struct rig *rig = rig_new(64, 200, 0);
    struct task revokes[100] = {0}, mints[100] = {0}, sweeps[100] = {0}, others[40] = {0};
    unsigned waiting, running;

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        revokes[i].job.way = mints[i].job.way = sweeps[i].job.way = 7;
        assert_int_equal(submit(rig, &revokes[i], LANE_REVOKE, run_block), 0);
    }
    wait_for(rig, &rig->running, 16);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(submit(rig, &mints[i], LANE_MINT, run_block), 0);
        assert_int_equal(submit(rig, &sweeps[i], LANE_BACKGROUND, run_block), 0);
    }
    wait_for(rig, &rig->running, 32);
    pool_load(rig->pool, LANE_REVOKE, &waiting, &running);
    assert_int_equal(running, 16);
    assert_int_equal(waiting, 84);
    for (unsigned i = 0; i < 40; i++) {
        others[i].job.way = 8 + i % 2;
        assert_int_equal(submit(rig, &others[i], i % LANE_COUNT, run_steps), 0);
    }
    wait_finished(rig, 40);
    assert_int_equal(atomic_load(&rig->running), 32);
    for (unsigned i = 0; i < 300; i++)
        sem_post(&rig->gate);
    wait_finished(rig, 340); /* and each that ends lets the next one in */
    rig_free(rig);
}

/* The ways of a lane take turns, and what somebody waits for goes before all that is new. */
static void test_ways_take_turns(void **state)
{
    static const struct {
        uint32_t way;
        bool first;
        unsigned position;
    } rows[] = {{7, false, 2}, {7, false, 4}, {7, false, 6},
                {8, false, 3}, {8, false, 5}, {0, true, 1}};
    struct rig *rig = rig_new(1, 10, 0);
    struct task blocker = {0}, tasks[6] = {0};

    (void)state;
    assert_int_equal(submit(rig, &blocker, LANE_REVOKE, run_block), 0);
    wait_for(rig, &rig->running, 1);
    for (unsigned i = 0; i < 6; i++) {
        tasks[i].number = rows[i].position;
        tasks[i].job.way = rows[i].way;
        tasks[i].job.first = rows[i].first;
        assert_int_equal(submit(rig, &tasks[i], LANE_REVOKE, run_steps), 0);
    }
    sem_post(&rig->gate);
    wait_finished(rig, 7);
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(rig->order[i], i);
    rig_free(rig);
}

static void test_one_thread_serves_all_lanes(void **state)
{
    struct rig *rig = rig_new(1, 10, 0);
    struct task tasks[LANE_COUNT] = {0};

    (void)state;
    for (unsigned i = 0; i < LANE_COUNT; i++)
        assert_int_equal(submit(rig, &tasks[i], i, run_steps), 0);
    wait_finished(rig, LANE_COUNT);
    rig_free(rig);
}

static void test_busy_at_once(void **state)
{
    struct rig *rig = rig_new(1, 3, 0);
    struct task tasks[6] = {0};

    (void)state;
    assert_int_equal(submit(rig, &tasks[0], LANE_MINT, run_block), 0);
    wait_for(rig, &rig->running, 1);
    for (unsigned i = 1; i < 4; i++)
        assert_int_equal(submit(rig, &tasks[i], LANE_MINT, run_block), 0);
    assert_int_equal(submit(rig, &tasks[4], LANE_MINT, run_block), KMS_EBUSY);
    /* Other lanes and the agent's own work are not refused. */
    assert_int_equal(submit(rig, &tasks[4], LANE_REVOKE, run_block), 0);
    tasks[5].job.internal = true;
    assert_int_equal(submit(rig, &tasks[5], LANE_MINT, run_block), 0);
    for (unsigned i = 0; i < 6; i++)
        sem_post(&rig->gate);
    wait_finished(rig, 6);
    rig_free(rig);
}

/* One thread: the order of running is the order of finishing. */
static void test_order(void **state)
{
    static const struct {
        enum job_lane lane;
        unsigned position;
    } rows[] = {
        {LANE_BACKGROUND, 5}, {LANE_MINT, 3}, {LANE_MINT, 4}, {LANE_SESSION, 2}, {LANE_REVOKE, 1}};
    struct rig *rig = rig_new(1, 10, 0);
    struct task blocker = {0}, tasks[5] = {0};

    (void)state;
    assert_int_equal(submit(rig, &blocker, LANE_MINT, run_block), 0);
    wait_for(rig, &rig->running, 1);
    for (unsigned i = 0; i < 5; i++) {
        tasks[i].number = rows[i].position;
        assert_int_equal(submit(rig, &tasks[i], rows[i].lane, run_steps), 0);
    }
    sem_post(&rig->gate);
    wait_finished(rig, 6);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(rig->order[i], i);
    rig_free(rig);
}

static void test_eagain_comes_back_in_front(void **state)
{
    struct rig *rig = rig_new(0, 10, 0);
    struct task first = {.number = 1, .steps = 2}, second = {.number = 2}, third = {.number = 3};

    (void)state;
    assert_int_equal(submit(rig, &first, LANE_MINT, run_steps), 0);
    assert_int_equal(submit(rig, &second, LANE_MINT, run_steps), 0);
    assert_int_equal(submit(rig, &third, LANE_MINT, run_steps), 0);
    for (int i = 0; i < 5; i++) {
        assert_true(pool_run_one(rig->pool, NULL, 0));
        event_base_loop(rig->base, EVLOOP_NONBLOCK);
    }
    assert_false(pool_run_one(rig->pool, NULL, 0));
    assert_int_equal(rig->waited, 2);
    assert_int_equal(rig->finished, 3);
    assert_int_equal(rig->order[0], 1);
    assert_int_equal(rig->order[1], 2);
    assert_int_equal(first.step, 3);
    rig_free(rig);
}

static void test_run_one_picks(void **state)
{
    struct rig *rig = rig_new(0, 10, 0);
    struct task tasks[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};

    (void)state;
    assert_int_equal(submit(rig, &tasks[0], LANE_REVOKE, run_steps), 0);
    for (unsigned i = 1; i < 4; i++)
        assert_int_equal(submit(rig, &tasks[i], LANE_MINT, run_steps), 0);
    assert_true(pool_run_one(rig->pool, NULL, 6)); /* 6 % 4: tasks[2] */
    assert_true(pool_run_one(rig->pool, NULL, 2)); /* of 0, 1, 3: tasks[3] */
    assert_true(pool_run_one(rig->pool, NULL, 1));
    assert_true(pool_run_one(rig->pool, NULL, 7));
    wait_finished(rig, 4);
    assert_int_equal(rig->order[0], 2);
    assert_int_equal(rig->order[1], 3);
    assert_int_equal(rig->order[2], 1);
    assert_int_equal(rig->order[3], 0);
    rig_free(rig);
}

static void test_cancel_reaches_a_running_job(void **state)
{
    struct rig *rig = rig_new(2, 10, 0);
    struct task task = {0};

    (void)state;
    assert_int_equal(submit(rig, &task, LANE_MINT, run_block), 0);
    wait_for(rig, &rig->running, 1);
    atomic_store(&task.job.canceled, true);
    wait_finished(rig, 1);
    rig_free(rig);
}

static void test_stop(void **state)
{
    struct rig *rig = rig_new(1, 10, 0);
    struct task running = {0}, queued[3] = {0}, late = {0};

    (void)state;
    assert_int_equal(submit(rig, &running, LANE_MINT, run_block), 0);
    wait_for(rig, &rig->running, 1);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(submit(rig, &queued[i], i, run_block), 0);
    assert_int_equal(pool_stop(rig->pool, 10000), 0);
    assert_true(running.done);
    assert_int_equal(running.done_rc, 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(queued[i].done);
        assert_int_equal(queued[i].done_rc, KMS_ECANCELED);
    }
    assert_int_equal(atomic_load(&rig->begun), 1);
    assert_int_equal(submit(rig, &late, LANE_MINT, run_block), KMS_ESTOPPING);
    rig_free(rig);
}

static int run_until_gate(struct job *job, void *context)
{
    struct task *task = (struct task *)job;

    (void)context;
    atomic_fetch_add(&task->rig->running, 1);
    sem_wait(&task->rig->gate);
    return KMS_EAGAIN;
}

/* A job that does not listen: stop does not hang, and says so. What would have to wait has ended
 * instead. */
static void test_stop_is_bounded(void **state)
{
    struct rig *rig = rig_new(2, 10, 0);
    struct task deaf = {0};

    (void)state;
    assert_int_equal(submit(rig, &deaf, LANE_MINT, run_until_gate), 0);
    wait_for(rig, &rig->running, 1);
    assert_int_equal(pool_stop(rig->pool, 50), 1);
    assert_false(deaf.done);
    sem_post(&rig->gate);
    assert_int_equal(pool_stop(rig->pool, 10000), 0);
    assert_true(deaf.done);
    assert_int_equal(deaf.done_rc, KMS_ECANCELED);
    rig_free(rig);
}

static void test_idle_threads_end_and_come_back(void **state)
{
    struct rig *rig = rig_new(8, 100, 30);
    struct task tasks[8] = {0}, again = {0};

    (void)state;
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(submit(rig, &tasks[i], LANE_MINT, run_block), 0);
    wait_for(rig, &rig->running, 5); /* 8 less a reserve of one for each other lane */
    for (unsigned i = 0; i < 8; i++)
        sem_post(&rig->gate);
    wait_finished(rig, 8);
    wait_for(rig, &rig->contexts, 0);
    sem_post(&rig->gate);
    assert_int_equal(submit(rig, &again, LANE_MINT, run_block), 0);
    wait_finished(rig, 9);
    rig_free(rig);
}

static void test_no_context(void **state)
{
    struct rig *rig = rig_new(2, 10, 0);
    struct task first = {0}, second = {0};

    (void)state;
    atomic_store(&rig->no_context, true);
    assert_int_equal(submit(rig, &first, LANE_MINT, run_steps), 0);
    wait_finished(rig, 1);
    assert_int_equal(first.done_rc, KMS_ENOMEM);
    assert_int_equal(first.step, 0);
    atomic_store(&rig->no_context, false);
    assert_int_equal(submit(rig, &second, LANE_MINT, run_steps), 0);
    wait_finished(rig, 2);
    assert_int_equal(second.done_rc, 0);
    rig_free(rig);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    struct rig *rig = arg;

    (void)fd;
    (void)what;
    rig->finished_at_socket = rig->finished;
}

/* Mints that one commit ended are reported a few at a time: the sockets come between. */
static void test_many_ends_leave_turns_to_sockets(void **state)
{
    enum { COUNT = 40, TURN_MAX = 8 };
    struct rig *rig = rig_new(4, COUNT, 1000);
    struct task tasks[COUNT] = {0};
    struct event *event;
    int fds[2];

    (void)state;
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(submit(rig, &tasks[i], LANE_SESSION, run_steps), 0);
    for (int i = 0; i < 10000 && atomic_load(&rig->begun) < COUNT; i++)
        usleep(1000);
    assert_int_equal(pipe(fds), 0);
    event = event_new(rig->base, fds[0], EV_READ, on_socket, rig);
    event_add(event, NULL);
    rig->finished_at_socket = COUNT;
    assert_int_equal(write(fds[1], "x", 1), 1);
    wait_finished(rig, COUNT);
    assert_true(rig->finished_at_socket <= TURN_MAX);
    event_free(event);
    close(fds[0]);
    close(fds[1]);
    rig_free(rig);
}

/* 64 threads, thousands of jobs that come back several times, threads ending and starting all the
 * while. */
static void test_stress(void **state)
{
    enum { COUNT = 4000 };
    struct rig *rig = rig_new(64, COUNT, 1);
    struct task *tasks = calloc(COUNT, sizeof *tasks);

    (void)state;
    for (unsigned i = 0; i < COUNT; i++) {
        tasks[i].steps = (int)(i % 3);
        assert_int_equal(submit(rig, &tasks[i], i % LANE_COUNT, run_steps), 0);
        if (i % 64 == 0) {
            event_base_loop(rig->base, EVLOOP_NONBLOCK);
            usleep(i % 128 == 0 ? 2000 : 0);
        }
    }
    wait_finished(rig, COUNT);
    assert_int_equal(rig->waited, COUNT / 3 + 2 * (COUNT / 3));
    for (unsigned i = 0; i < COUNT; i++)
        assert_true(tasks[i].done && tasks[i].done_rc == 0 && tasks[i].step == tasks[i].steps + 1);
    rig_free(rig);
    free(tasks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_mint_lane_never_delays),
        cmocka_unit_test(test_idle_lane_uses_the_rest),
        cmocka_unit_test(test_a_way_that_hangs_gets_a_part),
        cmocka_unit_test(test_ways_take_turns),
        cmocka_unit_test(test_one_thread_serves_all_lanes),
        cmocka_unit_test(test_busy_at_once),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_eagain_comes_back_in_front),
        cmocka_unit_test(test_run_one_picks),
        cmocka_unit_test(test_cancel_reaches_a_running_job),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_stop_is_bounded),
        cmocka_unit_test(test_idle_threads_end_and_come_back),
        cmocka_unit_test(test_no_context),
        cmocka_unit_test(test_many_ends_leave_turns_to_sockets),
        cmocka_unit_test(test_stress),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
