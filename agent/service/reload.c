/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the configuration again: on a worker (files, NSS), one after the other; a bad one changes
 * nothing. */
#include "base/clock.h"
#include "base/message_ids.h"
#include "base/thread_role.h"
#include "lease/lease_journal.h"
#include "service/access.h"
#include "service/events.h"
#include "service/failure.h"
#include "service/ops.h"
#include "service/reload_sources.h"
#include "service/root_round.h"
#include "service/shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RELOADS_WAITING_MAX 8
#define FIXED_TEXT_MAX 128
#define WARNINGS_MAX 64 /* in an answer */

struct reload {
    struct job job;
    struct reload *next; /* waits for this one */
    struct service *service;
    struct config *old;    /* reference: what was in force when it began */
    struct config *config; /* what was read */
    struct string_list notes;
    struct err err;
    struct lease_owner actor;
    void (*finished)(int rc, const struct err *err, void *arg);
    void *arg;
    struct request *request;         /* answered, if there is one */
    char fixed[FIXED_TEXT_MAX + 64]; /* options that a reload does not change; empty: none */
};

static int run(struct job *job, void *worker_context)
{
    struct reload *reload = QUEUE_OF(job, struct reload, job);
    int rc;

    (void)worker_context;
    ASSERT_ON_WORKER();
    rc = config_load(reload->service->options.config_file, &reload->config, &reload->err);
    if (rc == 0)
        reload_sources_note(reload->service->options.env->store, reload->old, reload->config,
                            &reload->notes);
    return rc;
}

/* What takes effect at the next start only. (Socket and state directory may come from the command
 * line, so a difference says nothing about them.) */
static bool texts_differ(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a != b : strcmp(a, b) != 0;
}

/* What the new configuration says otherwise but only a start applies; compared with the
 * configuration of the start. Returns the names, separated by commas, in text. */
static const char *fixed_options(const struct agent_config *old, const struct agent_config *new,
                                 char text[FIXED_TEXT_MAX])
{
    const struct {
        const char *name;
        bool differs;
    } options[] = {
        {"agent_id", texts_differ(old->agent_id, new->agent_id)},
        {"map_size", old->map_size != new->map_size},
        {"socket", texts_differ(old->socket, new->socket)},
        {"socket_mode", old->socket_mode != new->socket_mode},
        {"state_directory", texts_differ(old->state_directory, new->state_directory)},
    };
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (options[i].differs)
            len += (size_t)snprintf(text + len, FIXED_TEXT_MAX - len, "%s%s", len > 0 ? ", " : "",
                                    options[i].name);
    return text;
}

static void note_fixed(struct reload *reload, const struct agent_config *old,
                       const struct agent_config *new)
{
    char names[FIXED_TEXT_MAX];

    if (fixed_options(old, new, names)[0] == '\0')
        return;
    snprintf(reload->fixed, sizeof reload->fixed, "%s: takes effect when the agent starts again",
             names);
    log_warning("%s", reload->fixed);
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
    note_fixed(reload, &old->agent, &service->config->agent);
    config_unref(old);
    forget_identities(service);
    shared_config_changed(service->shared);
    for (size_t i = 0; i < service->config->warnings.count; i++)
        log_warning("%s", service->config->warnings.items[i]);
    for (size_t i = 0; i < reload->notes.count; i++)
        log_warning("%s", reload->notes.items[i]);
    snprintf(message, sizeof message, "configuration reloaded, %zu secrets",
             service->config->secret_count);
    lease_journal(LOG_LEVEL_NOTICE, MESSAGE_ID_RELOADED, &reload->actor, NULL, NULL, NULL, message);
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
    if (reload->fixed[0] != '\0')
        wire_put_str(&writer, NULL, reload->fixed);
    for (size_t i = 0; i < reload->notes.count && i < WARNINGS_MAX; i++)
        wire_put_str(&writer, NULL, reload->notes.items[i]);
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
        lease_journal(LOG_LEVEL_ERROR, MESSAGE_ID_RELOAD_FAILED, &reload->actor, NULL, NULL, NULL,
                      message);
        failure_record(service, &(struct failure){
                                    .actor = &reload->actor, .err = &reload->err, .logged = true});
    }
    if (reload->finished != NULL)
        reload->finished(rc, &reload->err, reload->arg);
    if (reload->request != NULL && rc == 0)
        answer(reload);
    else if (reload->request != NULL)
        request_fail(reload->request, rc, &reload->err);
    service->reload = reload->next;
    config_unref(reload->config);
    config_unref(reload->old);
    string_list_done(&reload->notes);
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
    reload->old = config_ref(service->config);
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
    const struct reload values = {.finished = finished,
                                  .arg = arg,
                                  .actor = {.uid = (uint32_t)getuid(),
                                            .gid = (uint32_t)getgid(),
                                            .pid = getpid(),
                                            .command = "kms-agentd"}};
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
