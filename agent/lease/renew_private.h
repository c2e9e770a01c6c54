/* SPDX-License-Identifier: Apache-2.0 */
/* Between renew.c (the calls and their end) and renew_check.c (may it be renewed today). Worker
 * threads. */
#ifndef KMS_AGENT_LEASE_RENEW_PRIVATE_H
#define KMS_AGENT_LEASE_RENEW_PRIVATE_H

#include "lease/aws_access.h"
#include "lease/renew.h"
#include "lease/session_mint.h"

struct renew_progress {
    struct aws_access access;
    struct retry retry;
    int64_t limit_ms; /* boot clock; 0: not begun */
    const struct secret_config *secret;
    struct session_mint mint;
    int64_t asked_s; /* what this renewal asks for */
    bool for_good;   /* refused, and it will be the next time: the agent need not ask again */
    bool raised;     /* the record says that the fence may be at the new end … */
    bool unclear;    /* … and it may be */
};

/* The fence moves to new_expires_ms, before anybody hears of that, and after the record. */
int renew_move_fence(struct renew *renew, struct aws_result *result) KMS_MUST_CHECK;
/* The job of a DUE_FENCE row: the fence goes to the end of the lease as it is recorded. */
int renew_settle_fence(struct renew *renew, struct lease_worker *worker) KMS_MUST_CHECK;
/* At the end of a renewal that failed: what it left is put right. Loop thread. */
void renew_lower_fence(struct renew *renew);

/* Whether progress->secret still grants what the lease has: 0, or KMS_ENORENEW for good. */
int renew_check_today(struct renew *renew) KMS_MUST_CHECK;
/* With access open: whether the management key is of those the lease was made with. 0, KMS_ENORENEW
 * for good, KMS_EAGAIN with wake_ms set, or the error of the question. */
int renew_check_key(struct renew *renew) KMS_MUST_CHECK;

#endif
