/* SPDX-License-Identifier: Apache-2.0 */
/* Facts about a process from its pidfd and /proc, to find it again after a restart of the agent. */
#ifndef KMS_AGENT_SCHEDULE_PROCESS_H
#define KMS_AGENT_SCHEDULE_PROCESS_H

#include "common/err.h"
#include "model/lease.h"

/* Boot id, pid, start time and pidfd inode of a living process; checked again through pidfd after reading. KMS_ENOLEASE
 * when it has exited or is in another pid namespace, KMS_ELIMIT when there is no descriptor to read /proc with,
 * KMS_EINTERNAL when it cannot be read for another reason. Any thread. */
int process_describe(int pidfd, int32_t pid, struct lease_process *ret, struct err *err) KMS_MUST_CHECK;
/* Opens a pidfd of the described process if it still lives and is the same; -1 otherwise: errno ESRCH when it is gone,
 * anything else when that cannot be told (no descriptors, no /proc). */
int process_reopen(const struct lease_process *process);

#endif
