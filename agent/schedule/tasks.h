/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs from submission to done: the pool, the jobs that wait for their time, one job per lease at a
 * time. Loop thread. */
#ifndef KMS_AGENT_SCHEDULE_TASKS_H
#define KMS_AGENT_SCHEDULE_TASKS_H

#include "job/job.h"

#define TASKS_LEASE_QUEUE_MAX 8 /* clients' jobs of one lease, revocations apart */

struct tasks;
/* Right before job->done(job). */
typedef void task_ended_fn(struct job *job, void *arg);

struct tasks_options {
    struct event_base *base;
    struct pool_options pool;  /* waiting, finished and callback_arg are set by tasks_new() */
    void (*turned)(void *arg); /* after a run of any job was dealt with; may submit */
    void *arg;
};

int tasks_new(const struct tasks_options *options, struct tasks **ret,
              struct err *err) KMS_MUST_CHECK;
/* No job begins any more; what waits ends with KMS_ECANCELED. Answers what pool_stop() answers. */
unsigned tasks_stop(struct tasks *tasks, int64_t wait_ms);
/* After tasks_stop(). Leaks on purpose while threads are left. */
void tasks_free(struct tasks *tasks);
/* See schedule_submit(); also KMS_ENOMEM. ended may be NULL. */
int tasks_submit(struct tasks *tasks, struct job *job, task_ended_fn *ended,
                 void *ended_arg) KMS_MUST_CHECK;
/* Sets job->canceled; a job that waits for its time goes on at once. */
void tasks_cancel(struct tasks *tasks, struct job *job);
/* Looks at the clock again: jobs whose time has come go on, the other timers are set anew. */
void tasks_advance(struct tasks *tasks);
/* Boot time when the next waiting job goes on, 0 = none waits. */
int64_t tasks_next_ms(const struct tasks *tasks);
/* Jobs that wait for their time; leases with a job. */
void tasks_load(const struct tasks *tasks, unsigned *ret_waiting, unsigned *ret_busy_leases);
struct pool *tasks_pool(const struct tasks *tasks);

#endif
