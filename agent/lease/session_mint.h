/* SPDX-License-Identifier: Apache-2.0 */
/* One STS call that makes a session for a lease: GetSessionToken, AssumeRole or
 * AssumeRoleWithWebIdentity by method. Used to issue and to renew. Worker threads. */
#ifndef KMS_AGENT_LEASE_SESSION_MINT_H
#define KMS_AGENT_LEASE_SESSION_MINT_H

#include "config/config.h"
#include "lease/aws_access.h"

struct session_mint {
    struct lease_env *env;
    const struct secret_config *secret; /* today's: session name, tags, policies */
    const struct lease *lease;          /* recipe, owner, and the end for the dated policy */
    int64_t sts_s;                      /* DurationSeconds; afterwards: what AWS was left with */
    bool dated_policy;                  /* the session must die at lease->expires_ms */
    char lowered[160];                  /* afterwards: why sts_s is less than it was, or "" */
};

/* *ret gets the session and arn its name, but GetSessionToken tells none: arn stays as it is. Where
 * the role's own maximum is below sts_s it is asked once more for the hour that every role gives. */
int session_mint(struct session_mint *mint, struct aws_access *access, struct aws_credential *ret,
                 char arn[AWS_ARN_MAX + 1], struct aws_result *result,
                 struct err *err) KMS_MUST_CHECK;

#endif
