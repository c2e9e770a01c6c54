/* SPDX-License-Identifier: Apache-2.0 */
/* How many connections there may be, in all and for one uid, and how much of its answers a uid has not read. Loop
 * thread. */
#ifndef KMS_AGENT_FRONT_LIMITS_H
#define KMS_AGENT_FRONT_LIMITS_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIMITS_ROOT_MORE 16

struct limits_uid {
    uint32_t uid, count;
    size_t unread; /* bytes of answers that wait for the peers */
};

struct limits {
    unsigned max, max_per_uid;
    size_t max_unread;       /* of a uid */
    unsigned count;          /* connections counted */
    struct limits_uid *uids; /* those with any */
    unsigned uid_count, uid_size;
};

/* Zeroed memory is a good start; limits may be lowered below what is open (nothing is closed). */
void limits_set(struct limits *limits, unsigned max, unsigned max_per_uid);
/* Counts a connection: 0, KMS_ELIMIT or KMS_ENOMEM (nothing counted). Root gets LIMITS_ROOT_MORE in all beyond max:
 * others must not keep it out. */
int limits_take(struct limits *limits, uint32_t uid) KMS_MUST_CHECK;
/* Gives one back. */
void limits_drop(struct limits *limits, uint32_t uid);
/* The unread bytes of one connection were `was` and are `is`. A uid without connections is not counted. */
void limits_move_unread(struct limits *limits, uint32_t uid, size_t was, size_t is);
size_t limits_unread(struct limits *limits, uint32_t uid);
/* The uid has max_unread bytes or more waiting. */
bool limits_reads_slowly(struct limits *limits, uint32_t uid);
void limits_done(struct limits *limits);

#endif
