/* SPDX-License-Identifier: Apache-2.0 */
#include "lateness.h"

#include "base/clock.h"
#include "checks.h"
#include "fake_store.h"
#include "fake_watch.h"
#include "sim.h"
#include "world.h"

#define CLOCK_ERROR_MS 1500 /* what is known from Dates */
#define CLEANED_MS 115000   /* a key may be missing from lists for a minute */
#define LATE_MS 5000        /* in a calm seed a key is gone this long after its lease */
#define AGAIN_MS 65000 /* a key, when all is well again: the retry, and what the budget takes */
#define STUCK_MS                                                                                   \
    305000 /* a key that AWS refused to delete: nobody told the agent that it may now */
#define FENCE_MS 180000 /* a fence: the retry, and once more when nothing can come late */

static bool is_late(const struct lease *lease)
{
    const struct grant *grant = check_grant(&lease->id);
    int64_t exited_ms = grant->pid != 0 && grant->issued ? fake_process_exited_ms(grant->pid) : 0;

    return sim.now_ms > lease->expires_ms + LATE_MS ||
           (exited_ms != 0 && sim.now_ms > exited_ms + LATE_MS &&
            sim.now_ms > grant->issued_ms + LATE_MS);
}

void check_not_late(void)
{
    const struct lease *lease;

    for (size_t i = 0; (lease = fake_store_nth(i)) != NULL; i++) {
        if (lease->state == LEASE_ACTIVE && is_late(lease) &&
            cloud_key_exists(lease->access_key_id))
            sim_violation("key of user %s is there %d s after its lease or its process",
                          lease->user_name, LATE_MS / 1000);
        if (lease->state == LEASE_REVOKING && lease->stage != REVOKE_WAIT &&
            sim.now_ms > lease->revoking_ms + CLEANED_MS)
            sim_violation("user %s is not cleaned up after %d s", lease->user_name,
                          CLEANED_MS / 1000);
    }
}

/* Since when the agent knows what time it is: by a wrong clock, before AWS told it another, keys
 * live to their fence. */
static int64_t well_since_ms(void)
{
    static int64_t since_ms; /* of another seed, when it is in the future */
    int64_t off_ms = clock_aws_ms() - sim.now_ms;

    if (off_ms > CLOCK_ERROR_MS || off_ms < -CLOCK_ERROR_MS || since_ms > sim.now_ms)
        since_ms = sim.now_ms;
    return since_ms > sim.healed_ms ? since_ms : sim.healed_ms;
}

static bool is_past(int64_t since_ms, int64_t well_ms, int64_t ms)
{
    return sim.now_ms > (since_ms > well_ms ? since_ms : well_ms) + ms;
}

/* From when on the key has no business to live. */
static int64_t over_ms(const struct lease *lease)
{
    return lease->state == LEASE_REVOKING && lease->revoking_ms < lease->expires_ms
               ? lease->revoking_ms
               : lease->expires_ms;
}

void check_not_late_again(void)
{
    int64_t well_ms = well_since_ms();
    const struct lease *lease;

    for (size_t i = 0; world.alive && (lease = fake_store_nth(i)) != NULL; i++) {
        if (lease->recipe.type != CREDENTIAL_IAM_USER || !lease_is_live(lease))
            continue;
        if (lease->state != LEASE_ISSUING && lease->access_key_id[0] != '\0' &&
            is_past(over_ms(lease), well_ms, lease->stuck ? STUCK_MS : AGAIN_MS) &&
            cloud_key_exists(lease->access_key_id))
            sim_violation("all is well, and the key of user %s lives %.0f s after it was to die",
                          lease->user_name, (double)(sim.now_ms - over_ms(lease)) / 1000);
        if (lease->state == LEASE_ACTIVE && lease->fence_ms != 0 && lease->delivered &&
            is_past(0, well_ms, FENCE_MS))
            sim_violation("all is well, and the fence of user %s may be too late still",
                          lease->user_name);
    }
}
