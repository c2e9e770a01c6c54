/* SPDX-License-Identifier: Apache-2.0 */
/* Rings the loop from any thread, at most one mail at a time. May be rung after its owner is gone:
 * the store's writer still ends its operations when the scheduler has been taken down. */
#ifndef KMS_AGENT_SCHEDULE_BELL_H
#define KMS_AGENT_SCHEDULE_BELL_H

#include "job/job.h"

struct bell;
/* rung(owner) runs on the loop after bell_ring(owner). NULL when out of memory. Loop thread. */
struct bell *bell_new(void *owner, struct mailbox *mailbox, void (*rung)(void *owner));
/* Loop thread; before the mailbox is freed. NULL is fine. */
void bell_free(struct bell *bell);
/* Any thread; nothing happens when owner has no bell. */
void bell_ring(void *owner);

#endif
