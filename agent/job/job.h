/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs, the worker pool and its lanes. A job has one owner at a time: its maker, the pool, or a worker. */
#ifndef KMS_AGENT_JOB_JOB_H
#define KMS_AGENT_JOB_JOB_H

#include "base/queue.h"
#include "common/err.h"
#include "common/uuid7.h"

#include <event2/event.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum job_lane { LANE_REVOKE, LANE_SESSION, LANE_MINT, LANE_BACKGROUND, LANE_COUNT };

struct job;
/* Worker thread, straight-line blocking code. Returns KMS_EAGAIN after setting wake_ms (the job comes back then, on
 * any worker, with its own step kept in its container); anything else ends the job (the outcome is in the container). */
typedef int job_run_fn(struct job *job, void *worker_context);
/* Loop thread, exactly once, after run ended; frees the container. */
typedef void job_done_fn(struct job *job);

struct job {
    struct queue_link link;      /* the pool's or the scheduler's */
    enum job_lane lane;
    job_run_fn *run;
    job_done_fn *done;
    bool internal;               /* the agent's own work: not counted against the lane's queue limit */
    bool first;                  /* somebody waits for it: before all fresh jobs of its lane */
    uint32_t way;                /* where its AWS calls go, 0 = unknown or nowhere: a way that hangs gets a part of the
                                    threads only. run may set it and answer KMS_EAGAIN; it holds from the next run on */
    uint8_t slot;                /* the lanes' */
    bool keyed;                  /* lease_id is set: one job per lease at a time (schedule/) */
    bool revocation;             /* keyed: begins before the lease's other jobs; one that yields gives up for it */
    bool yields;
    atomic_bool yielded;         /* canceled for that reason */
    struct uuid lease_id;
    int64_t wake_ms;             /* boot clock; set with KMS_EAGAIN */
    int64_t deadline_ms;         /* boot clock; the container's run checks it between steps; 0 = none */
    atomic_bool canceled;        /* set on the loop (client gone, stopping); checked between steps */
    int rc;                      /* result of the last run */
    struct event *timer;         /* the scheduler's while the job waits */
};

/* ---- mailbox: anything to the loop, from any thread ---- */
struct mailbox;
struct mail {
    struct queue_link link;
    void (*deliver)(struct mail *mail);  /* loop thread */
};
int mailbox_new(struct event_base *base, struct mailbox **ret, struct err *err) KMS_MUST_CHECK;
/* Undelivered mail is delivered first. */
void mailbox_free(struct mailbox *mailbox);
/* Never blocks; mail is the mailbox's until deliver runs. Wakes the loop at most once a turn. */
void mailbox_post(struct mailbox *mailbox, struct mail *mail);

/* ---- pool ---- */
struct pool;
struct pool_options {
    struct mailbox *mailbox;
    unsigned threads_max;                 /* ≤ 64; threads start when needed; 0: none, driven by pool_run_one() (tests, simulator) */
    unsigned queue_max;                   /* client jobs waiting in one lane before KMS_EBUSY */
    void *(*context_new)(void *arg);      /* per worker thread, on it; NULL result: the worker does not start */
    void (*context_free)(void *context);
    void *arg;
    unsigned idle_ms;                     /* a thread without work ends after this; 0: 30 s */
    void (*waiting)(struct job *job, void *arg);   /* loop: run answered KMS_EAGAIN; the callee resubmits it at wake_ms */
    void (*finished)(struct job *job, void *arg);  /* loop: run ended; the callee calls job->done */
    void *callback_arg;
};
int pool_new(const struct pool_options *options, struct pool **ret, struct err *err) KMS_MUST_CHECK;
/* Loop thread. Refuses with KMS_EBUSY when the lane is full (never for internal jobs). resumed: goes to the front. */
int pool_submit(struct pool *pool, struct job *job, bool resumed) KMS_MUST_CHECK;
/* Loop thread. A job that no worker has yet ends as canceled, on its way to finished; false: a worker has it. */
bool pool_withdraw(struct pool *pool, struct job *job);
/* Cancels all jobs, waits up to wait_ms for the running ones and joins the threads. Jobs that ended are handed to
 * finished; jobs not begun, and those that would have to wait, with rc KMS_ECANCELED. Answers how many threads did not
 * end: unless it is 0, nothing that jobs use may be freed (leave by _exit(); the store has all that matters). */
unsigned pool_stop(struct pool *pool, int64_t wait_ms);
/* After pool_stop(); before the mailbox. Leaks on purpose when threads are left. */
void pool_free(struct pool *pool);
/* Jobs waiting and running in a lane (loop thread). */
void pool_load(const struct pool *pool, enum job_lane lane, unsigned *ret_waiting, unsigned *ret_running);
/* threads_max 0 only: runs one job chosen by pick (0 … n-1) on this thread; false if none waits. */
bool pool_run_one(struct pool *pool, void *context, uint64_t pick);

#endif
