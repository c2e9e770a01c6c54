/* SPDX-License-Identifier: Apache-2.0 */
#include "service/events.h"

#include "base/message_ids.h"
#include "common/timefmt.h"

#include <stdio.h>
#include <stdlib.h>

static const char *text_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : NULL;
}

void events_log(enum log_level level, const char *message_id, const struct lease_owner *actor,
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
        {FIELD_AWS_ACTION, call != NULL ? text_or_null(call->action) : NULL},
        {FIELD_AWS_REQUEST_ID, call != NULL ? text_or_null(call->request_id) : NULL},
    };

    log_event(level, message_id, fields, sizeof fields / sizeof fields[0], "%s", message);
}

void events_call_of(const struct err *err, struct lease_call *ret)
{
    snprintf(ret->action, sizeof ret->action, "%s", err->aws_action);
    snprintf(ret->request_id, sizeof ret->request_id, "%s", err->aws_request_id);
}

struct audit_op {
    struct store_op op;
    struct audit audit;
};

static int append(struct store_txn *txn, void *arg, struct err *err)
{
    const struct audit_op *audit_op = arg;

    return store_audit(txn, &audit_op->audit, err);
}

/* Writer thread. */
static void appended(struct store_op *op)
{
    free(op->arg);
}

void events_audit(struct store *store, const struct audit *audit)
{
    struct audit_op *audit_op = calloc(1, sizeof *audit_op);

    if (audit_op == NULL)
        return;
    audit_op->audit = *audit;
    audit_op->op.apply = append;
    audit_op->op.done = appended;
    audit_op->op.arg = audit_op;
    store_submit(store, &audit_op->op);
}
