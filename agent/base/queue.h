/* SPDX-License-Identifier: Apache-2.0 */
/* Intrusive singly linked FIFO (no locking). Embed a struct queue_link; get the container by QUEUE_OF. */
#ifndef KMS_AGENT_BASE_QUEUE_H
#define KMS_AGENT_BASE_QUEUE_H

#include <stddef.h>

struct queue_link {
    struct queue_link *next;
};
struct queue {
    struct queue_link *first, **last;
    size_t count;
};
#define QUEUE_OF(link, type, member) ((type *)(void *)((char *)(link) - offsetof(type, member)))

static inline void queue_init(struct queue *queue)
{
    queue->first = NULL;
    queue->last = &queue->first;
    queue->count = 0;
}

static inline void queue_push(struct queue *queue, struct queue_link *link)
{
    link->next = NULL;
    *queue->last = link;
    queue->last = &link->next;
    queue->count++;
}

static inline void queue_push_front(struct queue *queue, struct queue_link *link)
{
    link->next = queue->first;
    if (queue->first == NULL)
        queue->last = &link->next;
    queue->first = link;
    queue->count++;
}

/* First element or NULL. */
static inline struct queue_link *queue_pop(struct queue *queue)
{
    struct queue_link *link = queue->first;

    if (link == NULL)
        return NULL;
    queue->first = link->next;
    if (queue->first == NULL)
        queue->last = &queue->first;
    queue->count--;
    return link;
}

#endif
