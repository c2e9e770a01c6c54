/* SPDX-License-Identifier: Apache-2.0 */
/* Claimed due rows on their way to a job, in classes: so that clean-ups, renewals and stuck leases
 * cannot take the places of keys that must die now. Bounded; what does not fit, or got old, is
 * dropped: its row lies ahead in the due index and comes back. */
#ifndef KMS_AGENT_SCHEDULE_ROW_QUEUE_H
#define KMS_AGENT_SCHEDULE_ROW_QUEUE_H

#include "lease/claim.h"

enum row_class { ROW_KEY, ROW_RENEW, ROW_CLEANUP, ROW_SLOW, ROW_CLASS_COUNT };

#define ROW_QUEUE_MAX 512
/* Jobs of a class at once; with those of peer exits 256. */
#define ROW_JOBS_KEY 112
#define ROW_JOBS_RENEW 32
#define ROW_JOBS_CLEANUP 64
#define ROW_JOBS_SLOW 16
#define PEER_EXIT_JOBS 32

struct row_queue {
    struct claim_row rows[ROW_QUEUE_MAX];
    int64_t claimed_ms[ROW_QUEUE_MAX]; /* boot clock */
    size_t first, count;
};

/* For a renew job, not a revoke job. */
bool row_is_renewal(const struct claim_row *row);
enum row_class row_class_of(const struct claim_row *row);
/* Jobs of this class at once. */
unsigned row_class_jobs(enum row_class row_class);
/* Appends a copy; false: full. */
bool row_queue_push(struct row_queue *queue, const struct claim_row *row, int64_t now_boot_ms);
/* Takes the oldest row that is still ours (claimed less than CLAIM_AHEAD_MS ago, with time to
 * spare); false: none. */
bool row_queue_pop(struct row_queue *queue, int64_t now_boot_ms, struct claim_row *ret,
                   int64_t *ret_claimed_ms);
/* Boot time when the oldest row was claimed, 0 = empty. */
int64_t row_queue_oldest_ms(const struct row_queue *queue);

#endif
