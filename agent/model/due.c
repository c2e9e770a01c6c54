/* SPDX-License-Identifier: Apache-2.0 */
#include "model/due.h"

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* When the agent renews a bound lease by itself; 0: never. */
static int64_t renew_at(const struct lease *lease)
{
    int64_t half_ms = lease->granted_ttl_s * 500;
    int64_t at_ms;

    if (!lease->bound || lease->recipe.type != CREDENTIAL_IAM_USER)
        return 0;
    if (lease->granted_ttl_s < DUE_RENEW_TTL_MIN_S || lease->expires_ms >= lease->last_end_ms)
        return 0;
    at_ms = later(lease->expires_ms - sooner(DUE_RENEW_SPARE_MS, half_ms), lease->retry_ms);
    return at_ms < lease->expires_ms ? at_ms : 0;
}

static struct due held_next(const struct lease *lease)
{
    int64_t renew_ms = renew_at(lease);

    return renew_ms != 0 ? (struct due){DUE_RENEW, renew_ms}
                         : (struct due){DUE_EXPIRE, lease->expires_ms};
}

static struct due active_next(const struct lease *lease)
{
    struct due next;

    if (!lease->delivered) {
        int64_t at_ms = later(lease->created_ms + DUE_MINT_DEADLINE_MS, lease->retry_ms);

        return (struct due){DUE_UNDELIVERED, sooner(at_ms, lease->expires_ms)};
    }
    next = held_next(lease);
    if (lease->fence_ms != 0 && lease->fence_retry_ms < next.at_ms)
        return (struct due){DUE_FENCE, lease->fence_retry_ms};
    return next;
}

struct due due_next(const struct lease *lease)
{
    switch (lease->state) {
    case LEASE_ISSUING:
        return (struct due){DUE_RECOVER, lease->created_ms + DUE_MINT_DEADLINE_MS};
    case LEASE_ACTIVE:
        return active_next(lease);
    case LEASE_REVOKING:
        return (struct due){DUE_REVOKE,
                            lease->retry_ms != 0 ? lease->retry_ms : lease->revoking_ms};
    case LEASE_REVOKED:
        return (struct due){DUE_PRUNE, lease->revoked_ms + DUE_REVOKED_KEEP_MS};
    case LEASE_NONE:
        break;
    }
    return (struct due){DUE_NONE, 0};
}
