/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets per uid in a table of fixed size: what one uid does never makes it grow. Loop thread. */
#ifndef KMS_AGENT_SERVICE_RATE_H
#define KMS_AGENT_SERVICE_RATE_H

#include <stdbool.h>
#include <stdint.h>

#define RATE_UIDS_MAX 256

struct rate_bucket {
    bool used;
    uint32_t uid;
    double tokens;
    int64_t at_ms;       /* boot clock */
    uint32_t suppressed; /* refusals since the last success */
};

/* Zeroed is empty. When all buckets are in use by uids that are below their burst, further uids share one. */
struct rate {
    struct rate_bucket buckets[RATE_UIDS_MAX + 1];
};

/* Takes one token of uid's bucket (per_s a second, at most burst). True, with how many were refused since the last time
 * in *ret_suppressed (may be NULL); or false with when to ask again in *ret_wait_ms (may be NULL). */
bool rate_take(struct rate *rate, uint32_t uid, double per_s, double burst, int64_t now_ms, uint32_t *ret_suppressed,
               int64_t *ret_wait_ms);

#endif
