/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule/tasks.h"

#include "base/clock.h"
#include "base/thread_role.h"
#include "schedule/id_map.h"

#include <stdlib.h>

/* A canceled job that still wants to wait may do so this long: it must not spin. */
#define CANCELED_WAIT_MS 100

/* A job from submission to done. */
struct task {
    struct queue_link link;   /* in a queue of busy */
    struct task *prev, *next; /* all tasks */
    struct tasks *tasks;
    struct job *job;
    struct busy_lease *busy; /* keyed jobs */
    bool queued, waiting;    /* for the lease; for its time */
    int64_t wake_ms;         /* boot clock, while waiting */
    task_ended_fn *ended;
    void *ended_arg;
};

/* A lease with a job. */
struct busy_lease {
    struct id_node node;
    struct task *running;            /* NULL while it ends */
    struct queue revocations, queue; /* tasks behind it; those first */
};

struct tasks {
    struct tasks_options options;
    struct pool *pool;
    struct task *first;
    struct id_map busy;
    unsigned waiting;
    bool stopping;
};

static struct task *task_of(struct job *job)
{
    return event_get_callback_arg(job->timer);
}

/* ---- waiting for the time ---- */

/* No longer waits; into the pool, where it is never refused while the pool lives. */
static void task_resume(struct task *task)
{
    event_del(task->job->timer);
    task->waiting = false;
    task->tasks->waiting--;
    (void)!pool_submit(task->tasks->pool, task->job, true);
}

static void task_set_timer(struct task *task)
{
    int64_t left_ms = task->wake_ms - clock_boot_ms();
    struct timeval tv;

    if (left_ms < 0)
        left_ms = 0;
    tv = (struct timeval){(time_t)(left_ms / 1000), (suseconds_t)(left_ms % 1000 * 1000)};
    evtimer_add(task->job->timer, &tv);
}

/* libevent counts from the start of its turn, and its clock stands still in suspend: so the time is
 * checked. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct task *task = arg;

    (void)fd;
    (void)what;
    if (!task->waiting)
        return;
    if (clock_boot_ms() < task->wake_ms)
        task_set_timer(task);
    else
        task_resume(task);
}

static void on_waiting(struct job *job, void *arg)
{
    struct tasks *tasks = arg;
    struct task *task = task_of(job);
    int64_t now = clock_boot_ms();

    task->waiting = true;
    tasks->waiting++;
    task->wake_ms = job->wake_ms;
    if (job->deadline_ms > now && task->wake_ms > job->deadline_ms)
        task->wake_ms = job->deadline_ms;
    if (atomic_load(&job->canceled) && task->wake_ms > now + CANCELED_WAIT_MS)
        task->wake_ms = now + CANCELED_WAIT_MS;
    if (task->wake_ms <= now)
        task_resume(task);
    else
        task_set_timer(task);
    tasks->options.turned(tasks->options.arg);
}

void tasks_cancel(struct tasks *tasks, struct job *job)
{
    struct task *task = job->timer != NULL ? task_of(job) : NULL;

    ASSERT_ON_LOOP();
    atomic_store(&job->canceled, true);
    if (task != NULL && task->waiting && !tasks->stopping)
        task_resume(task);
}

void tasks_advance(struct tasks *tasks)
{
    int64_t now = clock_boot_ms();

    ASSERT_ON_LOOP();
    for (struct task *task = tasks->first; task != NULL; task = task->next) {
        if (!task->waiting)
            continue;
        if (task->wake_ms <= now)
            task_resume(task);
        else
            task_set_timer(task);
    }
}

int64_t tasks_next_ms(const struct tasks *tasks)
{
    int64_t next_ms = 0;

    for (const struct task *task = tasks->first; task != NULL; task = task->next)
        if (task->waiting && (next_ms == 0 || task->wake_ms < next_ms))
            next_ms = task->wake_ms;
    return next_ms;
}

/* ---- one job per lease ---- */

/* Holders must not keep a lease alive by asking for it, not with jobs either that wait for a thread
 * while others fill their lane. */
static void lease_yield(struct busy_lease *busy)
{
    struct task *running = busy->running;

    if (running == NULL || !running->job->yields)
        return;
    atomic_store(&running->job->yielded, true);
    tasks_cancel(running->tasks, running->job);
    (void)pool_withdraw(running->tasks->pool, running->job);
}

/* Queues task behind the lease's job. A revocation is never turned away. */
static int lease_queue(struct busy_lease *busy, struct task *task)
{
    if (task->job->revocation) {
        queue_push(&busy->revocations, &task->link);
        lease_yield(busy);
    } else if (task->job->internal || busy->queue.count < TASKS_LEASE_QUEUE_MAX) {
        queue_push(&busy->queue, &task->link);
    } else {
        return KMS_EBUSY;
    }
    task->queued = true;
    task->busy = busy;
    return 0;
}

/* Makes the lease busy with task, or queues task behind its job. 0, KMS_EBUSY, KMS_ENOMEM. */
static int lease_take(struct task *task)
{
    struct tasks *tasks = task->tasks;
    struct id_node *node = id_map_find(&tasks->busy, &task->job->lease_id);
    struct busy_lease *busy;

    if (node != NULL)
        return lease_queue(QUEUE_OF(node, struct busy_lease, node), task);
    busy = calloc(1, sizeof *busy);
    if (busy == NULL)
        return KMS_ENOMEM;
    queue_init(&busy->revocations);
    queue_init(&busy->queue);
    busy->running = task;
    id_map_add(&tasks->busy, &task->job->lease_id, &busy->node);
    task->busy = busy;
    return 0;
}

/* The lease's job is over: the next one of the lease, or NULL and the lease is no longer busy. */
static struct task *lease_next_task(struct tasks *tasks, struct busy_lease *busy)
{
    struct queue_link *link = queue_pop(&busy->revocations);
    struct task *task;

    if (link == NULL)
        link = queue_pop(&busy->queue);
    if (link == NULL) {
        id_map_remove(&tasks->busy, &busy->node);
        free(busy);
        return NULL;
    }
    task = QUEUE_OF(link, struct task, link);
    task->queued = false;
    busy->running = task;
    return task;
}

/* ---- from submission to done ---- */

static struct task *task_new(struct tasks *tasks, struct job *job)
{
    struct task *task = calloc(1, sizeof *task);

    if (task == NULL)
        return NULL;
    task->tasks = tasks;
    task->job = job;
    job->timer = evtimer_new(tasks->options.base, on_timer, task);
    if (job->timer == NULL) {
        free(task);
        return NULL;
    }
    task->next = tasks->first;
    if (tasks->first != NULL)
        tasks->first->prev = task;
    tasks->first = task;
    return task;
}

static void task_free(struct task *task)
{
    if (task->prev != NULL)
        task->prev->next = task->next;
    else
        task->tasks->first = task->next;
    if (task->next != NULL)
        task->next->prev = task->prev;
    event_free(task->job->timer);
    task->job->timer = NULL;
    free(task);
}

/* The job ends here; its container is gone afterwards. */
static void task_end(struct task *task)
{
    struct job *job = task->job;
    task_ended_fn *ended = task->ended;
    void *ended_arg = task->ended_arg;

    task_free(task);
    if (ended != NULL)
        ended(job, ended_arg);
    job->done(job);
}

static void on_finished(struct job *job, void *arg)
{
    struct tasks *tasks = arg;
    struct busy_lease *busy = task_of(job)->busy;
    struct task *next;

    if (busy != NULL)
        busy->running = NULL;
    task_end(task_of(job));
    /* Accepted long ago, so the next one is not refused any more. Once stopping, tasks_stop() ends
     * the rest. */
    if (busy != NULL && !tasks->stopping) {
        next = lease_next_task(tasks, busy);
        if (next != NULL)
            (void)!pool_submit(tasks->pool, next->job, true);
    }
    if (!tasks->stopping)
        tasks->options.turned(tasks->options.arg);
}

int tasks_submit(struct tasks *tasks, struct job *job, task_ended_fn *ended, void *ended_arg)
{
    struct task *task;
    int rc = 0;

    ASSERT_ON_LOOP();
    if (tasks->stopping)
        return KMS_ESTOPPING;
    task = task_new(tasks, job);
    if (task == NULL)
        return KMS_ENOMEM;
    task->ended = ended;
    task->ended_arg = ended_arg;
    if (job->keyed)
        rc = lease_take(task);
    if (rc == 0 && !task->queued) {
        rc = pool_submit(tasks->pool, job, false);
        if (rc != 0 && task->busy != NULL) {
            id_map_remove(&tasks->busy, &task->busy->node);
            free(task->busy);
        }
    }
    if (rc != 0)
        task_free(task);
    return rc;
}

/* ---- life ---- */

int tasks_new(const struct tasks_options *options, struct tasks **ret, struct err *err)
{
    struct tasks *tasks = calloc(1, sizeof *tasks);
    int rc;

    if (tasks == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    tasks->options = *options;
    tasks->options.pool.waiting = on_waiting;
    tasks->options.pool.finished = on_finished;
    tasks->options.pool.callback_arg = tasks;
    rc = pool_new(&tasks->options.pool, &tasks->pool, err);
    if (rc != 0) {
        free(tasks);
        return rc;
    }
    *ret = tasks;
    return 0;
}

unsigned tasks_stop(struct tasks *tasks, int64_t wait_ms)
{
    unsigned left;
    struct task *next;

    ASSERT_ON_LOOP();
    tasks->stopping = true;
    left = pool_stop(tasks->pool, wait_ms);
    for (struct task *task = tasks->first; task != NULL; task = next) {
        next = task->next;
        if (!task->waiting && !task->queued)
            continue; /* its thread did not end */
        atomic_store(&task->job->canceled, true);
        task->job->rc = KMS_ECANCELED;
        task_end(task);
    }
    return left;
}

void tasks_free(struct tasks *tasks)
{
    struct id_node *node;

    if (tasks == NULL || tasks->first != NULL)
        return;
    while ((node = id_map_any(&tasks->busy)) != NULL) {
        id_map_remove(&tasks->busy, node);
        free(QUEUE_OF(node, struct busy_lease, node));
    }
    pool_free(tasks->pool);
    free(tasks);
}

void tasks_load(const struct tasks *tasks, unsigned *ret_waiting, unsigned *ret_busy_leases)
{
    *ret_waiting = tasks->waiting;
    *ret_busy_leases = (unsigned)tasks->busy.count;
}

struct pool *tasks_pool(const struct tasks *tasks)
{
    return tasks->pool;
}
