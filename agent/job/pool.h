/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the pool (pool.c: the loop's side; worker.c: the threads' side). */
#ifndef KMS_AGENT_JOB_POOL_H
#define KMS_AGENT_JOB_POOL_H

#include "job/lanes.h"

#include <pthread.h>

#define POOL_THREADS_MAX 64
#define POOL_IDLE_MS 30000

enum worker_state {
    WORKER_NONE,
    WORKER_STARTING,
    WORKER_IDLE,
    WORKER_BUSY,
    WORKER_LEAVING,
    WORKER_ENDED
};

struct worker {
    struct pool *pool;
    pthread_t thread;
    pthread_cond_t wake;
    enum worker_state state; /* NONE: no thread; ENDED: to be joined */
    struct job *job;         /* handed to it, or running */
    uint64_t idle_since;     /* turn number: the greatest is the one idle for the shortest time */
};

/* The pool's mail: ended jobs are collected and one mail brings them all. Its own allocation, for
 * it may lie in the mailbox longer than the pool lives. */
struct courier {
    struct mail mail;
    struct pool *pool; /* loop thread; NULL: the pool is gone */
    bool posted;       /* under the pool's lock */
};

struct pool {
    struct pool_options options;
    struct courier *courier;
    pthread_mutex_t lock; /* all below */
    pthread_cond_t ended; /* a job or a thread ended */
    struct lanes lanes;
    struct queue done; /* jobs whose run has ended, on their way to the loop */
    bool stopping;
    uint64_t turn;
    struct worker workers[POOL_THREADS_MAX];
};

/* Under lock: hands startable jobs to idle workers, the one idle for the shortest time first (its
 * connection is warm and the others can end), or to new ones. */
void pool_dispatch(struct pool *pool);
/* Under lock: job's run ended with job->rc; off to the loop. */
void pool_hand_back(struct pool *pool, struct job *job);
/* Under lock: threads that exist and have not ended. */
unsigned pool_threads(const struct pool *pool);
/* Under lock: joins the workers that have ended. */
void pool_join_ended(struct pool *pool);
/* Entry of a worker's thread. */
void *worker_main(void *worker);

#endif
