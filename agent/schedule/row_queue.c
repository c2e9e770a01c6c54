/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule/row_queue.h"

#include <stdlib.h>

/* Jobs of a class at once (with those of peer exits 256), those of one way among them; rows that
 * wait. */
static const struct {
    unsigned jobs, way_jobs;
    size_t rows, way_rows;
} limits[ROW_CLASS_COUNT] = {
    /* What hangs or waits for its turn in thousands must not stop the claims of others. */
    [ROW_EARLY] = {32, 8, 16384, 16384}, [ROW_KEY] = {96, 24, 16384, 16384},
    [ROW_RENEW] = {32, 8, 1024, 512},    [ROW_CLEANUP] = {48, 24, 1024, 512},
    [ROW_SLOW] = {16, 4, 1024, 512},
};

struct row_wait {
    struct queue_link link;
    struct id_node node;
    struct claim_row row;
    int64_t claimed_ms; /* boot clock */
};

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
    if (row->cleanup)
        return ROW_CLEANUP;
    return row->early ? ROW_EARLY : ROW_KEY;
}

void row_queue_init(struct row_queue *queue, enum row_class row_class)
{
    *queue = (struct row_queue){.row_class = row_class};
    way_queue_init(&queue->rows);
}

void row_queue_done(struct row_queue *queue)
{
    struct queue_link *link;
    unsigned slot;

    while ((link = way_queue_pop(&queue->rows, 0, &slot)) != NULL)
        free(QUEUE_OF(link, struct row_wait, link));
}

void row_queue_push(struct row_queue *queue, const struct claim_row *row, int64_t now_boot_ms)
{
    unsigned slot = way_slot(row->way);
    struct row_wait *wait;

    if (queue->rows.count >= limits[queue->row_class].rows ||
        queue->rows.slots[slot].count >= limits[queue->row_class].way_rows ||
        id_map_find(&queue->ids, &row->id) != NULL)
        return;
    wait = malloc(sizeof *wait);
    if (wait == NULL)
        return;
    wait->row = *row;
    wait->claimed_ms = now_boot_ms;
    way_queue_push(&queue->rows, slot, &wait->link);
    id_map_add(&queue->ids, &row->id, &wait->node);
}

static uint64_t barred_slots(const struct row_queue *queue)
{
    uint64_t barred = 0;

    for (unsigned i = 0; i < WAY_SLOTS; i++)
        if (queue->slot_running[i] >= limits[queue->row_class].way_jobs)
            barred |= UINT64_C(1) << i;
    return barred;
}

bool row_queue_pop(struct row_queue *queue, struct claim_row *ret, int64_t *ret_claimed_ms)
{
    struct queue_link *link;
    struct row_wait *wait;
    unsigned slot;

    if (queue->rows.count == 0 || queue->running >= limits[queue->row_class].jobs)
        return false;
    link = way_queue_pop(&queue->rows, barred_slots(queue), &slot);
    if (link == NULL)
        return false;
    wait = QUEUE_OF(link, struct row_wait, link);
    *ret = wait->row;
    *ret_claimed_ms = wait->claimed_ms;
    id_map_remove(&queue->ids, &wait->node);
    free(wait);
    return true;
}

bool row_queue_hungry(const struct row_queue *queue)
{
    return queue->rows.count < limits[queue->row_class].rows;
}

void row_queue_count_job(struct row_queue *queue, uint32_t way, int count)
{
    queue->running += (unsigned)count;
    queue->slot_running[way_slot(way)] += (unsigned)count;
}

int64_t row_queue_oldest_ms(const struct row_queue *queue)
{
    int64_t oldest_ms = 0;

    for (uint64_t left = queue->rows.waiting; left != 0; left &= left - 1) {
        const struct queue *slot = &queue->rows.slots[__builtin_ctzll(left)];
        int64_t ms = QUEUE_OF(slot->first, struct row_wait, link)->claimed_ms;

        if (oldest_ms == 0 || ms < oldest_ms)
            oldest_ms = ms;
    }
    return oldest_ms;
}
