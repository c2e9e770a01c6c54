/* SPDX-License-Identifier: Apache-2.0 */
#include "lease/issue.h"

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/thread_role.h"
#include "common/log.h"
#include "lease/issue_private.h"
#include "lease/lease_txn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEGIN_SPARE_MS                                                                             \
    15000 /* a mint does not begin this close to its deadline: it would not end */

static const struct issue_step *steps_of(const struct issue *issue, size_t *ret_count)
{
    if (issue->secret->recipe.type == CREDENTIAL_SESSION) {
        *ret_count = issue_session_step_count;
        return issue_session_steps;
    }
    *ret_count = issue_iam_user_step_count;
    return issue_iam_user_steps;
}

static int fail_short_of_budget(struct issue *issue)
{
    err_set(&issue->err, KMS_EBUSY,
            "the rate budget of AWS calls (iam_rate) left no room for the lease in time");
    return err_hint(&issue->err, "try again later; many leases are being made or revoked");
}

/* What AWS said last is the reason, where a wait for the next try went past the deadline. */
static int fail_late(struct issue *issue)
{
    const struct issue_progress *p = issue->progress;

    if (p->budget_short)
        return fail_short_of_budget(issue);
    if (p->retry.attempt > 0 && issue->err.code != 0)
        return issue->err.code;
    return err_set(&issue->err, KMS_ETIMEOUT, "the lease could not be made in time");
}

/* Canceled or too late? Not once the lease is granted: then the reply decides. */
static int check_going_on(struct issue *issue)
{
    if (issue->progress->granted)
        return 0;
    if (atomic_load(&issue->job.canceled))
        return err_set(&issue->err, KMS_ECANCELED, "the request was given up");
    if (issue->job.deadline_ms != 0 && clock_boot_ms() > issue->job.deadline_ms)
        return fail_late(issue);
    if (issue->lease.expires_ms != 0 && clock_aws_ms() >= issue->lease.expires_ms)
        return err_set(&issue->err, KMS_ETIMEOUT, "the lease ended before it was made");
    return 0;
}

/* Runs the current row once: budget, the step, the judgement of a failure. */
static int run_step(struct issue *issue, const struct issue_step *step, struct lease_worker *worker)
{
    struct issue_progress *p = issue->progress;
    int64_t limit;
    int rc;

    if (p->retry.started_ms == 0 || step->prepay)
        p->retry.started_ms = clock_boot_ms();
    if (step->prepay && issue->job.deadline_ms != 0 &&
        p->retry.started_ms > issue->job.deadline_ms - BEGIN_SPARE_MS)
        return fail_short_of_budget(issue);
    if (step->budget != BUDGET_CLASS_COUNT) {
        rc = aws_access_open(&p->access, issue->env, worker, &issue->lease.recipe,
                             issue_source_use(issue), &issue->job, &issue->err);
        if (rc == 0 && !p->paid)
            rc = aws_access_take(&p->access, issue->env, step->service, step->budget, &issue->job);
        p->budget_short = rc == KMS_EAGAIN;
        if (rc != 0)
            return rc;
        p->paid = step->prepay;
    }
    p->called = false;
    err_clear(&issue->err);
    rc = step->run(issue, worker, &issue->err);
    if (rc == 0 || rc == KMS_EAGAIN || !p->called)
        return rc;
    limit = p->retry.started_ms + step->retry_limit_ms;
    if (issue->job.deadline_ms != 0 && limit > issue->job.deadline_ms)
        limit = issue->job.deadline_ms;
    return aws_access_judge(&p->access, issue->env, step->service, step->retry_rules, &p->result,
                            &p->retry, limit, &issue->job, rc);
}

/* Whatever failed: if an intent is durable the ordinary revocation takes the lease from here. */
static int give_up(struct issue *issue, const struct issue_step *step, int rc)
{
    struct issue_progress *p = issue->progress;
    struct err err = {0};
    bool made_nothing = !p->create_sent || !p->create_unclear;

    if (issue->err.code == 0)
        err_set(&issue->err, rc, "the lease could not be made");
    if (step->failed != NULL)
        err_context(&issue->err, "%s", step->failed);
    metrics_count(METRIC_FAILURES, issue->secret->name, lease_error_name(&issue->err));
    if (!p->intended || p->granted)
        return issue->err.code;
    issue->recorded =
        lease_txn_fail_mint(issue->env, &issue->lease,
                            made_nothing && !issue->lease.create_answered, &issue->err, &err) == 0;
    if (!issue->recorded)
        log_error("secret \"%s\": %s", issue->secret->name, err.message);
    return issue->err.code;
}

/* The row is through once it ran as often as it has to; then the next one begins. */
static bool step_is_over(struct issue *issue, const struct issue_step *step)
{
    struct issue_progress *p = issue->progress;

    if (p->item < (step->count != NULL ? step->count(issue) : 1))
        return false;
    crash_point(step->name);
    p->item = 0;
    p->step++;
    return true;
}

/* The loop over the step table; comes back here after each wait. */
static int issue_run(struct job *job, void *worker_context)
{
    struct issue *issue = QUEUE_OF(job, struct issue, job);
    struct issue_progress *p = issue->progress;
    size_t count;
    const struct issue_step *steps = steps_of(issue, &count);
    int rc;

    ASSERT_ON_WORKER();
    while (p->step < count) {
        const struct issue_step *step = &steps[p->step];

        if (step_is_over(issue, step))
            continue;
        rc = check_going_on(issue);
        if (rc == 0)
            rc = run_step(issue, step, worker_context);
        if (rc == KMS_EAGAIN)
            return rc;
        if (rc != 0)
            return give_up(issue, step, rc);
        p->retry = (struct retry){0};
        p->item++;
    }
    aws_access_done(&p->access);
    metrics_count(METRIC_MINTS, issue->secret->name, NULL);
    return 0;
}

static void issue_done(struct job *job)
{
    struct issue *issue = QUEUE_OF(job, struct issue, job);

    ASSERT_ON_LOOP();
    if (job->rc == KMS_ECANCELED && issue->err.code == 0)
        err_set(&issue->err, KMS_ESTOPPING, "the agent is stopping");
    issue->finished(issue, issue->arg);
}

static void fill_lease(struct issue *issue, const struct issue_params *params)
{
    struct lease *lease = &issue->lease;

    lease->id = issue->job.lease_id;
    lease->state = LEASE_NONE;
    snprintf(lease->secret, sizeof lease->secret, "%s", params->secret->name);
    lease->recipe = params->secret->recipe;
    lease->owner = params->owner;
    lease->bound = params->bind;
    lease->shared = params->shared;
    if (params->bind)
        lease->process = params->process;
    lease->requested_ttl_s = params->ttl_s;
}

struct issue *issue_new(struct lease_env *env, const struct issue_params *params,
                        void (*finished)(struct issue *issue, void *arg), void *arg)
{
    struct issue *issue = calloc(1, sizeof *issue);

    if (issue == NULL)
        return NULL;
    issue->progress = calloc(1, sizeof *issue->progress);
    if (issue->progress == NULL) {
        free(issue);
        return NULL;
    }
    issue->env = env;
    issue->config = config_ref(params->config);
    issue->secret = params->secret;
    issue->finished = finished;
    issue->arg = arg;
    issue->job.way = recipe_way(&params->secret->recipe);
    issue->job.lane = params->secret->recipe.type == CREDENTIAL_SESSION ? LANE_SESSION : LANE_MINT;
    issue->job.run = issue_run;
    issue->job.done = issue_done;
    issue->job.keyed = true;
    issue->job.lease_id = random_uuid7();
    fill_lease(issue, params);
    return issue;
}

void issue_free(struct issue *issue)
{
    if (issue == NULL)
        return;
    aws_access_done(&issue->progress->access);
    aws_credential_done(&issue->credential);
    config_unref(issue->config);
    free(issue->progress);
    free(issue);
}

void issue_delivered(struct lease_env *env, const struct uuid *lease_id)
{
    lease_txn_post_delivered(env, lease_id, false);
}

void issue_undelivered(struct lease_env *env, const struct uuid *lease_id)
{
    lease_txn_post_revoke(env, lease_id, REVOKE_UNDELIVERED);
}
