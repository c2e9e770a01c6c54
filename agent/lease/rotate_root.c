/* SPDX-License-Identifier: Apache-2.0 */
#include "lease/rotate_root.h"

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/thread_role.h"
#include "lease/rotate_private.h"

#include <stdlib.h>

#define ROW_MS 20000 /* a row sits out failures this long */

/* name: of the crash point that is passed when the row is through. once: a failure that may have
 * been a success must not be tried again. failed: what a failed call means, a clause before its
 * reason. */
static const struct row {
    const char *name;
    rotate_row_fn *run;
    bool new_key, once;
    const char *failed;
} rows[] = {
    [ROTATE_BEGIN] = {"rotate-begin", rotate_begin, false, false, NULL},
    [ROTATE_USER] = {"rotate-user", rotate_user, false, false,
                     "could not find out whose the key is"},
    [ROTATE_LIST] = {"rotate-list", rotate_list, false, false,
                     "could not list the keys of the user"},
    [ROTATE_CLEAN] = {"rotate-clean", rotate_clean, false, false,
                      "could not delete what an earlier rotation left"},
    [ROTATE_INTENT] = {"rotate-intent", rotate_intent, false, false, NULL},
    [ROTATE_CREATE] = {"rotate-create", rotate_create, false, true, "could not create the new key"},
    [ROTATE_SEAL] = {"rotate-seal", rotate_seal, false, false, NULL},
    [ROTATE_PROBE] = {"rotate-probe", rotate_probe, true, false, "could not try the new key"},
    [ROTATE_SWITCH] = {"rotate-switch", rotate_switch, true, false, NULL},
    [ROTATE_DELETE] = {"rotate-delete", rotate_delete, true, false, "could not delete the old key"},
    [ROTATE_SETTLE] = {"rotate-settle", rotate_settle, true, false, NULL},
};

static int check_going_on(struct rotation *rotation)
{
    const struct job *job = &rotation->job;

    if (atomic_load(&job->canceled))
        return err_set(&rotation->err, KMS_ECANCELED, "the rotation was interrupted");
    if (job->deadline_ms != 0 && clock_boot_ms() > job->deadline_ms)
        return err_set(&rotation->err, KMS_ETIMEOUT, "the rotation was not over in time");
    return 0;
}

static int judge(struct rotation *rotation, const struct row *row, int rc)
{
    struct rotation_progress *p = rotation->progress;
    struct aws_access *access = row->new_key ? &p->new : &p->old;
    int64_t limit = p->retry.started_ms + ROW_MS;

    if (!p->called || (row->once && p->result.maybe_applied))
        return rc;
    if (rotation->job.deadline_ms != 0 && limit > rotation->job.deadline_ms)
        limit = rotation->job.deadline_ms;
    return aws_access_judge(access, rotation->env, AWS_IAM, RETRY_TRANSIENT | RETRY_CHANGING,
                            &p->result, &p->retry, limit, &rotation->job, rc);
}

static int run_row(struct rotation *rotation)
{
    struct rotation_progress *p = rotation->progress;
    const enum rotate_step step = p->step;
    const struct row *row = &rows[step];
    int rc = check_going_on(rotation);

    if (rc != 0)
        return rc;
    if (p->retry.started_ms == 0)
        p->retry.started_ms = clock_boot_ms();
    p->called = false;
    err_clear(&rotation->err);
    rc = row->run(rotation, &rotation->err);
    if (rc == 0 && p->step != step) {
        crash_point(row->name);
        p->retry = (struct retry){0};
    }
    if (rc != 0 && rc != KMS_EAGAIN)
        rc = judge(rotation, row, rc);
    if (rc != 0 && rc != KMS_EAGAIN && p->called && row->failed != NULL)
        err_context(&rotation->err, "%s", row->failed);
    return rc;
}

/* What the person who asked should know beside what failed. */
static void add_hint(struct rotation *rotation)
{
    const struct root_key *record = &rotation->record;
    struct err *err = &rotation->err;

    if (record->stage == ROOT_KEY_SEALED)
        err_hint(err, "the new key %s is kept and the old one stays in force; the agent goes on",
                 record->next_id);
    else if (record->stage == ROOT_KEY_PROVEN)
        err_hint(err,
                 "the new key %s is in force, the old one %s is not deleted; the agent goes on",
                 record->next_id, record->current_id);
    else if (record->stage == ROOT_KEY_INTENT && err->hint[0] == '\0')
        err_hint(err, "the old key stays in force; the agent deletes what may have been made");
}

static int rotation_run(struct job *job, void *worker_context)
{
    struct rotation *rotation = QUEUE_OF(job, struct rotation, job);
    struct rotation_progress *p = rotation->progress;
    int rc = 0;

    ASSERT_ON_WORKER();
    p->worker = worker_context;
    while (rc == 0 && p->step != ROTATE_END)
        rc = run_row(rotation);
    if (rc == KMS_EAGAIN)
        return rc;
    if (rc != 0) {
        rotate_give_up(rotation);
        add_hint(rotation);
    }
    aws_access_done(&p->old);
    aws_access_done(&p->new);
    return rc;
}

static void rotation_done(struct job *job)
{
    struct rotation *rotation = QUEUE_OF(job, struct rotation, job);

    ASSERT_ON_LOOP();
    if (job->rc != 0 && rotation->err.code == 0)
        err_set(&rotation->err, job->rc, "the rotation was interrupted");
    rotation->finished(rotation, rotation->arg);
}

struct rotation *rotation_new(struct lease_env *env, struct config *config,
                              const struct secret_config *secret, const struct lease_owner *actor,
                              void (*finished)(struct rotation *rotation, void *arg), void *arg)
{
    struct rotation *rotation = calloc(1, sizeof *rotation);

    if (rotation == NULL || (rotation->progress = calloc(1, sizeof *rotation->progress)) == NULL) {
        free(rotation);
        return NULL;
    }
    rotation->env = env;
    rotation->config = config_ref(config);
    rotation->secret = secret;
    rotation->resume = actor == NULL;
    if (actor != NULL)
        rotation->actor = *actor;
    rotation->finished = finished;
    rotation->arg = arg;
    rotation->job.lane = LANE_BACKGROUND;
    rotation->job.run = rotation_run;
    rotation->job.done = rotation_done;
    rotation->job.internal = true;
    return rotation;
}

void rotation_free(struct rotation *rotation)
{
    if (rotation == NULL)
        return;
    aws_access_done(&rotation->progress->old);
    aws_access_done(&rotation->progress->new);
    config_unref(rotation->config);
    free(rotation->progress);
    free(rotation);
}
