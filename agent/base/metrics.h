/* SPDX-License-Identifier: Apache-2.0 */
/* What is counted while the agent works: counters with up to two labels, and how long AWS takes to
 * answer. Atomics only, nothing is ever freed or reset, so that counting may happen anywhere. Any
 * thread; never fails: what finds no room is counted under the labels "other".
 */
#ifndef KMS_AGENT_BASE_METRICS_H
#define KMS_AGENT_BASE_METRICS_H

#include <stdint.h>

enum metric {
    METRIC_MINTS,            /* secret */
    METRIC_RENEWALS,         /* secret */
    METRIC_REVOCATIONS,      /* secret, reason: users that are gone */
    METRIC_FAILURES,         /* secret, AWS code or the agent's own error name: mints that failed */
    METRIC_RENEWAL_FAILURES, /* the same of renewals */
    METRIC_REVOCATION_FAILURES, /* the same of attempts to revoke */
    METRIC_AWS_CALLS,           /* action, outcome: ok, an AWS code, or no_answer */
    METRIC_AWS_THROTTLES,       /* service */
    METRIC_SWEEPS,              /* outcome: ok, failed, denied */
    METRIC_SWEEP_FINDINGS,      /* orphan, queued */
    METRIC_COUNT
};

#define METRIC_LABEL_MAX 64 /* longer ones are cut */
#define METRIC_BUCKETS 10   /* upper bounds in metric_bucket_ms, the last one has none */

extern const int64_t metric_bucket_ms[METRIC_BUCKETS - 1];

/* Adds one. Labels that a metric does not have are NULL. */
void metrics_count(enum metric metric, const char *label, const char *label2);
/* One answered call of service 0 … METRIC_SERVICES − 1 took so long. */
#define METRIC_SERVICES 2
void metrics_latency(unsigned service, int64_t ms);

/* Calls each once for every counter that is not 0, in no particular order. */
void metrics_each(void (*each)(enum metric metric, const char *label, const char *label2,
                               uint64_t value, void *arg),
                  void *arg);
struct metric_latency {
    uint64_t buckets[METRIC_BUCKETS]; /* not cumulative */
    uint64_t count, sum_ms;
};
void metrics_read_latency(unsigned service, struct metric_latency *ret);

#endif
