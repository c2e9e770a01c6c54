/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of one connection on their way out: a queue of copies, each wiped when it is with the kernel. Loop thread. */
#ifndef KMS_AGENT_FRONT_OUTPUT_H
#define KMS_AGENT_FRONT_OUTPUT_H

#include "front/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void output_written_fn(bool ok, void *arg);

struct output_chunk;
struct output {
    struct output_chunk *first, *last;
    size_t len; /* bytes not yet with the kernel */
    size_t max; /* above it nothing more is asked for */
    struct limits *limits; /* NULL: nobody counts */
    uint32_t uid;
    size_t counted; /* of len, in limits */
};

/* limits (may be NULL) counts what waits for uid; it outlives the output. */
void output_init(struct output *output, size_t max, struct limits *limits, uint32_t uid);
/* Whether another request may be read: nothing waits here, or less than max and less than the limit of the uid. So one
 * connection that is not read does not stop the others of its uid. */
bool output_has_room(const struct output *output);
/* Hands bytes to fd at once when nothing waits before them, and appends a copy of what is left; written (may be NULL)
 * runs once, perhaps before this returns. KMS_ENOMEM: written has not run and will not; the peer may have got a part. */
int output_push(struct output *output, int fd, const uint8_t *bytes, size_t len, output_written_fn *written,
                void *arg) KMS_MUST_CHECK;
/* Hands bytes to fd until all are written or it would block: 0, or -1 (errno set) when the peer is gone.
 * *ret_progress (may be NULL): something was written. */
int output_flush(struct output *output, int fd, bool *ret_progress) KMS_MUST_CHECK;
/* Wipes and frees what is left; each written(false) runs. */
void output_fail(struct output *output);

#endif
