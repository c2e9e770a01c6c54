/* SPDX-License-Identifier: Apache-2.0 */
/* How many connections there may be, in all and for one uid. Loop thread. */
#ifndef KMS_AGENT_FRONT_LIMITS_H
#define KMS_AGENT_FRONT_LIMITS_H

#include "common/err.h"

#include <stdint.h>

struct limits_uid {
    uint32_t uid, count;
};

struct limits {
    unsigned max, max_per_uid;
    unsigned count;          /* connections counted */
    struct limits_uid *uids; /* those with any */
    unsigned uid_count, uid_size;
};

/* Zeroed memory is a good start; limits may be lowered below what is open (nothing is closed). */
void limits_set(struct limits *limits, unsigned max, unsigned max_per_uid);
/* Counts a connection: 0, KMS_ELIMIT or KMS_ENOMEM (nothing counted). */
int limits_take(struct limits *limits, uint32_t uid) KMS_MUST_CHECK;
/* Gives one back. */
void limits_drop(struct limits *limits, uint32_t uid);
void limits_done(struct limits *limits);

#endif
