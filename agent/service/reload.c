/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the configuration again: on a worker (files, NSS), one after the other; a bad one changes
 * nothing. */
#include "base/clock.h"
#include "base/message_ids.h"
#include "base/thread_role.h"
#include "service/access.h"
#include "service/events.h"
#include "service/ops.h"
#include "service/root_round.h"
#include "service/shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RELOADS_WAITING_MAX 8
#define WARNINGS_MAX 64 /* in an answer */

struct reload {
    struct job job;
    struct reload *next; /* waits for this one */
    struct service *service;
    struct config *config; /* what was read */
    struct err err;
    struct lease_owner actor;
    void (*finished)(int rc, const struct err *err, void *arg);
    void *arg;
    struct request *request; /* answered, if there is one */
};

static int run(struct job *job, void *worker_context)
{
    struct reload *reload = QUEUE_OF(job, struct reload, job);

    (void)worker_context;
    ASSERT_ON_WORKER();
    return config_load(reload->service->options.config_file, &reload->config, &reload->err);
}

/* What takes effect at the next start only. (Socket and state directory may come from the command
 * line, so a difference says nothing about them.) */
static void warn_of_fixed(const struct agent_config *old, const struct agent_config *new)
{
    if (strcmp(old->agent_id, new->agent_id) != 0)
        log_warning("agent_id = %s takes effect when the agent starts again", new->agent_id);
    if (old->map_size != new->map_size)
        log_warning("map_size takes effect when the agent starts again");
}

static void forget_identities(struct service *service)
{
    size_t kept = 0;

    for (size_t i = 0; i < service->identity_count; i++)
        if (config_secret(service->config, service->identities[i].secret) != NULL)
            service->identities[kept++] = service->identities[i];
    service->identity_count = kept;
}

static void adopt(struct reload *reload)
{
    struct service *service = reload->service;
    struct config *old = service->config;
    struct audit audit = {
        .time_ms = clock_aws_ms(), .event = AUDIT_RELOADED, .owner = reload->actor};
    char message[80];

    service->config = reload->config;
    reload->config = NULL;
    warn_of_fixed(&old->agent, &service->config->agent);
    config_unref(old);
    forget_identities(service);
    shared_config_changed(service->shared);
    for (size_t i = 0; i < service->config->warnings.count; i++)
        log_warning("%s", service->config->warnings.items[i]);
    snprintf(message, sizeof message, "configuration reloaded, %zu secrets",
             service->config->secret_count);
    events_log(LOG_LEVEL_NOTICE, MESSAGE_ID_RELOADED, &reload->actor, NULL, NULL, NULL, message);
    events_audit(service->options.env->store, &audit);
    if (service->options.config_changed != NULL)
        service->options.config_changed(service->config, service->options.arg);
    root_round_start(service->root_round);
}

static void answer(struct reload *reload)
{
    const struct config *config = reload->service->config;
    struct wire_writer writer = {0};

    wire_begin_result(&writer, reload->request->msgid);
    wire_open_map(&writer, NULL);
    wire_put_int(&writer, "secrets", (int64_t)config->secret_count);
    wire_open_array(&writer, "warnings");
    for (size_t i = 0; i < config->warnings.count && i < WARNINGS_MAX; i++)
        wire_put_str(&writer, NULL, config->warnings.items[i]);
    wire_close(&writer);
    request_answer(reload->request, &writer, NULL, NULL);
}

static void start_first(struct service *service);

static void conclude(struct reload *reload, int rc)
{
    struct service *service = reload->service;
    char message[ERR_MESSAGE_MAX + 64];

    if (rc == 0) {
        adopt(reload);
    } else if (rc != KMS_ECANCELED && rc != KMS_ESTOPPING) {
        snprintf(message, sizeof message, "the configuration stays as it was: %s",
                 reload->err.message);
        events_log(LOG_LEVEL_ERROR, MESSAGE_ID_RELOAD_FAILED, &reload->actor, NULL, NULL, NULL,
                   message);
    }
    if (reload->finished != NULL)
        reload->finished(rc, &reload->err, reload->arg);
    if (reload->request != NULL && rc == 0)
        answer(reload);
    else if (reload->request != NULL)
        request_fail(reload->request, rc, &reload->err);
    service->reload = reload->next;
    config_unref(reload->config);
    free(reload);
    start_first(service);
}

static void done(struct job *job)
{
    conclude(QUEUE_OF(job, struct reload, job), job->rc);
}

static void start_first(struct service *service)
{
    struct reload *reload = service->reload;
    int rc;

    if (reload == NULL)
        return;
    rc = schedule_submit(service->options.schedule, &reload->job);
    if (rc == 0)
        return;
    err_set(&reload->err, rc, "the agent is stopping");
    conclude(reload, rc);
}

static int enqueue(struct service *service, const struct reload *values, struct err *err)
{
    struct reload **last = &service->reload;
    struct reload *reload;
    unsigned waiting = 0;

    for (; *last != NULL; last = &(*last)->next)
        waiting++;
    if (waiting >= RELOADS_WAITING_MAX)
        return err_set(err, KMS_EBUSY, "%u reloads wait already", waiting);
    reload = malloc(sizeof *reload);
    if (reload == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    *reload = *values;
    reload->service = service;
    reload->job.lane = LANE_BACKGROUND;
    reload->job.internal = true;
    reload->job.run = run;
    reload->job.done = done;
    *last = reload;
    if (waiting == 0)
        start_first(service);
    return 0;
}

void service_reload(struct service *service,
                    void (*finished)(int rc, const struct err *err, void *arg), void *arg)
{
    const struct reload values = {
        .finished = finished, .arg = arg, .actor = {.uid = (uint32_t)getuid(), .pid = getpid()}};
    struct err err = {0};
    int rc = enqueue(service, &values, &err);

    if (rc != 0 && finished != NULL)
        finished(rc, &err, arg);
}

void op_agent_reload(struct request *request)
{
    struct reload values = {.request = request};
    struct err err = {0};
    int rc;

    access_owner(request->peer, NULL, &values.actor);
    rc = enqueue(request->service, &values, &err);
    if (rc != 0)
        request_fail(request, rc, &err);
}
