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
};

/* Whether progress->secret still grants what the lease has: 0, or KMS_ENORENEW for good. */
int renew_check_today(struct renew *renew) KMS_MUST_CHECK;
/* With access open: whether the management key is of those the lease was made with. 0, KMS_ENORENEW
 * for good, KMS_EAGAIN with wake_ms set, or the error of the question. */
int renew_check_key(struct renew *renew) KMS_MUST_CHECK;

#endif
