/* SPDX-License-Identifier: Apache-2.0 */
#include "checks.h"

#include "base/clock.h"
#include "fake_store.h"
#include "fake_watch.h"
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#define GRANTS_MAX 512
#define SPREAD_MS 1000      /* fences know whole seconds */
#define HOLD_MS 60000       /* expiries wait for AWS's time this long, after a start or a jump */
#define CLOCK_ERROR_MS 1500 /* what is known from Dates */

static struct grant grants[GRANTS_MAX];
static size_t grant_count;

void check_reset(void)
{
    grant_count = 0;
}

struct grant *check_grant(const struct uuid *id)
{
    for (size_t i = grant_count; i > 0; i--)
        if (uuid_equal(&grants[i - 1].id, id))
            return &grants[i - 1];
    if (grant_count == GRANTS_MAX)
        abort();
    grants[grant_count] = (struct grant){.id = *id};
    return &grants[grant_count++];
}

void check_agent_gone(void)
{
    for (size_t i = 0; i < grant_count; i++) {
        grants[i].cut_short = grants[i].cut_short || grants[i].renewing > 0;
        grants[i].renewing = 0;
    }
}

void check_agent_back(void)
{
    for (size_t i = 0; i < grant_count; i++) {
        const struct lease *lease = fake_store_lease(&grants[i].id);

        if (grants[i].cut_short && lease != NULL) /* it can be asked what holds */
            grants[i].told_end_ms = lease->expires_ms;
        grants[i].cut_short = false;
    }
}

static const struct lease *lease_of(const struct cloud_user *user)
{
    struct uuid id;

    return uuid_parse(user->lease_tag, &id) == 0 ? fake_store_lease(&id) : NULL;
}

/* ---- by the cloud ---- */

void check_user_made(const struct cloud_user *user, const char *lease_tag)
{
    const struct lease *lease;
    struct uuid id;

    if (cloud_find_lease(lease_tag) != NULL)
        sim_violation("a second user of lease %s", lease_tag);
    lease = uuid_parse(lease_tag, &id) == 0 ? fake_store_lease(&id) : NULL;
    if (lease == NULL || !lease_is_live(lease))
        sim_violation("user %s is made, its lease is %s: an orphan", user->name,
                      lease != NULL ? lease_state_name(lease->state) : "not recorded");
}

void check_fence_put(const struct cloud_user *user, const struct cloud_policy *fence)
{
    const struct lease *lease = lease_of(user);

    if (fence->deny_now) {
        if (lease != NULL && lease->state == LEASE_ACTIVE && !fake_store_holds(&lease->id))
            sim_violation("user %s of an active lease is denied everything", user->name);
        return;
    }
    if (fence->deny_from_ms == 0)
        sim_violation("the fence of user %s denies nothing", user->name);
    if (lease != NULL && fence->deny_from_ms > lease->last_end_ms)
        sim_violation("the fence of user %s is later than any renewal may give", user->name);
    if (lease != NULL && lease->state == LEASE_ISSUING && fence->deny_from_ms > lease->expires_ms)
        sim_violation("the first fence of user %s is later than the lease's end", user->name);
}

/* Under trouble a key may be added between the list of keys and this; then the fence goes back up.
 */
void check_fence_deleted(const struct cloud_user *user)
{
    for (size_t i = 0; sim.calm && i < CLOUD_KEYS_MAX; i++)
        if (user->keys[i].id[0] != '\0' && user->keys[i].listed_ms + SPREAD_MS < sim.now_ms)
            sim_violation("the fence of user %s goes while key %s is there", user->name,
                          user->keys[i].id);
}

void check_key_made(struct cloud_user *user, bool late)
{
    const struct cloud_policy *fence = cloud_fence(user);

    if (user->stranger)
        sim_violation("a key for a stranger's user %s", user->name);
    if (user->our_keys > 1)
        sim_violation("a second key of user %s", user->name);
    if (fence == NULL && !late) /* a late one's secret reaches nobody */
        sim_violation("a key of user %s before its fence", user->name);
}

void check_key_deleted(const struct cloud_user *user, const struct cloud_key *key)
{
    const struct lease *lease = lease_of(user);

    if (lease != NULL && lease->state == LEASE_ACTIVE &&
        strcmp(lease->access_key_id, key->id) == 0 && !fake_store_holds(&lease->id))
        sim_violation("the key of user %s is deleted while its lease is active", user->name);
}

void check_stranger_touched(const struct cloud_user *user, const char *action)
{
    sim_violation("%s on a stranger's user %s", action, user->name);
}

/* ---- by the store ---- */

/* Is the agent to blame for going by a wrong time? Not before AWS told it one. */
static bool clock_is_known(void)
{
    int64_t off_ms = clock_aws_ms() - sim.now_ms;

    if (off_ms < CLOCK_ERROR_MS && off_ms > -CLOCK_ERROR_MS)
        return true;
    return clock_offset(NULL) && !sim.jumped;
}

/* May expiries go by the host's clock? Not before AWS's time was waited for. */
static bool host_clock_counts(void)
{
    return !clock_is_known() && (sim.jumped || sim.now_ms - sim.doubted_ms >= HOLD_MS);
}

static void check_cause(const struct lease *old, const struct lease *new)
{
    const struct grant *grant = check_grant(&new->id);
    bool crashed = sim.crashes + sim.stops != grant->crashes;
    bool caused = true;

    switch (new->reason) {
    case REVOKE_EXPIRED:
        caused = host_clock_counts();
        break;
    case REVOKE_CLIENT:
        caused = grant->asked_to_revoke;
        break;
    case REVOKE_PEER_EXIT:
        caused = grant->pid != 0 && !fake_process_lives(grant->pid);
        break;
    case REVOKE_UNDELIVERED:
        caused = grant->undelivered ||
                 (!old->delivered && (!grant->delivered || !sim.calm) &&
                  (crashed || sim.store_troubled || !clock_is_known() ||
                   sim.now_ms + CLOCK_ERROR_MS >= old->created_ms + DUE_MINT_DEADLINE_MS));
        break;
    case REVOKE_RECOVERED:
        caused = old->state == LEASE_ISSUING && !grant->delivered;
        break;
    case REVOKE_FAILED_MINT:
        caused = old->state == LEASE_ISSUING;
        break;
    case REVOKE_NONE:
    case REVOKE_ADMIN:
    case REVOKE_SWEPT:
        caused = false;
    }
    if (!caused && sim.now_ms < old->expires_ms - CLOCK_ERROR_MS)
        sim_violation("a lease is revoked %.1f s before its end without cause (%s)",
                      (double)(old->expires_ms - sim.now_ms) / 1000,
                      revoke_reason_name(new->reason));
}

/* The fence and the key stand when the store says that a lease is renewed. */
static void check_renewal(const struct lease *new)
{
    struct cloud_user *user = cloud_find(new->user_name);
    struct cloud_policy *fence = user != NULL ? cloud_fence(user) : NULL;
    const struct grant *grant = check_grant(&new->id);

    if (new->recipe.type != CREDENTIAL_IAM_USER)
        return;
    if (grant->unrecorded && sim.crashes + sim.stops != grant->crashes)
        return;
    if (user == NULL || !cloud_key_exists(new->access_key_id))
        sim_violation("a lease is renewed and its key is dead");
    if (fence == NULL || fence->deny_now || fence->deny_from_ms < new->expires_ms / 1000 * 1000)
        sim_violation("a lease is renewed and its fence is not");
    if (grant->renewing == 0) /* the agent did it by itself */
        check_grant(&new->id)->told_end_ms = new->expires_ms;
}

/* A user that may not be deleted keeps its fence, after each try that came to its end: sessions
 * made with its key may live on. */
static void check_stuck(const struct lease *old, const struct lease *new)
{
    struct cloud_user *user = cloud_find(new->user_name);

    if (!sim.refused && !sim.path_scoped)
        sim_violation("a lease is stuck and AWS refused nothing: %s", new->error);
    if (old == NULL || new->attempts == old->attempts)
        return;
    if (user != NULL && sim.trouble == TROUBLE_DENIED && strcmp(sim.denied, "DeleteUser") == 0 &&
        strstr(new->error, "DeleteUser:") != NULL && cloud_fence(user) == NULL)
        sim_violation("user %s may not be deleted, and its fence is gone", user->name);
}

void check_held(const struct lease *new)
{
    const struct lease *old = fake_store_lease(&new->id);

    if (old != NULL && (old->state == LEASE_ACTIVE || old->state == LEASE_ISSUING) &&
        new->state > LEASE_ACTIVE && !fake_store_holds(&new->id))
        check_cause(old, new);
    check_grant(&new->id)->unrecorded = true;
}

void check_committed(const struct lease *old, const struct lease *new)
{
    enum lease_state was = old != NULL ? old->state : LEASE_NONE;
    char tag[UUID_TEXT_SIZE];

    if (old == NULL)
        check_grant(&new->id)->crashes = sim.crashes + sim.stops;
    if (new->state != was)
        sim_note("lease %s %s -> %s %s", new->user_name, lease_state_name(was),
                 lease_state_name(new->state), revoke_reason_name(new->reason));
    if (lease_is_live(new) && due_next(new).action == DUE_NONE)
        sim_violation("a live lease without a due row");
    if (old != NULL && new->expires_ms < old->expires_ms)
        sim_violation("a lease gets shorter");
    if (new->expires_ms > new->last_end_ms &&new->recipe.type == CREDENTIAL_IAM_USER)
        sim_violation("a lease ends after its max_ttl");
    if (was == LEASE_ACTIVE && new->state == LEASE_ACTIVE &&new->expires_ms > old->expires_ms)
        check_renewal(new);
    if (new->stuck)
        check_stuck(old, new);
    if (was == LEASE_REVOKING && new->state == LEASE_ACTIVE)
        sim_violation("a lease comes back from being revoked");
    if ((was == LEASE_ACTIVE || was == LEASE_ISSUING) && new->state > LEASE_ACTIVE &&
        !fake_store_holds(&new->id))
        check_cause(old, new);
    if (new->state == LEASE_ACTIVE)
        check_grant(&new->id)->active = true;
    uuid_format(&new->id, tag);
    if (new->state == LEASE_REVOKED && cloud_find_lease(tag) != NULL)
        sim_violation("a lease is revoked and user %s is there: an orphan", new->user_name);
}

/* ---- by the clients ---- */

void check_issued(const struct issue *issue)
{
    const struct lease *lease = fake_store_lease(&issue->lease.id);
    struct grant *grant = check_grant(&issue->lease.id);
    int64_t end_ms;

    grant->issued = true;
    grant->issued_ms = sim.now_ms;
    grant->told_end_ms = issue->lease.expires_ms;
    if (lease == NULL || !grant->active)
        sim_violation("a client gets a credential that is not recorded");
    if (strcmp(lease->access_key_id, issue->credential.access_key_id) != 0)
        sim_violation("a client gets another key than the one recorded");
    if (lease->recipe.type == CREDENTIAL_IAM_USER)
        return;
    if (lease->expires_ms == lease->credential_expires_ms &&
        lease->expires_ms > sim.now_ms + lease->granted_ttl_s * 1000 + SPREAD_MS)
        sim_violation("a session is %.1f s longer than what was granted",
                      (double)(lease->expires_ms - sim.now_ms) / 1000 -
                          (double)lease->granted_ttl_s);
    end_ms = cloud_session_end_ms(issue->credential.access_key_id);
    if (end_ms > lease->expires_ms + SPREAD_MS)
        sim_violation("a session is accepted %.1f s after its lease",
                      (double)(end_ms - lease->expires_ms) / 1000);
}

void check_renewing(const struct uuid *id)
{
    check_grant(id)->renewing++;
}

void check_renewed(const struct renew *renew)
{
    const struct lease *lease = fake_store_lease(&renew->job.lease_id);
    struct grant *grant = check_grant(&renew->job.lease_id);

    grant->renewing--;
    if (lease != NULL && grant->told_end_ms < lease->expires_ms)
        grant->told_end_ms = lease->expires_ms;
    if (renew->job.rc != 0)
        return;
    if (lease == NULL)
        sim_violation("a lease without a record is renewed");
    if (lease->expires_ms < renew->lease.expires_ms)
        sim_violation("a client is told of an end that is not recorded");
    grant->told_end_ms = renew->lease.expires_ms;
}

void check_revoked(const struct revoke *revoke)
{
    const struct lease *lease = fake_store_lease(&revoke->job.lease_id);

    if (lease != NULL && lease->state < LEASE_REVOKING && !fake_store_holds(&lease->id))
        sim_violation("a client is told that a lease is revoked, it is %s",
                      lease_state_name(lease->state));
    if (lease != NULL && lease->recipe.type == CREDENTIAL_IAM_USER &&
        cloud_key_exists(lease->access_key_id) && lease->access_key_id[0] != '\0' &&
        lease->state != LEASE_ISSUING)
        sim_violation("a client is told that a lease is revoked, its key lives");
}

/* ---- now and then, and at the end ---- */

static int64_t latest_end_ms(const struct lease *lease)
{
    const struct grant *grant = check_grant(&lease->id);
    int64_t end_ms = grant->told_end_ms;

    if (lease->fence_ms > end_ms)
        end_ms = lease->fence_ms;
    return grant->cut_short && lease->expires_ms > end_ms ? lease->expires_ms : end_ms;
}

void check_every_key_ends(void)
{
    struct cloud_user *user;

    for (size_t i = 0; (user = cloud_nth(i)) != NULL; i++) {
        const struct lease *lease = lease_of(user);

        if (!user->exists || user->stranger || lease == NULL || !check_grant(&lease->id)->issued)
            continue;
        for (size_t k = 0; k < CLOUD_KEYS_MAX; k++)
            if (user->keys[k].id[0] != '\0' && user->keys[k].ours &&
                cloud_accepts(user, latest_end_ms(lease) + SPREAD_MS))
                sim_violation("key %s is accepted after the end that its holder was told",
                              user->keys[k].id);
    }
}

void check_nothing_left(void)
{
    const struct lease *lease;
    struct cloud_user *user;
    unsigned strangers = 0;

    for (size_t i = 0; (lease = fake_store_nth(i)) != NULL; i++)
        if (lease_is_live(lease))
            sim_violation("a lease is left %s, stage %d, due in %.0f s: %s",
                          lease_state_name(lease->state), lease->stage,
                          (double)(due_next(lease).at_ms - clock_aws_ms()) / 1000, lease->error);
    for (size_t i = 0; (user = cloud_nth(i)) != NULL; i++) {
        if (user->exists && !user->stranger)
            sim_violation("user %s is left", user->name);
        strangers += user->stranger && user->exists;
    }
    if (strangers == 0)
        sim_violation("a stranger's user is gone");
}
