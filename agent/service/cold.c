/* SPDX-License-Identifier: Apache-2.0 */
#include "service/cold.h"

#include "base/clock.h"
#include "base/thread_role.h"
#include "service/access.h"

#include <stdlib.h>

static void cold_free(struct cold *cold)
{
    wire_done(&cold->writer);
    if (cold->arg_free != NULL)
        cold->arg_free(cold->arg);
    free(cold->secrets);
    free(cold);
}

static int run(struct job *job, void *worker_context)
{
    struct cold *cold = QUEUE_OF(job, struct cold, job);

    ASSERT_ON_WORKER();
    cold->worker = worker_context;
    return cold->work(cold);
}

static void done(struct job *job)
{
    struct cold *cold = QUEUE_OF(job, struct cold, job);
    struct request *request = cold->request;

    request->job = NULL;
    if (cold->listed != NULL)
        cold->listed(cold, job->rc);
    else if (job->rc == 0)
        request_answer(request, &cold->writer, NULL, NULL);
    else
        request_fail(request, job->rc, &cold->err);
    cold_free(cold);
}

struct cold *cold_new(struct request *request, int (*work)(struct cold *cold), bool admin)
{
    struct cold *cold = calloc(1, sizeof *cold);
    struct err err = {0};

    if (cold == NULL) {
        err_set(&err, KMS_ENOMEM, "out of memory");
        request_fail(request, KMS_ENOMEM, &err);
        return NULL;
    }
    cold->job.lane = LANE_BACKGROUND;
    cold->job.run = run;
    cold->job.done = done;
    cold->request = request;
    cold->store = request->service->options.env->store;
    cold->env = request->service->options.env;
    cold->config = request->config;
    cold->params = request->params;
    cold->admin = admin;
    cold->work = work;
    /* A list is cold anyway: the unit is looked up without asking whether a rule needs it. */
    if (request->peer->look_up_unit != NULL)
        request->peer->look_up_unit(request->peer);
    access_owner(request->peer, NULL, &cold->actor);
    wire_begin_result(&cold->writer, request->msgid);
    return cold;
}

void cold_start(struct cold *cold)
{
    bool cancelable = cold->listed == NULL;
    int rc =
        request_try_submit(cold->request, &cold->job, cancelable, REQUEST_DEADLINE_MS, &cold->err);

    if (rc == 0)
        return;
    cold->job.rc = rc;
    done(&cold->job);
}

void cold_fail(struct cold *cold, int rc)
{
    err_set(&cold->err, rc, "%s", rc == KMS_ENOMEM ? "out of memory" : "the request failed");
    request_fail(cold->request, rc, &cold->err);
    cold_free(cold);
}

bool cold_is_over(const struct cold *cold)
{
    return atomic_load(&cold->job.canceled) || clock_boot_ms() > cold->job.deadline_ms;
}

bool cold_owns(const struct cold *cold, const struct lease *lease)
{
    const struct lease_owner *actor = &cold->actor;
    const struct peer_facts facts = {
        .uid = actor->uid, .gid = actor->gid, .unit = actor->unit[0] != '\0' ? actor->unit : NULL};

    return policy_owns(&facts, lease->owner.uid, lease->owner.rule);
}
