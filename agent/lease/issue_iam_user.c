/* SPDX-License-Identifier: Apache-2.0 */
/* Minting an IAM user: the order is the safety (design: A lease's life). The fence stands before
 * the key exists. */
#include "aws/iam_user.h"
#include "aws/sts.h"
#include "base/clock.h"
#include "common/timefmt.h"
#include "lease/issue_private.h"
#include "lease/lease_txn.h"
#include "model/fence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CREATE_USER_LIMIT_MS                                                                       \
    15000 /* a CreateUser is not sent later than this: the guard counts on it */
#define STEP_LIMIT_MS 20000
#define LAG_LIMIT_MS 60000
#define PROBE_INTERVAL_MS 1000
#define PROBE_RETRY_MS 500
#define PROBE_SUCCESSES 2
#define TAGS_MAX 50

static int step_intend(struct issue *issue, struct lease_worker *worker, struct err *err)
{
    struct lease_caps caps = {
        .per_secret = issue->secret->max_leases,
        .per_uid = issue->config->agent.max_leases_per_uid,
    };
    struct lease *lease = &issue->lease;
    int rc;

    (void)worker;
    /* In case CreateUser has no answer: where the user is then, if it was made. */
    memcpy(lease->account_id, issue->progress->access.credential.account_id,
           sizeof lease->account_id);
    rc = lease_txn_intend(issue->env, lease, &caps, err);
    issue->progress->intended = rc == 0;
    return rc;
}

/* Tags: ours first (the sweep and a revoke after a crash find the user by them), then the
 * operator's. */
static size_t fill_tags(const struct issue *issue, struct iam_tag tags[TAGS_MAX],
                        char id[UUID_TEXT_SIZE], char end[TIME_TEXT_SIZE])
{
    const struct secret_config *secret = issue->secret;
    size_t n = 0;

    uuid_format(&issue->lease.id, id);
    time_format(issue->lease.last_end_ms, end);
    tags[n++] = (struct iam_tag){"kms-agent-id", issue->env->agent_id};
    tags[n++] = (struct iam_tag){"kms-lease-id", id};
    tags[n++] = (struct iam_tag){"kms-last-end", end};
    for (size_t i = 0; i < secret->tag_count && n < TAGS_MAX; i++)
        tags[n++] = (struct iam_tag){secret->tags[i].key, secret->tags[i].value};
    return n;
}

static void take_user(struct issue *issue, const struct iam_user *user)
{
    struct lease *lease = &issue->lease;

    snprintf(lease->user_id, sizeof lease->user_id, "%s", user->user_id);
    snprintf(lease->arn, sizeof lease->arn, "%s", user->arn);
    if (arn_account(user->arn, lease->account_id) == 0)
        source_set_account(issue->env->sources, issue->progress->access.credential.access_key_id,
                           lease->account_id);
    lease->create_answered = true;
    lease_txn_post_created(issue->env, lease);
}

/* The name exists: ours after a lost answer (adopt), or a stranger's (leave alone). */
static int adopt_user(struct issue *issue, struct err *err)
{
    struct issue_progress *p = issue->progress;
    struct iam_user user;
    char id[UUID_TEXT_SIZE];
    int rc = iam_get_user(&p->access.target, issue->lease.user_name, &user, &p->result, err);

    if (rc != 0)
        return rc;
    uuid_format(&issue->lease.id, id);
    if (strcmp(user.lease_tag, id) != 0) {
        p->called = false;
        return err_set(err, KMS_EEXISTS, "IAM has a user %s that this lease did not make",
                       issue->lease.user_name);
    }
    take_user(issue, &user);
    return 0;
}

/* Whether AWS may have done it although it did not say so. */
static bool result_is_unclear(const struct aws_result *result)
{
    return result->maybe_applied ||
           (result->failure == AWS_FAILED_TRANSIENT && result->status >= 500);
}

static int step_create_user(struct issue *issue, struct lease_worker *worker, struct err *err)
{
    struct issue_progress *p = issue->progress;
    const struct secret_config *secret = issue->secret;
    struct iam_tag tags[TAGS_MAX];
    char id[UUID_TEXT_SIZE], end[TIME_TEXT_SIZE];
    struct iam_create_user request = {
        .user_name = issue->lease.user_name,
        .path = issue->lease.recipe.path,
        .permissions_boundary = secret->permissions_boundary,
        .tags = tags,
        .tag_count = fill_tags(issue, tags, id, end),
    };
    struct iam_user user;
    struct err note = {0};
    int rc;

    (void)worker;
    if (p->retry.attempt > 0 &&
        clock_boot_ms() > p->retry.started_ms + CREATE_USER_LIMIT_MS) /* the budget was short */
        return err_set(err, KMS_EAWSDOWN, "AWS did not answer CreateUser in time");
    p->called = true;
    issue->lease.create_user_ms = clock_aws_ms();
    p->create_sent = true;
    rc = iam_create_user(&p->access.target, &request, &user, &p->result, err);
    if (rc == 0) {
        take_user(issue, &user);
        return 0;
    }
    p->create_unclear = p->create_unclear || result_is_unclear(&p->result) ||
                        p->result.failure == AWS_FAILED_EXISTS;
    if (result_is_unclear(&p->result)) {
        int unrecorded;

        issue->lease.create_unclear = true;
        unrecorded = lease_txn_create_unclear(issue->env, &issue->lease, &note);
        if (unrecorded != 0) {
            p->called = false; /* not again: two may be under way, and a crash would forget one */
            *err = note;
            return unrecorded;
        }
    }
    if (p->result.failure == AWS_FAILED_EXISTS)
        return adopt_user(issue, err);
    return rc;
}

static int step_put_fence(struct issue *issue, struct lease_worker *worker, struct err *err)
{
    struct issue_progress *p = issue->progress;
    struct lease *lease = &issue->lease;
    char *document = NULL;
    int rc =
        fence_user_document(lease->arn, lease->expires_ms, lease->recipe.deny_role_hop, &document);

    (void)worker;
    if (rc != 0)
        return err_set(err, rc, "no memory for the fence");
    p->called = true;
    rc = iam_put_user_policy(&p->access.target, lease->user_name, FENCE_POLICY_NAME, document,
                             &p->result, err);
    free(document);
    return rc;
}

static size_t count_groups(const struct issue *issue)
{
    return issue->secret->groups.count;
}

static int step_groups(struct issue *issue, struct lease_worker *worker, struct err *err)
{
    struct issue_progress *p = issue->progress;

    (void)worker;
    p->called = true;
    return iam_add_user_to_group(&p->access.target, issue->lease.user_name,
                                 issue->secret->groups.items[p->item], &p->result, err);
}

static size_t count_policies(const struct issue *issue)
{
    return issue->secret->policy_arns.count;
}

static int step_policies(struct issue *issue, struct lease_worker *worker, struct err *err)
{
    struct issue_progress *p = issue->progress;

    (void)worker;
    p->called = true;
    return iam_attach_user_policy(&p->access.target, issue->lease.user_name,
                                  issue->secret->policy_arns.items[p->item], &p->result, err);
}

static size_t count_documents(const struct issue *issue)
{
    return issue->secret->policy_documents.count;
}

static int step_documents(struct issue *issue, struct lease_worker *worker, struct err *err)
{
    struct issue_progress *p = issue->progress;
    char name[sizeof FENCE_INLINE_PREFIX + 24];

    (void)worker;
    snprintf(name, sizeof name, "%s%zu", FENCE_INLINE_PREFIX, p->item + 1);
    p->called = true;
    return iam_put_user_policy(&p->access.target, issue->lease.user_name, name,
                               issue->secret->policy_documents.items[p->item], &p->result, err);
}

static int step_create_access_key(struct issue *issue, struct lease_worker *worker, struct err *err)
{
    struct issue_progress *p = issue->progress;
    int rc;

    (void)worker;
    p->called = true;
    rc = iam_create_access_key(&p->access.target, issue->lease.user_name, &issue->credential,
                               &p->result, err);
    aws_access_note_call(&p->result, &issue->call);
    if (rc == 0)
        snprintf(issue->lease.access_key_id, sizeof issue->lease.access_key_id, "%s",
                 issue->credential.access_key_id);
    else if (result_is_unclear(&p->result))
        p->result.failure = AWS_FAILED_PERMANENT; /* a key may exist that nobody has: never again */
    return rc;
}

static int step_grant(struct issue *issue, struct lease_worker *worker, struct err *err)
{
    int rc;

    (void)worker;
    rc = lease_txn_grant(issue->env, &issue->lease, &issue->call, err);
    if (rc == 0 || rc == KMS_EREFUSED)
        issue->progress->granted = true; /* from here the record has the key: nothing to give up */
    return rc;
}

/* How long the probe may take: ready_timeout, half the TTL, the lease's end, and the request's own
 * deadline. */
static int64_t probe_deadline(const struct issue *issue, int64_t now_ms)
{
    int64_t limit = issue->secret->ready_timeout_ms, half = issue->lease.granted_ttl_s * 500;
    int64_t left = issue->lease.expires_ms - clock_aws_ms();
    int64_t end;

    if (half < limit)
        limit = half;
    if (left < limit)
        limit = left;
    end = now_ms + limit;
    if (issue->job.deadline_ms != 0 && issue->job.deadline_ms < end)
        end = issue->job.deadline_ms;
    return end;
}

/* GetCallerIdentity with the new key, until AWS honours it twice a second apart. Never fails the
 * lease: the answer says ready or not. Waits go through the scheduler. */
static int step_probe(struct issue *issue, struct lease_worker *worker, struct err *err)
{
    struct issue_progress *p = issue->progress;
    struct aws_target target = p->access.target;
    struct sts_identity identity;
    int64_t now = clock_boot_ms();
    int rc;

    if (p->probe_deadline_ms == 0)
        p->probe_deadline_ms = probe_deadline(issue, now);
    if (now >= p->probe_deadline_ms || atomic_load(&issue->job.canceled))
        return 0;
    target.http = worker->http;
    target.credential = &issue->credential;
    target.total_timeout_ms = p->probe_deadline_ms - now < 5000 ? p->probe_deadline_ms - now : 5000;
    rc = sts_get_caller_identity(&target, &identity, &p->result, err);
    err_clear(err);
    if (rc == 0 && ++p->probe_successes >= PROBE_SUCCESSES) {
        issue->lease.ready = true;
        return 0;
    }
    if (rc != 0)
        p->probe_successes = 0;
    /* No answer at all twice: STS is out of reach from here, which says nothing about the key. */
    if ((rc == KMS_EAWSDOWN || rc == KMS_ETIMEOUT) && p->result.status == 0 &&
        ++p->retry.attempt >= 2)
        return 0;
    issue->job.wake_ms = now + (rc == 0 ? PROBE_INTERVAL_MS : PROBE_RETRY_MS);
    return KMS_EAGAIN;
}

#define ONCE NULL
#define NO_CALL AWS_IAM, BUDGET_CLASS_COUNT, false
#define PREPAYS                                                                                    \
    AWS_IAM, BUDGET_MINT_START, true /* so that the intent is never long before CreateUser         \
                                      */
#define IAM_CALL AWS_IAM, BUDGET_MINT, false
#define RETRY_MADE (RETRY_TRANSIENT | RETRY_LAG | RETRY_CHANGING) /* the user is known to exist */
#define RETRY_NAMED                                                                                \
    (RETRY_TRANSIENT | RETRY_CHANGING) /* what the configuration names may be missing */

const struct issue_step issue_iam_user_steps[] = {
    {"prepare", issue_prepare, ONCE, 0, 0, NO_CALL, NULL},
    {"record-intent", step_intend, ONCE, 0, 0, PREPAYS, NULL},
    {"create-user", step_create_user, ONCE, RETRY_MADE, CREATE_USER_LIMIT_MS, IAM_CALL,
     "could not create the IAM user"},
    {"put-fence", step_put_fence, ONCE, RETRY_MADE, LAG_LIMIT_MS, IAM_CALL,
     "could not fence the IAM user"},
    {"add-to-groups", step_groups, count_groups, RETRY_NAMED, STEP_LIMIT_MS, IAM_CALL,
     "could not add the IAM user to its groups"},
    {"attach-policies", step_policies, count_policies, RETRY_NAMED, STEP_LIMIT_MS, IAM_CALL,
     "could not attach the managed policies to the IAM user"},
    {"put-documents", step_documents, count_documents, RETRY_NAMED, STEP_LIMIT_MS, IAM_CALL,
     "could not put the inline policies on the IAM user"},
    {"create-access-key", step_create_access_key, ONCE, RETRY_MADE, STEP_LIMIT_MS, IAM_CALL,
     "could not create the access key"},
    {"record-grant", step_grant, ONCE, 0, 0, NO_CALL, NULL},
    {"probe", step_probe, ONCE, 0, 0, AWS_STS, BUDGET_CLASS_COUNT, false, NULL},
};
const size_t issue_iam_user_step_count =
    sizeof issue_iam_user_steps / sizeof issue_iam_user_steps[0];
