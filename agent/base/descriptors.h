/* SPDX-License-Identifier: Apache-2.0 */
/* The file descriptors of the process, shared out: a reserve for the agent's own work, which clients must not touch, a
 * part for connections, and all the others for the processes that leases are bound to. */
#ifndef KMS_AGENT_BASE_DESCRIPTORS_H
#define KMS_AGENT_BASE_DESCRIPTORS_H

#include "common/err.h"

#include <stdbool.h>

/* 64 workers with four connections to AWS and a resolver's pair each, root's connections beyond the limit, store and
 * events. Of a limit below twice this, half. */
#define DESCRIPTORS_RESERVED 448
#define DESCRIPTORS_OF_CONNECTION 2 /* the socket and the peer's pidfd */

/* Raises RLIMIT_NOFILE as far as it goes and shares it out anew. Answers how many of so many connections there may be:
 * at most those that half of the descriptors are enough for, and that leave what is bound now its own. At start, before
 * the first process is bound, and when the configuration changes. Until then as many processes as you like. Loop. */
unsigned descriptors_share_out(unsigned connections);
/* One more process may be watched; false: no more of them, nothing is taken. Any thread. */
bool descriptors_take_bound(void) KMS_MUST_CHECK;
/* One more process is watched, by a descriptor that was within the share already. Any thread. */
void descriptors_add_bound(void);
/* One less. Any thread. */
void descriptors_give_bound(void);
/* How many there are, and may be. Any thread. */
unsigned descriptors_bound(void);
unsigned descriptors_bound_max(void);
/* Fills err for whoever gets none: KMS_ELIMIT. */
int descriptors_refuse(struct err *err);

#endif
