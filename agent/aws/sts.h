/* SPDX-License-Identifier: Apache-2.0 */
/* STS actions, named as AWS names them (API reference, STS 2011-06-15). Worker threads. */
#ifndef KMS_AGENT_AWS_STS_H
#define KMS_AGENT_AWS_STS_H

#include "aws/call.h"
#include "aws/credential.h"
#include "aws/iam_user.h"

#include <stddef.h>

struct sts_identity {
    char account_id[AWS_ACCOUNT_MAX + 1];
    char arn[AWS_ARN_MAX + 1];
    char user_id[AWS_USER_ID_MAX + 1];
};

struct sts_session_request {
    const char *role_arn, *session_name, *external_id; /* AssumeRole*; external_id NULL: none */
    const char *policy;                                /* session policy JSON or NULL */
    const char *const *policy_arns;
    size_t policy_arn_count;
    const struct iam_tag *tags;
    size_t tag_count;
    int64_t duration_s;
    const char *web_identity_token; /* AssumeRoleWithWebIdentity */
};

/* Sessions: *ret gets keys, token, expires_ms (STS's Expiration); arn (size AWS_ARN_MAX+1) the
 * assumed-role ARN, "" for GetSessionToken. */
int sts_get_caller_identity(const struct aws_target *target, struct sts_identity *ret,
                            struct aws_result *result, struct err *err) KMS_MUST_CHECK;
int sts_get_session_token(const struct aws_target *target, int64_t duration_s,
                          struct aws_credential *ret, struct aws_result *result,
                          struct err *err) KMS_MUST_CHECK;
int sts_assume_role(const struct aws_target *target, const struct sts_session_request *request,
                    struct aws_credential *ret, char arn[AWS_ARN_MAX + 1],
                    struct aws_result *result, struct err *err) KMS_MUST_CHECK;
/* Unsigned: target->credential is ignored. */
int sts_assume_role_with_web_identity(const struct aws_target *target,
                                      const struct sts_session_request *request,
                                      struct aws_credential *ret, char arn[AWS_ARN_MAX + 1],
                                      struct aws_result *result, struct err *err) KMS_MUST_CHECK;

#endif
