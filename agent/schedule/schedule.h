/* SPDX-License-Identifier: Apache-2.0 */
/* When work happens. Owns the worker pool, the jobs that wait, one job per lease at a time, the due index pump and the
 * processes that leases are bound to. Loop thread unless said. */
#ifndef KMS_AGENT_SCHEDULE_SCHEDULE_H
#define KMS_AGENT_SCHEDULE_SCHEDULE_H

#include "config/config.h"
#include "job/job.h"
#include "lease/lease_env.h"

#include <event2/event.h>

struct schedule;
struct schedule_options {
    struct event_base *base;
    struct mailbox *mailbox;
    struct lease_env *env;       /* schedule_new() sets its due_changed to schedule_poke() */
    struct config *config;       /* referenced; for renewals by the agent */
    unsigned threads_max, queue_max;
};

int schedule_new(const struct schedule_options *options, struct schedule **ret, struct err *err) KMS_MUST_CHECK;
/* Recovery: claims what a crash left (ISSUING, REVOKING, undelivered), finds bound processes again (boot id, pid, start
 * time, pidfd inode); a lease whose process is gone is revoked. Then the pump runs. */
int schedule_start(struct schedule *schedule, struct err *err) KMS_MUST_CHECK;
/* Stops the pump and waits up to wait_ms for running jobs. */
void schedule_stop(struct schedule *schedule, int64_t wait_ms);
void schedule_free(struct schedule *schedule);

/* Runs job; keyed jobs of one lease run one after the other. KMS_EBUSY (job stays the caller's) when the lane or the
 * lease's queue (8) is full; KMS_ESTOPPING. */
int schedule_submit(struct schedule *schedule, struct job *job) KMS_MUST_CHECK;
/* The due index changed: look again. Any thread. */
void schedule_poke(void *schedule);
/* Binds a lease to a process: revoked when pidfd (taken, closed by the scheduler) becomes readable. */
int schedule_bind(struct schedule *schedule, const struct uuid *lease_id, int pidfd, struct err *err) KMS_MUST_CHECK;
/* Today's configuration for renewals; takes its own reference. */
void schedule_set_config(struct schedule *schedule, struct config *config);

struct schedule_stats {
    unsigned waiting_jobs, bound_processes, busy_leases;
    unsigned lane_waiting[LANE_COUNT], lane_running[LANE_COUNT];
    int64_t oldest_overdue_ms;   /* how late the oldest due row is, 0 = none */
};
void schedule_stats(const struct schedule *schedule, struct schedule_stats *ret);

#endif
