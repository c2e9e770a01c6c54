/* SPDX-License-Identifier: Apache-2.0 */
#include "service/root_round.h"

#include "base/message_ids.h"
#include "common/log.h"
#include "lease/root_survey.h"
#include "lease/rotate_root.h"
#include "service/access.h"
#include "service/failure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_MS 30000
#define DEADLINE_MS 50000 /* clients wait 60 s */

/* A rotation that somebody waits for. */
struct asked {
    struct request *request; /* NULL: there is none */
    const struct secret_config *secret;
    struct lease_owner actor;
};

struct root_round {
    struct service *service;
    struct job *job;             /* under way: a survey or a rotation; NULL: nothing */
    struct asked waiting, asked; /* the next; the one under way */
    /* What the last survey found and is not yet looked after. */
    struct config *config; /* reference; NULL: nothing */
    const struct secret_config *pending[ROOT_KEYS_MAX];
    size_t next, count;
    bool again, failed;         /* a survey is due now; after a while */
    char told[ERR_MESSAGE_MAX]; /* the last failure in the journal: told once */
};

static void advance(struct root_round *round);

static void drop_pending(struct root_round *round)
{
    config_unref(round->config);
    round->config = NULL;
    round->next = round->count = 0;
}

/* ---- surveys ---- */

static void on_surveyed(struct root_survey *survey, void *arg)
{
    struct root_round *round = arg;

    round->job = NULL;
    if (survey->job.rc == 0) {
        drop_pending(round);
        round->config = config_ref(survey->config);
        memcpy(round->pending, survey->pending, sizeof round->pending);
        round->count = survey->pending_count;
    } else if (survey->job.rc != KMS_ECANCELED) {
        log_warning("management keys: %s", survey->err.message);
        round->failed = true;
    }
    root_survey_free(survey);
    advance(round);
}

static void start_survey(struct root_round *round, int64_t delay_ms)
{
    struct service *service = round->service;
    struct root_survey *survey =
        root_survey_new(service->options.env, service->config, delay_ms, on_surveyed, round);

    drop_pending(round);
    round->again = round->failed = false;
    if (survey == NULL)
        return;
    if (schedule_submit(service->options.schedule, &survey->job) == 0)
        round->job = &survey->job;
    else
        root_survey_free(survey); /* the agent is stopping; its next start looks */
}

/* ---- rotations ---- */

/* A person asked, now or when the rotation was begun. */
static const struct lease_owner *actor_of(const struct rotation *rotation)
{
    return rotation->resume ? &rotation->record.actor : &rotation->actor;
}

static void log_rotation(enum log_level level, const char *message_id,
                         const struct rotation *rotation, const char *key_id, const char *message)
{
    const struct lease_owner *actor = actor_of(rotation);
    char uid[16], pid[16];

    snprintf(uid, sizeof uid, "%u", actor->uid);
    snprintf(pid, sizeof pid, "%d", (int)actor->pid);
    const struct log_field fields[] = {
        {FIELD_PEER_UID, uid},
        {FIELD_PEER_PID, pid},
        {FIELD_PEER_UNIT, actor->unit[0] != '\0' ? actor->unit : NULL},
        {FIELD_PEER_COMMAND, actor->command[0] != '\0' ? actor->command : NULL},
        {FIELD_SECRET, rotation->secret->name},
        {FIELD_ACCESS_KEY_ID, key_id[0] != '\0' ? key_id : NULL},
        {FIELD_REASON, rotation->err.code != 0 ? rotation->err.message : NULL},
        {FIELD_AWS_REQUEST_ID,
         rotation->err.aws_request_id[0] != '\0' ? rotation->err.aws_request_id : NULL},
    };

    log_event(level, message_id, fields, sizeof fields / sizeof fields[0], "%s", message);
}

static void tell_rotated(const struct rotation *rotation)
{
    const struct root_key *record = &rotation->record;
    char message[2 * AWS_KEY_ID_MAX + ROOT_KEY_USER_MAX + 96];

    snprintf(message, sizeof message, "management key %s of user %s was replaced by %s",
             rotation->old_id, record->user_name, record->current_id);
    log_rotation(LOG_LEVEL_NOTICE, MESSAGE_ID_ROTATED, rotation, record->current_id, message);
}

/* What an interrupted rotation left, or what was taken for that. */
static void tell_cleaned(const struct rotation *rotation)
{
    char message[AWS_KEY_ID_MAX + ROOT_KEY_USER_MAX + 128];

    if (rotation->leftover_id[0] != '\0') {
        snprintf(
            message, sizeof message,
            "access key %s of user %s was deleted: a rotation that was interrupted had made it",
            rotation->leftover_id, rotation->cleaned_user);
        log_rotation(LOG_LEVEL_NOTICE, MESSAGE_ID_LEFTOVER, rotation, rotation->leftover_id,
                     message);
    }
    if (rotation->strange_id[0] != '\0') {
        snprintf(message, sizeof message,
                 "access key %s of user %s is kept: it was made after a rotation that was "
                 "interrupted, not by it",
                 rotation->strange_id, rotation->cleaned_user);
        log_rotation(LOG_LEVEL_NOTICE, MESSAGE_ID_LEFTOVER, rotation, rotation->strange_id,
                     message);
    }
}

static void tell_failed(struct root_round *round, const struct rotation *rotation)
{
    const struct err *err = &rotation->err;
    char message[ERR_MESSAGE_MAX + SECRET_NAME_MAX + 64];

    if (rotation->resume && strcmp(err->message, round->told) == 0)
        return;
    snprintf(round->told, sizeof round->told, "%s", err->message);
    snprintf(message, sizeof message, "rotating the management key of secret \"%s\": %s",
             rotation->secret->name, err->message);
    log_rotation(LOG_LEVEL_WARNING, MESSAGE_ID_ROTATION_FAILED, rotation,
                 rotation->record.current_id, message);
    failure_record(round->service, &(struct failure){.actor = actor_of(rotation),
                                                     .secret = rotation->secret->name,
                                                     .err = err,
                                                     .logged = true});
}

static void answer(struct request *request, const struct rotation *rotation)
{
    const struct root_key *record = &rotation->record;
    struct wire_writer writer = {0};

    wire_begin_result(&writer, request->msgid);
    wire_open_map(&writer, NULL);
    wire_put_str(&writer, "secret", rotation->secret->name);
    wire_put_str(&writer, "username", record->user_name);
    wire_put_str(&writer, "access_key_id", record->current_id);
    wire_put_str(&writer, "previous_access_key_id", rotation->old_id);
    request_answer(request, &writer, NULL, NULL);
}

static void on_rotated(struct rotation *rotation, void *arg)
{
    struct root_round *round = arg;
    struct request *request = round->asked.request;
    int rc = rotation->job.rc;

    round->job = NULL;
    round->asked = (struct asked){0};
    tell_cleaned(rotation);
    if (rotation->old_id[0] != '\0') {
        round->told[0] = '\0';
        tell_rotated(rotation);
    }
    if (rc != 0 && rc != KMS_ECANCELED)
        tell_failed(round, rotation);
    if (request != NULL)
        round->again = true; /* what is left of it, and what it interrupted */
    else if (rc != 0)
        round->failed = true;
    if (request != NULL && rc == 0)
        answer(request, rotation);
    else if (request != NULL)
        request_fail(request, rc, &rotation->err);
    rotation_free(rotation);
    advance(round);
}

static void start_asked(struct root_round *round)
{
    struct service *service = round->service;
    struct request *request = round->waiting.request;
    struct rotation *rotation =
        rotation_new(service->options.env, request->config, round->waiting.secret,
                     &round->waiting.actor, on_rotated, round);
    struct err err = {0};

    round->asked = round->waiting;
    round->waiting = (struct asked){0};
    if (rotation == NULL) {
        err_set(&err, KMS_ENOMEM, "out of memory");
        request_fail(request, KMS_ENOMEM, &err);
    } else if (request_submit(request, &rotation->job, false, DEADLINE_MS) == 0) {
        round->job = &rotation->job;
        return;
    }
    rotation_free(rotation);
    round->asked = (struct asked){0};
}

static void start_pending(struct root_round *round)
{
    struct service *service = round->service;
    struct rotation *rotation =
        rotation_new(service->options.env, round->config, round->pending[round->next++], NULL,
                     on_rotated, round);

    if (rotation == NULL) {
        round->failed = true;
        return;
    }
    if (schedule_submit(service->options.schedule, &rotation->job) == 0) {
        round->job = &rotation->job;
        return;
    }
    rotation_free(rotation);
    drop_pending(round);
    round->failed = false;
}

/* The next thing to do, if nothing is under way. */
static void advance(struct root_round *round)
{
    if (round->job == NULL && round->waiting.request != NULL)
        start_asked(round);
    if (round->job == NULL && round->again)
        start_survey(round, 0);
    while (round->job == NULL && round->next < round->count)
        start_pending(round);
    if (round->job == NULL && round->failed)
        start_survey(round, AGAIN_MS);
}

/* ---- what the rest of the service calls ---- */

int root_round_new(struct service *service, struct root_round **ret, struct err *err)
{
    struct root_round *round = calloc(1, sizeof *round);

    if (round == NULL)
        return err_set(err, KMS_ENOMEM, "no memory for the management keys");
    round->service = service;
    *ret = round;
    return 0;
}

void root_round_free(struct root_round *round)
{
    if (round == NULL)
        return;
    drop_pending(round);
    free(round);
}

/* Work in the background makes way: it is taken up again afterwards. */
static void interrupt(struct root_round *round)
{
    if (round->job != NULL && round->asked.request == NULL)
        schedule_cancel(round->service->options.schedule, round->job);
}

void root_round_start(struct root_round *round)
{
    round->again = true;
    interrupt(round);
    advance(round);
}

void root_round_rotate(struct root_round *round, struct request *request,
                       const struct secret_config *secret)
{
    struct err err = {0};

    if (round->asked.request != NULL || round->waiting.request != NULL) {
        err_set(&err, KMS_EBUSY, "a management key is being rotated already");
        err.retry_after_ms = 5000;
        request_fail(request, KMS_EBUSY, &err);
        return;
    }
    round->waiting.request = request;
    round->waiting.secret = secret;
    access_owner(request->peer, NULL, &round->waiting.actor);
    interrupt(round);
    advance(round);
}
