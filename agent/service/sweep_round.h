/* SPDX-License-Identifier: Apache-2.0 */
/* Sweeps about once an hour, in the background: for as long as iam:ListUsers is granted. Loop
 * thread. */
#ifndef KMS_AGENT_SERVICE_SWEEP_ROUND_H
#define KMS_AGENT_SERVICE_SWEEP_ROUND_H

#include "config/config.h"
#include "lease/lease_env.h"
#include "schedule/schedule.h"

struct sweep_round;

int sweep_round_new(struct event_base *base, struct lease_env *env, struct schedule *schedule,
                    struct sweep_round **ret, struct err *err) KMS_MUST_CHECK;
/* After schedule_stop(): its job, if any, has ended. NULL is fine. */
void sweep_round_free(struct sweep_round *round);
/* From now on with this configuration (reference taken); denials are forgotten. */
void sweep_round_start(struct sweep_round *round, struct config *config);

#endif
