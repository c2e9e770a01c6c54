/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule/row_queue.h"

#define ROW_FRESH_MS (CLAIM_AHEAD_MS - 30000)

bool row_is_renewal(const struct claim_row *row)
{
    return row->action == DUE_RENEW || row->action == DUE_FENCE;
}

enum row_class row_class_of(const struct claim_row *row)
{
    if (row->slow)
        return ROW_SLOW;
    if (row_is_renewal(row))
        return ROW_RENEW;
    return row->cleanup ? ROW_CLEANUP : ROW_KEY;
}

unsigned row_class_jobs(enum row_class row_class)
{
    static const unsigned jobs[ROW_CLASS_COUNT] = {[ROW_KEY] = ROW_JOBS_KEY,
                                                   [ROW_RENEW] = ROW_JOBS_RENEW,
                                                   [ROW_CLEANUP] = ROW_JOBS_CLEANUP,
                                                   [ROW_SLOW] = ROW_JOBS_SLOW};

    return jobs[row_class];
}

bool row_queue_push(struct row_queue *queue, const struct claim_row *row, int64_t now_boot_ms)
{
    size_t at = (queue->first + queue->count) % ROW_QUEUE_MAX;

    if (queue->count == ROW_QUEUE_MAX)
        return false;
    queue->rows[at] = *row;
    queue->claimed_ms[at] = now_boot_ms;
    queue->count++;
    return true;
}

bool row_queue_pop(struct row_queue *queue, int64_t now_boot_ms, struct claim_row *ret,
                   int64_t *ret_claimed_ms)
{
    while (queue->count > 0) {
        size_t at = queue->first;

        queue->first = (queue->first + 1) % ROW_QUEUE_MAX;
        queue->count--;
        if (now_boot_ms - queue->claimed_ms[at] >= ROW_FRESH_MS)
            continue;
        *ret = queue->rows[at];
        *ret_claimed_ms = queue->claimed_ms[at];
        return true;
    }
    return false;
}

int64_t row_queue_oldest_ms(const struct row_queue *queue)
{
    return queue->count == 0 ? 0 : queue->claimed_ms[queue->first];
}
