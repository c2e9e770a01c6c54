/* SPDX-License-Identifier: Apache-2.0 */
#include "lease/sweep_user.h"

#include "base/clock.h"
#include "common/timefmt.h"
#include "lease/lease_txn_private.h"
#include "model/partition.h"

#include <stdio.h>
#include <string.h>

#define NO_UID UINT32_MAX /* whose lease it was is not known: nobody's */

/* 32 lower-case hex digits as a UUID; false when there are fewer. */
static bool read_hex(const char *text, struct uuid *ret)
{
    char digits[UUID_HEX_SIZE];

    if (strspn(text, "0123456789abcdef") < UUID_HEX_SIZE - 1)
        return false;
    snprintf(digits, sizeof digits, "%s", text);
    return uuid_parse(digits, ret) == 0;
}

static bool is_live(struct lease_env *env, const struct uuid *id)
{
    struct lease lease;
    struct err err = {0};
    int rc = store_read(env->store, id, &lease, &err);

    /* A record that cannot be read may be live: hands off. */
    return rc == 0 ? lease_is_live(&lease) : rc != KMS_ENOLEASE;
}

bool sweep_user_may_be_ours(struct lease_env *env, const struct sweep_user *user)
{
    struct uuid id;
    bool carries = false;

    for (const char *at = user->name; *at != '\0'; at++) {
        if (!read_hex(at, &id))
            continue;
        carries = true;
        if (is_live(env, &id))
            return false;
    }
    return carries;
}

bool sweep_user_is_orphan(struct lease_env *env, struct sweep_user *user,
                          const struct iam_user *found)
{
    if (strcmp(found->agent_tag, env->agent_id) != 0 || strcmp(found->user_name, user->name) != 0)
        return false;
    if (uuid_parse(found->lease_tag, &user->lease_id) != 0 || uuid_is_nil(&user->lease_id) ||
        time_parse(found->last_end_tag, &user->last_end_ms) != 0)
        return false;
    /* Without AWS's time nothing is past. */
    return clock_offset(NULL) && user->last_end_ms < clock_aws_ms() &&
           !is_live(env, &user->lease_id);
}

/* What a revocation needs, from the tags and from the secret whose path the user lies under. */
static void make_lease(const struct sweep_user *user, const struct iam_user *found,
                       struct lease *lease)
{
    int64_t created_ms = uuid7_ms(&user->lease_id);

    *lease = (struct lease){
        .id = user->lease_id,
        .recipe = user->secret->recipe,
        .owner = {.uid = NO_UID, .gid = NO_UID},
        .delivered = true,
        .create_answered = true,
        .created_ms = created_ms < user->last_end_ms ? created_ms : user->last_end_ms,
        .expires_ms = user->last_end_ms,
        .last_end_ms = user->last_end_ms,
        .revoking_ms = clock_aws_ms(),
        .reason = REVOKE_SWEPT,
        .stage = REVOKE_KEY,
    };
    lease->create_user_ms = lease->created_ms;
    snprintf(lease->secret, sizeof lease->secret, "%s", user->secret->name);
    snprintf(lease->user_name, sizeof lease->user_name, "%s", user->name);
    snprintf(lease->user_id, sizeof lease->user_id, "%s", found->user_id);
    snprintf(lease->arn, sizeof lease->arn, "%s", found->arn);
    snprintf(lease->recipe.path, sizeof lease->recipe.path, "%s", found->path);
    if (arn_account(found->arn, lease->account_id) != 0)
        lease->account_id[0] = '\0';
}

struct queue_arg {
    const struct lease *lease;
    bool queued;
};

static int apply_queue(struct store_txn *txn, void *arg, struct err *err)
{
    struct queue_arg *a = arg;
    struct lease lease = *a->lease, stored;
    int next, rc = store_get(txn, &lease.id, &stored, err);

    a->queued = false;
    if (rc != 0 && rc != KMS_ENOLEASE)
        return rc;
    next = lease_next(rc == 0 ? stored.state : LEASE_NONE, LEASE_EVENT_FIND);
    if (next < 0)
        return 0; /* live after all */
    err_clear(err);
    lease.state = (enum lease_state)next;
    a->queued = true;
    return txn_put_and_audit(txn, &lease, AUDIT_REVOKING, &(struct audit_facts){0}, err);
}

int sweep_user_queue(struct lease_env *env, struct sweep_user *user, const struct iam_user *found,
                     struct err *err)
{
    struct lease lease;
    struct queue_arg arg = {.lease = &lease};
    int rc;

    make_lease(user, found, &lease);
    rc = store_run(env->store, apply_queue, &arg, true, err);
    if (rc != 0)
        return rc;
    user->queued = arg.queued;
    if (arg.queued)
        env->due_changed(env->due_changed_arg);
    return 0;
}
