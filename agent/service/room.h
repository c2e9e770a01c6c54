/* SPDX-License-Identifier: Apache-2.0 */
/* Room for long answers: a peer that asks for many lists and reads none of them must not make the
 * agent keep them all. Loop thread. */
#ifndef KMS_AGENT_SERVICE_ROOM_H
#define KMS_AGENT_SERVICE_ROOM_H

#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

struct room_uid {
    uint32_t uid, count;
};

/* Zeroed is empty. */
struct room {
    struct room_uid *uids; /* those with long answers under way */
    size_t count, size;
};

/* Counts a long answer to uid, which has not read so many bytes of others: 0, KMS_EBUSY when both
 * together would be more than SERVICE_ANSWERS_UID_MAX, or KMS_ENOMEM. */
int room_take(struct room *room, uint32_t uid, size_t unread, struct err *err) KMS_MUST_CHECK;
/* Gives one back. */
void room_give(struct room *room, uint32_t uid);
void room_done(struct room *room);

#endif
