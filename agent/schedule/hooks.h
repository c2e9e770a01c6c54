/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's own hooks of the scheduler. */
#ifndef KMS_AGENT_SCHEDULE_HOOKS_H
#define KMS_AGENT_SCHEDULE_HOOKS_H

#include "schedule/schedule.h"

extern const struct schedule_hooks schedule_hooks_default;

#endif
