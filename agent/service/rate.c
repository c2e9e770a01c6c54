/* SPDX-License-Identifier: Apache-2.0 */
#include "service/rate.h"

#include <stddef.h>

static void refill(struct rate_bucket *bucket, double per_s, double burst, int64_t now_ms)
{
    double tokens = bucket->tokens + (double)(now_ms - bucket->at_ms) * per_s / 1000;

    bucket->tokens = tokens < burst ? tokens : burst;
    bucket->at_ms = now_ms;
}

/* A bucket that is full again says nothing that a new one would not say. */
static bool is_idle(struct rate_bucket *bucket, double per_s, double burst, int64_t now_ms)
{
    if (!bucket->used)
        return true;
    refill(bucket, per_s, burst, now_ms);
    return bucket->tokens >= burst;
}

static struct rate_bucket *bucket_of(struct rate *rate, uint32_t uid, double per_s, double burst,
                                     int64_t now_ms)
{
    struct rate_bucket *bucket = NULL;

    for (size_t i = 0; i < RATE_UIDS_MAX; i++)
        if (rate->buckets[i].used && rate->buckets[i].uid == uid)
            return &rate->buckets[i];
    for (size_t i = 0; i < RATE_UIDS_MAX && bucket == NULL; i++)
        if (is_idle(&rate->buckets[i], per_s, burst, now_ms))
            bucket = &rate->buckets[i];
    if (bucket == NULL) {
        bucket = &rate->buckets[RATE_UIDS_MAX];
        if (bucket->used)
            return bucket;
    }
    *bucket = (struct rate_bucket){.used = true, .uid = uid, .tokens = burst, .at_ms = now_ms};
    return bucket;
}

bool rate_take(struct rate *rate, uint32_t uid, double per_s, double burst, int64_t now_ms,
               uint32_t *ret_suppressed, int64_t *ret_wait_ms)
{
    struct rate_bucket *bucket = bucket_of(rate, uid, per_s, burst, now_ms);

    refill(bucket, per_s, burst, now_ms);
    if (bucket->tokens < 1) {
        bucket->suppressed++;
        if (ret_wait_ms != NULL)
            *ret_wait_ms = (int64_t)((1 - bucket->tokens) * 1000 / per_s) + 1;
        return false;
    }
    bucket->tokens -= 1;
    if (ret_suppressed != NULL)
        *ret_suppressed = bucket->suppressed;
    bucket->suppressed = 0;
    return true;
}
