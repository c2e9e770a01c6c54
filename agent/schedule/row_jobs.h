/* SPDX-License-Identifier: Apache-2.0 */
/* Claimed due rows become revoke and renew jobs, as many at once as each class may have. Loop
 * thread. */
#ifndef KMS_AGENT_SCHEDULE_ROW_JOBS_H
#define KMS_AGENT_SCHEDULE_ROW_JOBS_H

#include "schedule/row_queue.h"
#include "schedule/schedule.h"
#include "schedule/tasks.h"

struct row_jobs;
struct row_jobs_options {
    const struct schedule_hooks *hooks;
    struct lease_env *env;
    struct tasks *tasks;
    struct config **config; /* today's */
    /* The process of a bound lease is known to live: only then does the agent renew by itself. */
    bool (*process_lives)(const struct uuid *lease_id, void *arg);
    /* A job found that the lease is no longer active. */
    void (*lease_ended)(const struct uuid *lease_id, void *arg);
    void *arg;
};

/* NULL when out of memory. */
struct row_jobs *row_jobs_new(const struct row_jobs_options *options);
/* After tasks_stop(); leaks on purpose while jobs run. */
void row_jobs_free(struct row_jobs *jobs);
/* Queues rows and starts what may start. */
void row_jobs_add(struct row_jobs *jobs, const struct claim_row *rows, size_t count);
/* Starts what may start. */
void row_jobs_fill(struct row_jobs *jobs);
/* More rows may be claimed. */
bool row_jobs_hungry(const struct row_jobs *jobs);
/* Boot time when the oldest row that waits or is worked on was claimed, 0 = none. */
int64_t row_jobs_oldest_ms(const struct row_jobs *jobs);
/* Jobs begun and not ended. */
unsigned row_jobs_count(const struct row_jobs *jobs);

#endif
