/* SPDX-License-Identifier: Apache-2.0 */
/* Claimed due rows on their way to a job, in classes: so that clean-ups, renewals and stuck leases
 * cannot take the places of keys that must die now, nor keys that their fence stops already the
 * places of those that it does not; and in each class by way, so that an endpoint
 * that hangs holds up its own leases only. Bounded; what does not fit is dropped: its row lies
 * ahead in the due index and comes back. */
#ifndef KMS_AGENT_SCHEDULE_ROW_QUEUE_H
#define KMS_AGENT_SCHEDULE_ROW_QUEUE_H

#include "job/way_queue.h"
#include "lease/claim.h"
#include "schedule/id_map.h"

enum row_class { ROW_EARLY, ROW_KEY, ROW_RENEW, ROW_CLEANUP, ROW_SLOW, ROW_CLASS_COUNT };

#define PEER_EXIT_JOBS 32

/* The rows and jobs of a class. */
struct row_queue {
    enum row_class row_class;
    struct way_queue rows;
    struct id_map ids; /* of rows */
    unsigned running;  /* jobs */
    unsigned slot_running[WAY_SLOTS];
};

/* For a renew job, not a revoke job. */
bool row_is_renewal(const struct claim_row *row);
enum row_class row_class_of(const struct claim_row *row);
void row_queue_init(struct row_queue *queue, enum row_class row_class);
void row_queue_done(struct row_queue *queue);
/* Appends a copy; a row of a lease that waits already is the same row, come back. */
void row_queue_push(struct row_queue *queue, const struct claim_row *row, int64_t now_boot_ms);
/* Takes a row for which there is room among the jobs of its class and way; false: none. */
bool row_queue_pop(struct row_queue *queue, struct claim_row *ret, int64_t *ret_claimed_ms);
/* There is room for more rows. */
bool row_queue_hungry(const struct row_queue *queue);
/* Jobs of the queue: one more (count 1) or less (-1). */
void row_queue_count_job(struct row_queue *queue, uint32_t way, int count);
/* Boot time when the oldest row was claimed, 0 = empty. */
int64_t row_queue_oldest_ms(const struct row_queue *queue);

#endif
