/* SPDX-License-Identifier: Apache-2.0 */
/* The first steps of every lease: may it be made now, for how long, under which names. */
#include "lease/issue_private.h"

#include "aws/iam_user.h"
#include "aws/sts.h"
#include "base/clock.h"
#include "model/name.h"
#include "model/ttl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LEARN_CLOCK_MS 3000

/* Where STS is out of reach IAM tells the time too: a user that is not there yet is asked for. */
static void ask_iam(const struct issue *issue, const struct aws_target *target)
{
    struct aws_result result;
    struct iam_user user;
    struct err ignored = {0};

    if (issue->lease.recipe.type == CREDENTIAL_IAM_USER && target->credential != NULL)
        (void)!iam_get_user(target, issue->lease.user_name, &user, &result, &ignored);
}

static void ask_sts(const struct aws_target *target)
{
    struct sts_identity identity;
    struct aws_result result;
    struct err ignored = {0};

    (void)!sts_get_caller_identity(target, &identity, &result, &ignored);
}

/* A Date far from this host's clock counts when another one says the same. */
static bool is_doubted(unsigned doubts_before)
{
    return !clock_offset(NULL) && clock_doubts() != doubts_before;
}

/* A lease's times are AWS's, and so is the end of the management session. While AWS's time is not
 * known, just after the start or when the clock was set, a call asks for it that every identity may
 * make; should it fail, the wall clock has to do. */
static int learn_clock(struct issue *issue, struct lease_worker *worker, struct err *err)
{
    struct aws_access *access = &issue->progress->access;
    struct aws_target target = {
        .http = worker->http,
        .recipe = &issue->lease.recipe,
        .credential = access->open ? &access->credential : NULL, /* a refusal has a date too */
        .total_timeout_ms = LEARN_CLOCK_MS,
    };
    unsigned doubts = clock_doubts();

    if (clock_offset(NULL))
        return 0;
    ask_sts(&target);
    if (is_doubted(doubts))
        ask_sts(&target);
    if (!clock_offset(NULL))
        ask_iam(issue, &target);
    if (is_doubted(doubts))
        ask_iam(issue, &target);
    if (!access->open)
        return 0;
    aws_access_done(access);
    return aws_access_open(access, issue->env, worker, &issue->lease.recipe,
                           issue_source_use(issue), &issue->job, err);
}

static int check_skew(struct err *err)
{
    int64_t offset;

    if (!clock_offset(&offset) ||
        (offset <= CLOCK_MINT_SKEW_MAX_MS && offset >= -CLOCK_MINT_SKEW_MAX_MS))
        return 0;
    err_set(err, KMS_ECLOCK,
            "this host's clock is %" PRId64 " s %s AWS's; nothing is minted above %d s",
            (offset < 0 ? -offset : offset) / 1000, offset < 0 ? "ahead of" : "behind",
            CLOCK_MINT_SKEW_MAX_MS / 1000);
    return err_hint(err, "set the clock (timedatectl set-ntp true)");
}

static int check_volatile(const struct issue *issue, struct err *err)
{
    if (issue->lease.recipe.type == CREDENTIAL_SESSION || !store_is_volatile(issue->env->store) ||
        issue->config->agent.allow_volatile_store)
        return 0;
    err_set(err, KMS_ESTORE,
            "IAM users are not made while the lease store in %s is lost at a reboot",
            issue->config->agent.state_directory);
    return err_hint(err, "put state_directory on a disk, or set allow_volatile_store = true");
}

void issue_count_from_now(struct issue *issue)
{
    struct lease *lease = &issue->lease;

    lease->created_ms = clock_aws_ms();
    lease->expires_ms = lease->created_ms + lease->granted_ttl_s * 1000;
    lease->last_end_ms = lease->created_ms + lease->recipe.max_ttl_s * 1000;
}

static int grant_ttl(struct issue *issue, bool caller_is_session, struct err *err)
{
    const struct secret_config *secret = issue->secret;
    struct lease *lease = &issue->lease;
    struct ttl_request request = {
        .recipe = &lease->recipe,
        .requested_s = lease->requested_ttl_s,
        .max_session_s = secret->max_session_duration_s,
        .caller_is_session = caller_is_session,
        .allow_longer = secret->allow_longer,
    };
    int rc = ttl_grant(&request, &issue->ttl, err);

    if (rc != 0)
        return rc;
    lease->requested_ttl_s = issue->ttl.requested_s;
    lease->granted_ttl_s = issue->ttl.granted_s;
    memcpy(lease->clamp_reason, issue->ttl.reason, sizeof lease->clamp_reason);
    issue_count_from_now(issue);
    return 0;
}

enum source_use issue_source_use(const struct issue *issue)
{
    return issue->lease.recipe.type == CREDENTIAL_SESSION ? SOURCE_BASE : SOURCE_IAM;
}

int issue_prepare(struct issue *issue, struct lease_worker *worker, struct err *err)
{
    struct issue_progress *p = issue->progress;
    struct lease *lease = &issue->lease;
    bool session = lease->recipe.type == CREDENTIAL_SESSION;
    struct name_facts facts = {
        .secret = issue->secret->name,
        .lease_id = lease->id,
        .uid = lease->owner.uid,
        .pid = lease->owner.pid,
    };
    bool signs = !(session && lease->recipe.method == SECRET_IRSA);
    int rc = check_volatile(issue, err);

    if (rc == 0 && signs)
        rc = aws_access_open(&p->access, issue->env, worker, &lease->recipe,
                             issue_source_use(issue), &issue->job, err);
    if (rc != 0)
        return rc;
    if (!session)
        name_render(issue->secret->username_template, &facts, lease->user_name);
    rc = learn_clock(issue, worker, err);
    if (rc == 0)
        rc = check_skew(err);
    if (rc != 0)
        return rc;
    return grant_ttl(issue, signs && !secret_empty(&p->access.credential.session_token), err);
}
