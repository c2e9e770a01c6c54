/* SPDX-License-Identifier: Apache-2.0 */
#include "model/audit.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const char *const event_names[] = {
    [AUDIT_ISSUED] = "issued",   [AUDIT_RENEWED] = "renewed",   [AUDIT_REVOKING] = "revoking",
    [AUDIT_REVOKED] = "revoked", [AUDIT_DENIED] = "denied",     [AUDIT_FAILED] = "failed",
    [AUDIT_STUCK] = "stuck",     [AUDIT_RELOADED] = "reloaded", [AUDIT_SHARED] = "shared",
    [AUDIT_ROTATED] = "rotated",
};

const char *audit_event_name(enum audit_event event)
{
    size_t i = (size_t)event;

    if (i >= sizeof(event_names) / sizeof(event_names[0]) || event_names[i] == NULL)
        return "unknown";
    return event_names[i];
}

void audit_set_error(struct audit *audit, const struct err *err)
{
    audit->error = err->code;
    snprintf(audit->detail, sizeof(audit->detail), "%.*s", (int)sizeof(audit->detail) - 1,
             err->message);
    snprintf(audit->aws_action, sizeof(audit->aws_action), "%s", err->aws_action);
    snprintf(audit->aws_request_id, sizeof(audit->aws_request_id), "%s", err->aws_request_id);
}

void audit_set_call(struct audit *audit, const struct lease_call *call)
{
    snprintf(audit->aws_action, sizeof(audit->aws_action), "%s", call->action);
    snprintf(audit->aws_request_id, sizeof(audit->aws_request_id), "%s", call->request_id);
}

void audit_from_lease(struct audit *ret, enum audit_event event, const struct lease *lease,
                      int64_t time_ms)
{
    memset(ret, 0, sizeof(*ret));
    ret->time_ms = time_ms;
    ret->event = event;
    ret->lease_id = lease->id;
    ret->owner = lease->owner;
    ret->reason = lease->reason;
    ret->expires_ms = lease->expires_ms;
    memcpy(ret->secret, lease->secret, sizeof(ret->secret));
    memcpy(ret->access_key_id, lease->access_key_id, sizeof(ret->access_key_id));
    memcpy(ret->user_name, lease->user_name, sizeof(ret->user_name));
    if (event == AUDIT_FAILED || event == AUDIT_STUCK) {
        snprintf(ret->detail, sizeof(ret->detail), "%.*s", (int)sizeof(ret->detail) - 1,
                 lease->error);
        memcpy(ret->aws_action, lease->error_action, sizeof(ret->aws_action));
        memcpy(ret->aws_request_id, lease->error_request_id, sizeof(ret->aws_request_id));
    }
}
