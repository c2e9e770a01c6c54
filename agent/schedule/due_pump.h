/* SPDX-License-Identifier: Apache-2.0 */
/* Pulls due rows out of the store when their time has come, a few at a time, and hands them to
 * row_jobs. Holds expiries back while the clock is in doubt. Loop thread. */
#ifndef KMS_AGENT_SCHEDULE_DUE_PUMP_H
#define KMS_AGENT_SCHEDULE_DUE_PUMP_H

#include "schedule/row_jobs.h"

struct due_pump;
struct due_pump_options {
    struct event_base *base;
    struct mailbox *mailbox;
    struct lease_env *env;
    const struct schedule_hooks *hooks;
    struct row_jobs *jobs;
    void (*jumped)(void *arg); /* the wall clock was set */
    void *arg;
};

int due_pump_new(const struct due_pump_options *options, struct due_pump **ret,
                 struct err *err) KMS_MUST_CHECK;
/* Recovery first, then whatever is due. */
int due_pump_start(struct due_pump *pump, struct err *err) KMS_MUST_CHECK;
void due_pump_stop(struct due_pump *pump);
/* A claim that is still with the store frees itself. */
void due_pump_free(struct due_pump *pump);
/* The due index may have changed. */
void due_pump_look(struct due_pump *pump);
/* A job's run was dealt with: there may be room for rows, and news of AWS's clock. */
void due_pump_turned(struct due_pump *pump);
/* How late the oldest row is: still in the index, or claimed and not done with. 0 = none. */
int64_t due_pump_overdue_ms(const struct due_pump *pump);

#endif
