/* SPDX-License-Identifier: Apache-2.0 */
#include "service/room.h"

#include "service/answer.h"
#include "service/service.h"

#include <stdlib.h>

#define LAST_ROW_MAX 8192 /* a page ends after the row that fills it */
#define ANSWER_BYTES ((size_t)ANSWER_PAGE_BYTES + LAST_ROW_MAX)
#define RETRY_MS 100

/* A plain scan: every entry is a uid with requests in flight. */
static struct room_uid *find(struct room *room, uint32_t uid)
{
    for (size_t i = 0; i < room->count; i++)
        if (room->uids[i].uid == uid)
            return &room->uids[i];
    return NULL;
}

static struct room_uid *add(struct room *room, uint32_t uid)
{
    if (room->count == room->size) {
        size_t size = room->size == 0 ? 16 : room->size * 2;
        struct room_uid *uids = reallocarray(room->uids, size, sizeof *uids);

        if (uids == NULL)
            return NULL;
        room->uids = uids;
        room->size = size;
    }
    room->uids[room->count] = (struct room_uid){.uid = uid};
    return &room->uids[room->count++];
}

int room_take(struct room *room, uint32_t uid, size_t unread, struct err *err)
{
    struct room_uid *entry = find(room, uid);
    size_t under_way = (entry != NULL ? entry->count : 0) * ANSWER_BYTES;

    if (under_way + ANSWER_BYTES + unread > SERVICE_ANSWERS_UID_MAX) {
        err_set(err, KMS_EBUSY,
                "lists for uid %u take %d MiB, the limit: those that are made now and those that "
                "are not read yet",
                uid, SERVICE_ANSWERS_UID_MAX >> 20);
        err->retry_after_ms = RETRY_MS;
        return err->code;
    }
    if (entry == NULL)
        entry = add(room, uid);
    if (entry == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    entry->count++;
    return 0;
}

void room_give(struct room *room, uint32_t uid)
{
    struct room_uid *entry = find(room, uid);

    if (entry != NULL && --entry->count == 0)
        *entry = room->uids[--room->count];
}

void room_done(struct room *room)
{
    free(room->uids);
    *room = (struct room){0};
}
