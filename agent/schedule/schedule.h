/* SPDX-License-Identifier: Apache-2.0 */
/* When work happens. Owns the worker pool, the jobs that wait, one job per lease at a time, the due index pump and the
 * processes that leases are bound to. Loop thread unless said. */
#ifndef KMS_AGENT_SCHEDULE_SCHEDULE_H
#define KMS_AGENT_SCHEDULE_SCHEDULE_H

#include "config/config.h"
#include "job/job.h"
#include "lease/claim.h"
#include "lease/lease_env.h"
#include "lease/renew.h"
#include "lease/revoke.h"

#include <event2/event.h>

struct schedule;

/* What the scheduler asks of the layers below; tests and the simulator put their own in place. */
struct schedule_hooks {
    void (*claim)(struct claim *claim);
    struct revoke *(*revoke_new)(struct lease_env *env, const struct uuid *lease_id,
                                 enum revoke_reason reason, const struct lease_owner *actor,
                                 void (*finished)(struct revoke *revoke, void *arg), void *arg);
    void (*revoke_free)(struct revoke *revoke);
    struct renew *(*renew_new)(struct lease_env *env, struct config *config,
                               const struct uuid *lease_id, int64_t ttl_s,
                               const struct lease_owner *actor,
                               void (*finished)(struct renew *renew, void *arg), void *arg);
    void (*renew_free)(struct renew *renew);
    int (*list_bound)(struct store *store, bool (*each)(const struct lease *lease, void *arg),
                      void *arg, struct err *err);
    void *(*worker_new)(void *arg);  /* worker context: a struct lease_worker; arg is NULL */
    void (*worker_free)(void *worker);
};

struct schedule_options {
    struct event_base *base;
    struct mailbox *mailbox;
    struct lease_env *env;       /* schedule_new() sets its due_changed to schedule_poke() */
    struct config *config;       /* referenced; for renewals by the agent */
    unsigned threads_max, queue_max;       /* threads_max 0: driven by schedule_run_one() */
    const struct schedule_hooks *hooks;    /* NULL: the agent's own */
    /* The wall clock was set: expiries wait for AWS's time, so somebody should ask for it. May be NULL. Loop. */
    void (*clock_lost)(void *arg);
    void *clock_lost_arg;
};

/* Nothing runs yet; env->store may still be missing. The mailbox must live longer than the store: operations that end
 * after schedule_free() find the mailbox, not the scheduler. */
int schedule_new(const struct schedule_options *options, struct schedule **ret, struct err *err) KMS_MUST_CHECK;
/* Recovery: claims what a crash left (ISSUING, REVOKING, undelivered), finds bound processes again (boot id, pid, start
 * time, pidfd inode); a lease whose process is gone is revoked. Then the pump runs. */
int schedule_start(struct schedule *schedule, struct err *err) KMS_MUST_CHECK;
/* Stops the pump and the timers, cancels all jobs and waits up to wait_ms for the running ones; each job's done has
 * run then. Answers how many threads did not end: unless it is 0, nothing that jobs use may be freed (leave by _exit():
 * the store has all that matters). */
unsigned schedule_stop(struct schedule *schedule, int64_t wait_ms);
/* After schedule_stop(); NULL is fine. Leaks on purpose when threads are left. */
void schedule_free(struct schedule *schedule);

/* Runs job; keyed jobs of one lease run one after the other. KMS_EBUSY (job stays the caller's) when the lane or the
 * lease's queue (8) is full; KMS_ESTOPPING, KMS_ENOMEM. */
int schedule_submit(struct schedule *schedule, struct job *job) KMS_MUST_CHECK;
/* Sets job->canceled and wakes the job if it waits for its time. Only before job->done. */
void schedule_cancel(struct schedule *schedule, struct job *job);
/* The due index changed: look again. Any thread. */
void schedule_poke(void *schedule);
/* Binds a lease to a process: revoked when pidfd (taken, closed by the scheduler, also on failure) becomes readable, at
 * once if it is. Replaces an earlier binding. 0, KMS_ENOMEM, KMS_EINTERNAL (pidfd < 0). */
int schedule_bind(struct schedule *schedule, const struct uuid *lease_id, int pidfd, struct err *err) KMS_MUST_CHECK;
/* The lease has ended, its process does not matter any more. Not needed: it is noticed within ten minutes. */
void schedule_unbind(struct schedule *schedule, const struct uuid *lease_id);
/* Today's configuration for renewals; takes its own reference. */
void schedule_set_config(struct schedule *schedule, struct config *config);

struct schedule_stats {
    unsigned waiting_jobs;       /* for their time */
    unsigned bound_processes, busy_leases;
    unsigned lane_waiting[LANE_COUNT], lane_running[LANE_COUNT];
    int64_t oldest_overdue_ms;   /* how late the oldest due row is, in the index or being worked on; 0 = none */
};
void schedule_stats(const struct schedule *schedule, struct schedule_stats *ret);

/* ---- for a simulator: time passes by clock_set_source(), jobs run by hand ---- */
/* Does what is due by the clock now, without waiting for timers. */
void schedule_advance(struct schedule *schedule);
/* Boot time when the next waiting job goes on, 0 = none waits. */
int64_t schedule_next_ms(const struct schedule *schedule);
/* threads_max 0: runs one job chosen by pick on this thread; false if none waits for a thread. */
bool schedule_run_one(struct schedule *schedule, void *worker, uint64_t pick);

#endif
