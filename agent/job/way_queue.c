/* SPDX-License-Identifier: Apache-2.0 */
#include "job/way_queue.h"

unsigned way_slot(uint32_t way)
{
    return way == 0 ? 0 : 1 + way % (WAY_SLOTS - 1);
}

void way_queue_init(struct way_queue *queue)
{
    for (unsigned i = 0; i < WAY_SLOTS; i++)
        queue_init(&queue->slots[i]);
    queue->waiting = 0;
    queue->last = 0;
    queue->count = 0;
}

void way_queue_push(struct way_queue *queue, unsigned slot, struct queue_link *link)
{
    queue_push(&queue->slots[slot], link);
    queue->waiting |= UINT64_C(1) << slot;
    queue->count++;
}

struct queue_link *way_queue_pop(struct way_queue *queue, uint64_t barred, unsigned *ret_slot)
{
    uint64_t open = queue->waiting & ~barred;
    /* The bits after the last slot; none there: from the beginning. */
    uint64_t after =
        queue->last < WAY_SLOTS - 1 ? open >> (queue->last + 1) << (queue->last + 1) : 0;
    struct queue_link *link;
    unsigned slot;

    if (open == 0)
        return NULL;
    slot = (unsigned)__builtin_ctzll(after != 0 ? after : open);
    link = queue_pop(&queue->slots[slot]);
    if (queue->slots[slot].first == NULL)
        queue->waiting &= ~(UINT64_C(1) << slot);
    queue->count--;
    queue->last = slot;
    *ret_slot = slot;
    return link;
}

bool way_queue_remove(struct way_queue *queue, unsigned slot, struct queue_link *link)
{
    struct queue *in = &queue->slots[slot];
    bool found = false;

    for (size_t left = in->count; left > 0; left--) {
        struct queue_link *at = queue_pop(in);

        if (at == link)
            found = true;
        else
            queue_push(in, at);
    }
    if (in->first == NULL)
        queue->waiting &= ~(UINT64_C(1) << slot);
    queue->count -= found ? 1 : 0;
    return found;
}
