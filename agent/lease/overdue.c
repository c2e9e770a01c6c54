/* SPDX-License-Identifier: Apache-2.0 */
#include "lease/overdue.h"

#include "base/clock.h"

/* Retries, of stuck leases too, and claimed rows lie at most this far ahead. */
#define AHEAD_MS 300000

struct reading {
    struct overdue overdue;
    int64_t now_ms;
};

/* When the key had to be dead; 0: it has not to be yet, or it is. */
static int64_t end_of(const struct lease *lease, int64_t now_ms)
{
    if (lease->recipe.type == CREDENTIAL_SESSION)
        return 0;
    if (lease->state == LEASE_REVOKING)
        return lease->stage == REVOKE_KEY || lease->stage == REVOKE_DENY ? lease->revoking_ms : 0;
    return lease->state == LEASE_ACTIVE && lease->expires_ms <= now_ms ? lease->expires_ms : 0;
}

static bool each(const struct lease *lease, void *arg)
{
    struct reading *reading = arg;
    int64_t end_ms = end_of(lease, reading->now_ms), late_ms;

    if (end_ms == 0)
        return true;
    if (lease->expires_ms < end_ms) /* a revocation begins late when the agent was down */
        end_ms = lease->expires_ms;
    late_ms = reading->now_ms - end_ms;
    reading->overdue.count++;
    if (late_ms > reading->overdue.oldest_ms)
        reading->overdue.oldest_ms = late_ms;
    return true;
}

int overdue_read(struct store *store, size_t scan_max, struct overdue *ret, struct err *err)
{
    struct reading reading = {.now_ms = clock_aws_ms()};
    int rc = store_list_due(store, reading.now_ms + AHEAD_MS, scan_max, each, &reading, err);

    if (rc == 0)
        *ret = reading.overdue;
    return rc;
}
