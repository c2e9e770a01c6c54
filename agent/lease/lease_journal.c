/* SPDX-License-Identifier: Apache-2.0 */
#include "lease/lease_journal.h"

#include "base/message_ids.h"
#include "common/timefmt.h"

#include <stdio.h>

static const char *text_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : NULL;
}

void lease_journal(enum log_level level, const char *message_id, const struct lease_owner *actor,
                   const char *secret, const struct lease *lease, const struct lease_call *call,
                   const char *message)
{
    char uid[16], pid[16], id[UUID_TEXT_SIZE] = "", expires[TIME_TEXT_SIZE] = "";

    snprintf(uid, sizeof uid, "%u", actor->uid);
    snprintf(pid, sizeof pid, "%d", (int)actor->pid);
    if (lease != NULL) {
        uuid_format(&lease->id, id);
        if (lease->expires_ms != 0)
            time_format(lease->expires_ms, expires);
        if (secret == NULL)
            secret = lease->secret;
    }
    const struct log_field fields[] = {
        {FIELD_PEER_UID, uid},
        {FIELD_PEER_PID, pid},
        {FIELD_PEER_UNIT, text_or_null(actor->unit)},
        {FIELD_PEER_COMMAND, text_or_null(actor->command)},
        {FIELD_SECRET, text_or_null(secret)},
        {FIELD_LEASE_ID, text_or_null(id)},
        {FIELD_ACCESS_KEY_ID, lease != NULL ? text_or_null(lease->access_key_id) : NULL},
        {FIELD_EXPIRES, text_or_null(expires)},
        {FIELD_REASON,
         lease != NULL && lease->reason != REVOKE_NONE ? revoke_reason_name(lease->reason) : NULL},
        {FIELD_AWS_ACTION, call != NULL ? text_or_null(call->action) : NULL},
        {FIELD_AWS_REQUEST_ID, call != NULL ? text_or_null(call->request_id) : NULL},
    };

    log_event(level, message_id, fields, sizeof fields / sizeof fields[0], "%s", message);
}

void lease_journal_end(const struct lease *lease)
{
    char message[64];

    snprintf(message, sizeof message, "lease revoked: %s", revoke_reason_name(lease->reason));
    lease_journal(LOG_LEVEL_NOTICE,
                  lease->reason == REVOKE_UNDELIVERED ? MESSAGE_ID_UNDELIVERED : MESSAGE_ID_REVOKED,
                  &lease->owner, NULL, lease, &lease->ended_by, message);
}
