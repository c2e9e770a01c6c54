/* SPDX-License-Identifier: Apache-2.0 */
#include "job/pool.h"

#include "base/thread_role.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

unsigned pool_threads(const struct pool *pool)
{
    unsigned count = 0;

    for (unsigned i = 0; i < pool->options.threads_max; i++)
        if (pool->workers[i].state != WORKER_NONE && pool->workers[i].state != WORKER_ENDED)
            count++;
    return count;
}

static struct worker *worker_idle(struct pool *pool)
{
    struct worker *best = NULL;

    for (unsigned i = 0; i < pool->options.threads_max; i++) {
        struct worker *worker = &pool->workers[i];

        if (worker->state == WORKER_IDLE && (best == NULL || worker->idle_since > best->idle_since))
            best = worker;
    }
    return best;
}

/* The thread has ended or has nothing left to do but return: joining it under the lock cannot
 * block. */
static void worker_join(struct worker *worker)
{
    pthread_join(worker->thread, NULL);
    pthread_cond_destroy(&worker->wake);
    worker->state = WORKER_NONE;
}

void pool_join_ended(struct pool *pool)
{
    for (unsigned i = 0; i < pool->options.threads_max; i++)
        if (pool->workers[i].state == WORKER_ENDED)
            worker_join(&pool->workers[i]);
}

static struct worker *worker_slot(struct pool *pool)
{
    for (unsigned i = 0; i < pool->options.threads_max; i++) {
        struct worker *worker = &pool->workers[i];

        if (worker->state == WORKER_ENDED)
            worker_join(worker);
        if (worker->state == WORKER_NONE)
            return worker;
    }
    return NULL;
}

/* Signals are the loop's: a worker starts with all of them blocked. */
static bool worker_start(struct pool *pool, struct worker *worker)
{
    pthread_condattr_t attr;
    sigset_t all, before;
    int rc;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&worker->wake, &attr);
    pthread_condattr_destroy(&attr);
    worker->pool = pool;
    worker->state = WORKER_STARTING;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&worker->thread, NULL, worker_main, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        return true;
    worker->state = WORKER_NONE;
    pthread_cond_destroy(&worker->wake);
    return false;
}

void pool_dispatch(struct pool *pool)
{
    while (!pool->stopping) {
        struct worker *worker = worker_idle(pool);
        bool idle = worker != NULL;
        struct job *job;

        if (!idle)
            worker = worker_slot(pool);
        job = worker != NULL ? lanes_start(&pool->lanes) : NULL;
        if (job == NULL)
            return;
        if (!idle && !worker_start(pool, worker)) {
            /* The system has no thread for us: whoever ends next takes the job. */
            lanes_end(&pool->lanes, job);
            lanes_push(&pool->lanes, job, true);
            return;
        }
        worker->job = job;
        if (idle) {
            worker->state = WORKER_BUSY;
            pthread_cond_signal(&worker->wake);
        }
    }
}

void pool_hand_back(struct pool *pool, struct job *job)
{
    queue_push(&pool->done, &job->link);
    if (!pool->courier->posted) {
        pool->courier->posted = true;
        mailbox_post(pool->options.mailbox, &pool->courier->mail);
    }
}

/* Under lock: waits for a job; NULL: the worker is to end. */
static struct job *worker_wait(struct worker *worker)
{
    struct pool *pool = worker->pool;
    struct timespec until;
    int rc = 0;

    worker->state = WORKER_IDLE;
    worker->idle_since = ++pool->turn;
    pool_dispatch(pool);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += pool->options.idle_ms / 1000;
    until.tv_nsec += (long)(pool->options.idle_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (worker->job == NULL && !pool->stopping && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&worker->wake, &pool->lock, &until);
    return worker->job;
}

static void worker_run(struct worker *worker, void *context)
{
    struct pool *pool = worker->pool;
    struct job *job = worker->job;
    int rc;

    pthread_mutex_unlock(&pool->lock);
    rc = job->run(job, context);
    pthread_mutex_lock(&pool->lock);
    job->rc = rc;
    worker->job = NULL;
    lanes_end(&pool->lanes, job);
    pool_hand_back(pool, job);
    pthread_cond_broadcast(&pool->ended);
}

/* Under lock: the worker could not make its context. Its job goes to another one, or fails when
 * there is none. */
static void worker_give_up(struct worker *worker)
{
    struct pool *pool = worker->pool;
    struct job *job = worker->job;

    worker->job = NULL;
    lanes_end(&pool->lanes, job);
    for (unsigned i = 0; i < pool->options.threads_max; i++) {
        if (pool->workers[i].state == WORKER_BUSY || pool->workers[i].state == WORKER_IDLE) {
            lanes_push(&pool->lanes, job, true);
            pool_dispatch(pool);
            return;
        }
    }
    job->rc = KMS_ENOMEM;
    pool_hand_back(pool, job);
}

/* Serves from the first job handed over until it has been idle for long. Lock held before and
 * after. */
static void worker_serve(struct worker *worker)
{
    struct pool *pool = worker->pool;
    void *context = NULL;

    pthread_mutex_unlock(&pool->lock);
    if (pool->options.context_new != NULL)
        context = pool->options.context_new(pool->options.arg);
    pthread_mutex_lock(&pool->lock);
    if (pool->options.context_new != NULL && context == NULL) {
        worker->state = WORKER_LEAVING;
        worker_give_up(worker);
        return;
    }
    worker->state = WORKER_BUSY;
    do
        worker_run(worker, context);
    while (worker_wait(worker) != NULL);
    worker->state = WORKER_LEAVING;
    pthread_mutex_unlock(&pool->lock);
    if (context != NULL && pool->options.context_free != NULL)
        pool->options.context_free(context);
    pthread_mutex_lock(&pool->lock);
}

void *worker_main(void *arg)
{
    struct worker *worker = arg;
    struct pool *pool = worker->pool;

    thread_role = THREAD_WORKER;
    pthread_setname_np(pthread_self(), "worker");
    pthread_mutex_lock(&pool->lock);
    do {
        worker_serve(worker);
        /* A job that came while we were leaving may have found no other thread. */
        worker->job = pool->stopping ? NULL : lanes_start(&pool->lanes);
    } while (worker->job != NULL);
    worker->state = WORKER_ENDED;
    pthread_cond_broadcast(&pool->ended);
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}
