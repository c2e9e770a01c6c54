/* SPDX-License-Identifier: Apache-2.0 */
#include "front/limits.h"

#include <stdlib.h>

void limits_set(struct limits *limits, unsigned max, unsigned max_per_uid)
{
    limits->max = max;
    limits->max_per_uid = max_per_uid;
}

/* A plain scan: there are never more uids than connections, and few in practice. */
static struct limits_uid *find(struct limits *limits, uint32_t uid)
{
    for (unsigned i = 0; i < limits->uid_count; i++)
        if (limits->uids[i].uid == uid)
            return &limits->uids[i];
    return NULL;
}

static struct limits_uid *add(struct limits *limits, uint32_t uid)
{
    if (limits->uid_count == limits->uid_size) {
        unsigned size = limits->uid_size == 0 ? 16 : limits->uid_size * 2;
        struct limits_uid *uids = reallocarray(limits->uids, size, sizeof *uids);

        if (uids == NULL)
            return NULL;
        limits->uids = uids;
        limits->uid_size = size;
    }
    limits->uids[limits->uid_count] = (struct limits_uid){.uid = uid};
    return &limits->uids[limits->uid_count++];
}

int limits_take(struct limits *limits, uint32_t uid)
{
    struct limits_uid *entry = find(limits, uid);

    if (limits->count >= limits->max + (uid == 0 ? LIMITS_ROOT_MORE : 0) ||
        (entry != NULL && entry->count >= limits->max_per_uid) || limits->max_per_uid == 0)
        return KMS_ELIMIT;
    if (entry == NULL)
        entry = add(limits, uid);
    if (entry == NULL)
        return KMS_ENOMEM;
    entry->count++;
    limits->count++;
    return 0;
}

void limits_drop(struct limits *limits, uint32_t uid)
{
    struct limits_uid *entry = find(limits, uid);

    if (entry == NULL)
        return;
    limits->count--;
    if (--entry->count == 0)
        *entry = limits->uids[--limits->uid_count];
}

void limits_move_unread(struct limits *limits, uint32_t uid, size_t was, size_t is)
{
    struct limits_uid *entry = find(limits, uid);

    if (entry != NULL)
        entry->unread += is - was;
}

size_t limits_unread(struct limits *limits, uint32_t uid)
{
    const struct limits_uid *entry = find(limits, uid);

    return entry != NULL ? entry->unread : 0;
}

bool limits_reads_slowly(struct limits *limits, uint32_t uid)
{
    return limits_unread(limits, uid) >= limits->max_unread;
}

void limits_done(struct limits *limits)
{
    free(limits->uids);
    *limits = (struct limits){0};
}
