/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of one connection on their way out: a queue of copies, each wiped when it is with the kernel. Loop thread. */
#ifndef KMS_AGENT_FRONT_OUTPUT_H
#define KMS_AGENT_FRONT_OUTPUT_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void output_written_fn(bool ok, void *arg);

struct output_chunk;
struct output {
    struct output_chunk *first, *last;
    size_t len; /* bytes not yet with the kernel */
};

/* Appends a copy; written (may be NULL) runs once. KMS_ENOMEM: nothing was queued, written has not run. */
int output_push(struct output *output, const uint8_t *bytes, size_t len, output_written_fn *written,
                void *arg) KMS_MUST_CHECK;
/* Hands bytes to fd until all are written or it would block: 0, or -1 (errno set) when the peer is gone.
 * *ret_progress (may be NULL): something was written. */
int output_flush(struct output *output, int fd, bool *ret_progress) KMS_MUST_CHECK;
/* Wipes and frees what is left; each written(false) runs. */
void output_fail(struct output *output);

#endif
