/* SPDX-License-Identifier: Apache-2.0 */
/* Tries the management identity of every secret at AWS, one after the other, in the background: at
 * start and after a reload, so that STATUS and `kmsctl status` can say how it went before anybody
 * needs a lease. Loop thread. */
#ifndef KMS_AGENT_SERVICE_IDENTITY_ROUND_H
#define KMS_AGENT_SERVICE_IDENTITY_ROUND_H

#include "config/config.h"
#include "lease/lease_env.h"
#include "schedule/schedule.h"
#include "service/service.h"

struct identity_round;

int identity_round_new(struct lease_env *env, struct schedule *schedule, struct service *service,
                       struct identity_round **ret, struct err *err) KMS_MUST_CHECK;
/* After schedule_stop(): its job, if any, has ended. */
void identity_round_free(struct identity_round *round);
/* Begins anew with this configuration (reference taken). */
void identity_round_start(struct identity_round *round, struct config *config);
/* AWS's time is not known: asks for it, one management identity after the other until one of AWS's
 * answers, whatever it says, brings a Date. */
void identity_round_ask_time(struct identity_round *round);

#endif
