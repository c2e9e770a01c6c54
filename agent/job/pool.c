/* SPDX-License-Identifier: Apache-2.0 */
#include "job/pool.h"

#include "base/thread_role.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* Ended jobs reported in one turn of the loop; the sockets come between two turns. Few, since a
 * report of a mint is an answer, and a commit ends many mints at once. */
#define POOL_REPORTS_MAX 4

static void pool_report(struct pool *pool, struct job *job)
{
    bool waits = job->rc == KMS_EAGAIN;

    if (waits && pool->stopping) /* written on this thread only */
        job->rc = KMS_ECANCELED;
    if (waits && !pool->stopping)
        pool->options.waiting(job, pool->options.callback_arg);
    else
        pool->options.finished(job, pool->options.callback_arg);
}

/* Reports up to max ended jobs; the callbacks may submit. */
static void pool_collect(struct pool *pool, size_t max)
{
    struct queue batch;
    struct queue_link *link;

    queue_init(&batch);
    pthread_mutex_lock(&pool->lock);
    while (batch.count < max && pool->done.first != NULL)
        queue_push(&batch, queue_pop(&pool->done));
    if (pool->done.first != NULL && !pool->courier->posted) {
        pool->courier->posted = true;
        mailbox_post(pool->options.mailbox, &pool->courier->mail);
    }
    pthread_mutex_unlock(&pool->lock);
    while ((link = queue_pop(&batch)) != NULL)
        pool_report(pool, QUEUE_OF(link, struct job, link));
}

static void on_courier(struct mail *mail)
{
    struct courier *courier = QUEUE_OF(mail, struct courier, mail);

    if (courier->pool == NULL) {
        free(courier);
        return;
    }
    pthread_mutex_lock(&courier->pool->lock);
    courier->posted = false;
    pthread_mutex_unlock(&courier->pool->lock);
    pool_collect(courier->pool, POOL_REPORTS_MAX);
}

int pool_new(const struct pool_options *options, struct pool **ret, struct err *err)
{
    struct pool *pool = calloc(1, sizeof *pool);
    pthread_condattr_t attr;

    if (pool != NULL)
        pool->courier = calloc(1, sizeof *pool->courier);
    if (pool == NULL || pool->courier == NULL) {
        free(pool);
        return err_set(err, KMS_ENOMEM, "out of memory");
    }
    pool->options = *options;
    if (pool->options.threads_max > POOL_THREADS_MAX)
        pool->options.threads_max = POOL_THREADS_MAX;
    if (pool->options.idle_ms == 0)
        pool->options.idle_ms = POOL_IDLE_MS;
    pool->courier->mail.deliver = on_courier;
    pool->courier->pool = pool;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->ended, &attr);
    pthread_condattr_destroy(&attr);
    lanes_init(&pool->lanes, pool->options.threads_max);
    queue_init(&pool->done);
    *ret = pool;
    return 0;
}

int pool_submit(struct pool *pool, struct job *job, bool resumed)
{
    int rc = 0;

    ASSERT_ON_LOOP();
    pthread_mutex_lock(&pool->lock);
    if (pool->stopping) {
        rc = KMS_ESTOPPING;
    } else if (!resumed && !job->internal &&
               pool->lanes.lane[job->lane].client_waiting >= pool->options.queue_max) {
        rc = KMS_EBUSY;
    } else {
        lanes_push(&pool->lanes, job, resumed);
        pool_dispatch(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    return rc;
}

/* Under lock: a job that no worker has, and that no lane has any more, ends. */
static void pool_end_waiting(struct pool *pool, struct job *job)
{
    atomic_store(&job->canceled, true);
    job->rc = KMS_ECANCELED;
    pool_hand_back(pool, job);
}

bool pool_withdraw(struct pool *pool, struct job *job)
{
    bool was_waiting;

    ASSERT_ON_LOOP();
    pthread_mutex_lock(&pool->lock);
    was_waiting = lanes_withdraw(&pool->lanes, job);
    if (was_waiting)
        pool_end_waiting(pool, job);
    pthread_mutex_unlock(&pool->lock);
    return was_waiting;
}

/* Under lock: what runs is told to end, what waits has ended. */
static void pool_cancel(struct pool *pool)
{
    struct job *job;

    for (unsigned i = 0; i < pool->options.threads_max; i++) {
        if (pool->workers[i].job != NULL)
            atomic_store(&pool->workers[i].job->canceled, true);
        if (pool->workers[i].state == WORKER_IDLE)
            pthread_cond_signal(&pool->workers[i].wake);
    }
    while ((job = lanes_take(&pool->lanes, 0)) != NULL)
        pool_end_waiting(pool, job);
}

unsigned pool_stop(struct pool *pool, int64_t wait_ms)
{
    struct timespec until;
    unsigned left;
    int rc = 0;

    ASSERT_ON_LOOP();
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(wait_ms / 1000);
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pool_cancel(pool);
    while (pool_threads(pool) > 0 && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&pool->ended, &pool->lock, &until);
    pool_join_ended(pool);
    left = pool_threads(pool);
    pthread_mutex_unlock(&pool->lock);
    pool_collect(pool, SIZE_MAX);
    return left;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL || pool_threads(pool) > 0)
        return;
    pool->courier->pool = NULL;
    if (!pool->courier->posted)
        free(pool->courier);
    pthread_cond_destroy(&pool->ended);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

void pool_load(const struct pool *pool, enum job_lane lane, unsigned *ret_waiting,
               unsigned *ret_running)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&pool->lock;

    pthread_mutex_lock(lock);
    *ret_waiting = lanes_waiting(&pool->lanes, lane);
    *ret_running = pool->lanes.lane[lane].running;
    pthread_mutex_unlock(lock);
}

bool pool_run_one(struct pool *pool, void *context, uint64_t pick)
{
    struct job *job;
    int rc;

    pthread_mutex_lock(&pool->lock);
    job = lanes_take(&pool->lanes, pick);
    pthread_mutex_unlock(&pool->lock);
    if (job == NULL)
        return false;
    rc = job->run(job, context);
    pthread_mutex_lock(&pool->lock);
    job->rc = rc;
    pool_hand_back(pool, job);
    pthread_mutex_unlock(&pool->lock);
    return true;
}
