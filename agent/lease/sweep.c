/* SPDX-License-Identifier: Apache-2.0 */
#include "lease/sweep.h"

#include "aws/iam_user.h"
#include "base/clock.h"
#include "base/message_ids.h"
#include "base/metrics.h"
#include "base/thread_role.h"
#include "common/log.h"
#include "common/timefmt.h"
#include "lease/sweep_user.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_LIMIT_MS 30000 /* a call is retried this long */
/* So many users in a row that could not be looked at are more than those users' trouble, and the
 * path is left. Without an answer it takes CALL_LIMIT_MS to know of each. */
#define REFUSED_IN_A_ROW 50
#define UNANSWERED_IN_A_ROW 2

struct sweep_progress {
    struct aws_access access;
    struct aws_result result;
    struct retry retry;
    struct iam_names names; /* of the page at place.marker */
    bool listed;
    bool asked_user; /* the call that failed is the GetUser of the user at place.item */
    unsigned unseen_in_a_row;
    char next_marker[321];
    struct err first; /* why the first path failed */
};

/* ---- targets: each management identity and path once ---- */

static bool same_target(const struct recipe *a, const struct recipe *b)
{
    return a->method == b->method && strcmp(a->path, b->path) == 0 &&
           strcmp(a->access_key_id, b->access_key_id) == 0 &&
           strcmp(a->role_arn, b->role_arn) == 0 && strcmp(a->external_id, b->external_id) == 0 &&
           strcmp(a->web_identity_token_file, b->web_identity_token_file) == 0 &&
           strcmp(a->iam_endpoint, b->iam_endpoint) == 0 &&
           strcmp(a->imds_endpoint, b->imds_endpoint) == 0 && strcmp(a->region, b->region) == 0;
}

static bool is_target(const struct config *config, size_t i)
{
    const struct recipe *recipe = &config->secrets[i].recipe;

    if (recipe->type != CREDENTIAL_IAM_USER)
        return false;
    for (size_t j = 0; j < i; j++)
        if (config->secrets[j].recipe.type == CREDENTIAL_IAM_USER &&
            same_target(&config->secrets[j].recipe, recipe))
            return false;
    return true;
}

static void leave_page(struct sweep *sweep)
{
    struct sweep_progress *p = sweep->progress;

    iam_names_done(&p->names);
    p->names = (struct iam_names){0};
    p->listed = false;
    p->retry = (struct retry){0};
    sweep->place.item = 0;
}

static void next_target(struct sweep *sweep)
{
    leave_page(sweep);
    sweep->progress->unseen_in_a_row = 0;
    sweep->place.marker[0] = '\0';
    sweep->place.target++;
    aws_access_done(&sweep->progress->access);
    sweep->progress->access = (struct aws_access){0};
}

static void next_page(struct sweep *sweep)
{
    struct sweep_progress *p = sweep->progress;

    leave_page(sweep);
    memcpy(sweep->place.marker, p->next_marker, sizeof sweep->place.marker);
    if (sweep->place.marker[0] == '\0')
        next_target(sweep);
}

/* ---- calls ---- */

static int list_page(struct sweep *sweep, const struct recipe *recipe)
{
    struct sweep_progress *p = sweep->progress;
    int rc;

    memcpy(p->next_marker, sweep->place.marker, sizeof p->next_marker);
    iam_names_done(&p->names);
    p->names = (struct iam_names){0};
    rc = iam_list_users_page(&p->access.target, recipe->path, p->next_marker, &p->names, &p->result,
                             &sweep->err);
    if (rc != 0)
        return rc;
    sweep->listed = true;
    if (sweep->place.marker[0] == '\0' && sweep->place.item == 0)
        sweep->paths++;
    if (sweep->place.item == 0)
        sweep->users += (unsigned)p->names.count;
    p->listed = true;
    return 0;
}

static void add_orphan(struct sweep *sweep, const struct sweep_user *user)
{
    struct sweep_orphan *orphan = &sweep->orphans[sweep->orphan_count++];
    const struct log_field fields[] = {{FIELD_SECRET, user->secret->name}};
    char end[TIME_TEXT_SIZE];

    snprintf(orphan->user_name, sizeof orphan->user_name, "%s", user->name);
    snprintf(orphan->secret, sizeof orphan->secret, "%s", user->secret->name);
    orphan->lease_id = user->lease_id;
    orphan->last_end_ms = user->last_end_ms;
    orphan->queued = user->queued;
    time_format(user->last_end_ms, end);
    metrics_count(METRIC_SWEEP_FINDINGS, user->queued ? "queued" : "reported", NULL);
    log_event(LOG_LEVEL_WARNING, MESSAGE_ID_ORPHAN, fields, 1,
              "user %s was left behind by a lease that ended %s: %s", user->name, end,
              user->queued ? "it is being revoked" : "nothing is done about it, this is a report");
}

/* The user at place.item: looked at if its name says it may be ours. */
static int look_at_user(struct sweep *sweep, const struct secret_config *secret)
{
    struct sweep_progress *p = sweep->progress;
    struct sweep_user user = {.secret = secret, .name = p->names.items[sweep->place.item]};
    struct iam_user found;
    int rc;

    if (!sweep_user_may_be_ours(sweep->env, &user))
        return 0;
    rc = aws_access_take(&p->access, sweep->env, AWS_IAM, sweep->budget, &sweep->job);
    if (rc != 0)
        return rc;
    rc = iam_get_user(&p->access.target, user.name, &found, &p->result, &sweep->err);
    p->asked_user = rc != 0;
    /* It went meanwhile: a key that is allowed its path only is denied what has no path any more.
     */
    if (rc == KMS_ENOENTITY || (rc == KMS_EAWSDENIED && p->result.denied_blind)) {
        err_clear(&sweep->err);
        return 0;
    }
    if (rc != 0)
        return rc;
    p->unseen_in_a_row = 0;
    if (strcmp(found.agent_tag, sweep->env->agent_id) == 0)
        sweep->ours++;
    if (!sweep_user_is_orphan(sweep->env, &user, &found))
        return 0;
    rc = sweep->report_only ? 0 : sweep_user_queue(sweep->env, &user, &found, &sweep->err);
    if (rc == 0 && (sweep->report_only || user.queued))
        add_orphan(sweep, &user);
    return rc;
}

/* One call's worth of work on the current target. */
static int work_on(struct sweep *sweep, const struct secret_config *secret,
                   struct lease_worker *worker)
{
    struct sweep_progress *p = sweep->progress;
    int rc;

    p->result = (struct aws_result){0};
    p->asked_user = false;
    err_clear(&sweep->err);
    rc = aws_access_open(&p->access, sweep->env, worker, &secret->recipe, SOURCE_IAM, &sweep->job,
                         &sweep->err);
    if (rc != 0)
        return rc;
    if (!p->listed) {
        rc = aws_access_take(&p->access, sweep->env, AWS_IAM, sweep->budget, &sweep->job);
        return rc != 0 ? rc : list_page(sweep, &secret->recipe);
    }
    if (sweep->place.item >= p->names.count) {
        next_page(sweep);
        return 0;
    }
    rc = look_at_user(sweep, secret);
    if (rc == 0)
        sweep->place.item++;
    return rc;
}

/* ---- the job ---- */

static void note_unseen(struct sweep *sweep, const struct secret_config *secret)
{
    struct sweep_unseen *unseen;

    if (sweep->unseen_count == SWEEP_UNSEEN_MAX)
        return;
    unseen = &sweep->unseen[sweep->unseen_count++];
    snprintf(unseen->user_name, sizeof unseen->user_name, "%s",
             sweep->progress->names.items[sweep->place.item]);
    snprintf(unseen->secret, sizeof unseen->secret, "%s", secret->name);
    snprintf(unseen->error, sizeof unseen->error, "%.*s", (int)sizeof unseen->error - 1,
             sweep->err.message);
}

/* On to the next user, if it is this one's trouble only; false: it is the path's. */
static bool skip_user(struct sweep *sweep, const struct secret_config *secret)
{
    struct sweep_progress *p = sweep->progress;
    bool refused = p->result.failure == AWS_FAILED_PERMANENT;

    if (!p->asked_user || p->result.failure == AWS_FAILED_CREDENTIAL)
        return false;
    note_unseen(sweep, secret);
    if (++p->unseen_in_a_row >= (refused ? REFUSED_IN_A_ROW : UNANSWERED_IN_A_ROW))
        return false;
    p->retry = (struct retry){0};
    sweep->place.item++;
    return true;
}

/* Transient failures wait; what is left over ends the user or the path, not the sweep. */
static int judge(struct sweep *sweep, const struct secret_config *secret, struct err *first, int rc)
{
    struct sweep_progress *p = sweep->progress;

    if (p->retry.started_ms == 0)
        p->retry.started_ms = clock_boot_ms();
    rc = aws_access_judge(&p->access, sweep->env, AWS_IAM, RETRY_TRANSIENT | RETRY_CHANGING,
                          &p->result, &p->retry, p->retry.started_ms + CALL_LIMIT_MS, &sweep->job,
                          rc);
    if (rc == KMS_EAGAIN)
        return rc;
    if (atomic_load(&sweep->job.canceled))
        return 0; /* that is no failure, and the sweep stops */
    if (rc == KMS_EAWSDENIED && p->result.failure == AWS_FAILED_PERMANENT && !p->asked_user)
        sweep->denied = true;
    if (first->code == 0)
        *first = sweep->err;
    sweep->failed++;
    if (!skip_user(sweep, secret))
        next_target(sweep);
    return 0;
}

static bool must_stop(const struct sweep *sweep)
{
    return atomic_load(&sweep->job.canceled) || sweep->orphan_count == SWEEP_ORPHANS_MAX ||
           (sweep->job.deadline_ms != 0 && clock_boot_ms() > sweep->job.deadline_ms);
}

static int sweep_run(struct job *job, void *worker_context)
{
    struct sweep *sweep = QUEUE_OF(job, struct sweep, job);
    const struct config *config = sweep->config;
    struct err first = sweep->failed > 0 ? sweep->progress->first : (struct err){0};
    int rc = 0;

    ASSERT_ON_WORKER();
    if (sweep->operator_asked)
        rc = store_set_swept(sweep->env->store, &sweep->err);
    if (rc != 0)
        return rc;
    while (sweep->place.target < config->secret_count) {
        sweep->more = must_stop(sweep);
        if (sweep->more)
            break;
        if (!is_target(config, sweep->place.target)) {
            sweep->place.target++;
            continue;
        }
        rc = work_on(sweep, &config->secrets[sweep->place.target], worker_context);
        if (rc == 0)
            sweep->progress->retry = (struct retry){0};
        else if (rc != KMS_EAGAIN)
            rc = judge(sweep, &config->secrets[sweep->place.target], &first, rc);
        if (rc == KMS_EAGAIN)
            break;
    }
    sweep->progress->first = first;
    if (rc == KMS_EAGAIN)
        return rc;
    aws_access_done(&sweep->progress->access);
    sweep->err = first;
    metrics_count(METRIC_SWEEPS,
                  first.code == 0 ? "ok"
                  : sweep->denied ? "denied"
                                  : "failed",
                  NULL);
    return 0;
}

static void sweep_done(struct job *job)
{
    struct sweep *sweep = QUEUE_OF(job, struct sweep, job);

    ASSERT_ON_LOOP();
    if (job->rc != 0 && sweep->err.code == 0)
        err_set(&sweep->err, job->rc, "the sweep was given up");
    sweep->finished(sweep, sweep->arg);
}

struct sweep *sweep_new(struct lease_env *env, struct config *config, bool report_only,
                        void (*finished)(struct sweep *sweep, void *arg), void *arg)
{
    struct sweep *sweep = calloc(1, sizeof *sweep);

    if (sweep == NULL)
        return NULL;
    sweep->progress = calloc(1, sizeof *sweep->progress);
    if (sweep->progress == NULL) {
        free(sweep);
        return NULL;
    }
    sweep->env = env;
    sweep->config = config_ref(config);
    sweep->report_only = report_only;
    sweep->budget = BUDGET_SLOW;
    sweep->finished = finished;
    sweep->arg = arg;
    sweep->job.lane = LANE_BACKGROUND;
    sweep->job.run = sweep_run;
    sweep->job.done = sweep_done;
    sweep->job.internal = true;
    return sweep;
}

void sweep_free(struct sweep *sweep)
{
    if (sweep == NULL)
        return;
    aws_access_done(&sweep->progress->access);
    iam_names_done(&sweep->progress->names);
    config_unref(sweep->config);
    free(sweep->progress);
    free(sweep);
}
