/* SPDX-License-Identifier: Apache-2.0 */
#include "service/failure.h"

#include "base/clock.h"
#include "base/message_ids.h"
#include "common/log.h"
#include "service/events.h"

#include <stdio.h>

static const char *text_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : NULL;
}

static void write_journal(const struct failure *failure, uint32_t suppressed)
{
    const struct lease_owner *actor = failure->actor;
    const struct err *err = failure->err;
    char uid[16], pid[16], id[UUID_TEXT_SIZE] = "", more[48] = "";

    snprintf(uid, sizeof uid, "%u", actor->uid);
    snprintf(pid, sizeof pid, "%d", (int)actor->pid);
    if (failure->lease != NULL)
        uuid_format(&failure->lease->id, id);
    if (suppressed > 0)
        snprintf(more, sizeof more, " (%u failures of this uid before it)", suppressed);
    const struct log_field fields[] = {
        {FIELD_PEER_UID, uid},
        {FIELD_PEER_PID, pid},
        {FIELD_PEER_UNIT, text_or_null(actor->unit)},
        {FIELD_PEER_COMMAND, text_or_null(actor->command)},
        {FIELD_SECRET, text_or_null(failure->secret)},
        {FIELD_LEASE_ID, text_or_null(id)},
        {FIELD_REASON, err->message},
        {FIELD_AWS_ACTION, text_or_null(err->aws_action)},
        {FIELD_AWS_REQUEST_ID, text_or_null(err->aws_request_id)},
    };

    log_event(LOG_LEVEL_WARNING, MESSAGE_ID_FAILED, fields, sizeof fields / sizeof fields[0],
              "secret \"%s\"%s: %s", failure->secret != NULL ? failure->secret : "", more,
              err->message);
}

static void write_audit(struct service *service, const struct failure *failure, uint32_t suppressed)
{
    struct audit audit = {.time_ms = clock_aws_ms(), .event = AUDIT_FAILED};

    if (failure->lease != NULL)
        audit_from_lease(&audit, AUDIT_FAILED, failure->lease, audit.time_ms);
    audit.owner = *failure->actor;
    if (failure->secret != NULL)
        snprintf(audit.secret, sizeof audit.secret, "%s", failure->secret);
    audit_set_error(&audit, failure->err);
    if (suppressed > 0)
        snprintf(audit.detail, sizeof audit.detail, "(%u failures of this uid before it) %.200s",
                 suppressed, failure->err->message);
    events_audit(service->options.env->store, &audit);
}

void failure_record(struct service *service, const struct failure *failure)
{
    uint32_t suppressed;

    if (failure->err->code == 0 || failure->err->code == KMS_ESTOPPING ||
        !rate_take(&service->failures, failure->actor->uid, FAILURES_PER_MINUTE / 60.0,
                   FAILURES_PER_MINUTE, clock_boot_ms(), &suppressed, NULL))
        return;
    if (!failure->logged)
        write_journal(failure, suppressed);
    if (!failure->audited)
        write_audit(service, failure, suppressed);
}
