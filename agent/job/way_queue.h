/* SPDX-License-Identifier: Apache-2.0 */
/* A FIFO for each way (where AWS calls go), the ways in turn, so that none waits behind another's
 * backlog. Owns nothing; no locking. */
#ifndef KMS_AGENT_JOB_WAY_QUEUE_H
#define KMS_AGENT_JOB_WAY_QUEUE_H

#include "base/queue.h"

#include <stdbool.h>
#include <stdint.h>

/* Ways are told apart by slots; ways that fall into one slot share its part. Slot 0: no way. */
#define WAY_SLOTS 64

struct way_queue {
    struct queue slots[WAY_SLOTS];
    uint64_t waiting; /* bit per slot: there is something in it */
    unsigned last;    /* the slot served last */
    size_t count;
};

/* The slot of a way; 0 has 0. */
unsigned way_slot(uint32_t way);
void way_queue_init(struct way_queue *queue);
void way_queue_push(struct way_queue *queue, unsigned slot, struct queue_link *link);
/* The first of the next slot that has something and is not among the barred ones (a bit each); NULL
 * if there is none. */
struct queue_link *way_queue_pop(struct way_queue *queue, uint64_t barred, unsigned *ret_slot);
/* Takes link out of a slot; the others stay in order. False: it is not there. */
bool way_queue_remove(struct way_queue *queue, unsigned slot, struct queue_link *link);

#endif
