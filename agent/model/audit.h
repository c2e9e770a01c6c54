/* SPDX-License-Identifier: Apache-2.0 */
/* One line of the audit log: who did what to which lease, when, with what result. No secrets. */
#ifndef KMS_AGENT_MODEL_AUDIT_H
#define KMS_AGENT_MODEL_AUDIT_H

#include "common/err.h"
#include "model/lease.h"

/* Values are stored. */
enum audit_event {
    AUDIT_ISSUED = 1, AUDIT_RENEWED = 2, AUDIT_REVOKING = 3, AUDIT_REVOKED = 4, AUDIT_DENIED = 5, AUDIT_FAILED = 6,
    AUDIT_STUCK = 7, AUDIT_RELOADED = 8, AUDIT_SHARED = 9,
    AUDIT_ROTATED = 10,
};

struct audit {
    uint64_t sequence;        /* set by the store */
    int64_t time_ms;          /* AWS time */
    enum audit_event event;
    struct uuid lease_id;     /* nil: none */
    char secret[SECRET_NAME_MAX + 1];
    struct lease_owner owner; /* who asked (expiry: the lease's owner) */
    enum revoke_reason reason;
    int64_t expires_ms;       /* end of the lease after the event; 0: does not apply */
    char access_key_id[AWS_KEY_ID_MAX + 1];
    char user_name[IAM_USER_NAME_MAX + 1];
    int error;                /* KMS_E… or 0 */
    char detail[256];         /* short text, e.g. the error sentence */
    char aws_action[64], aws_request_id[80];  /* the call that made it so, or that failed */
};

const char *audit_event_name(enum audit_event event);
/* What failed: its code, sentence, action and request id. */
void audit_set_error(struct audit *audit, const struct err *err);
void audit_set_call(struct audit *audit, const struct lease_call *call);
/* Fills an event about a lease from its record. */
void audit_from_lease(struct audit *ret, enum audit_event event, const struct lease *lease, int64_t time_ms);

#endif
