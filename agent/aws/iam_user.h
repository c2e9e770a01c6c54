/* SPDX-License-Identifier: Apache-2.0 */
/* IAM user actions, named as AWS names them (API reference, IAM 2010-05-08). Worker threads. Each
 * answers 0 or a KMS_E… with result->failure set. */
#ifndef KMS_AGENT_AWS_IAM_USER_H
#define KMS_AGENT_AWS_IAM_USER_H

#include "aws/call.h"
#include "aws/credential.h"

#include <stddef.h>

struct iam_tag {
    const char *key, *value;
};

struct iam_user {
    char user_name[IAM_USER_NAME_MAX + 65];
    char user_id[AWS_USER_ID_MAX + 1];
    char arn[AWS_ARN_MAX + 1];
    char path[IAM_PATH_MAX + 1];
    char lease_tag[64], agent_tag[256],
        last_end_tag[64]; /* values of kms-lease-id, kms-agent-id, kms-last-end */
};

struct iam_create_user {
    const char *user_name, *path, *permissions_boundary; /* boundary NULL: none */
    const struct iam_tag *tags;
    size_t tag_count;
};

int iam_create_user(const struct aws_target *target, const struct iam_create_user *request,
                    struct iam_user *ret, struct aws_result *result,
                    struct err *err) KMS_MUST_CHECK;
int iam_get_user(const struct aws_target *target, const char *user_name, struct iam_user *ret,
                 struct aws_result *result, struct err *err) KMS_MUST_CHECK;
int iam_delete_user(const struct aws_target *target, const char *user_name,
                    struct aws_result *result, struct err *err) KMS_MUST_CHECK;
int iam_put_user_policy(const struct aws_target *target, const char *user_name,
                        const char *policy_name, const char *document, struct aws_result *result,
                        struct err *err) KMS_MUST_CHECK;
int iam_delete_user_policy(const struct aws_target *target, const char *user_name,
                           const char *policy_name, struct aws_result *result,
                           struct err *err) KMS_MUST_CHECK;
int iam_attach_user_policy(const struct aws_target *target, const char *user_name,
                           const char *policy_arn, struct aws_result *result,
                           struct err *err) KMS_MUST_CHECK;
int iam_detach_user_policy(const struct aws_target *target, const char *user_name,
                           const char *policy_arn, struct aws_result *result,
                           struct err *err) KMS_MUST_CHECK;
int iam_add_user_to_group(const struct aws_target *target, const char *user_name,
                          const char *group_name, struct aws_result *result,
                          struct err *err) KMS_MUST_CHECK;
int iam_remove_user_from_group(const struct aws_target *target, const char *user_name,
                               const char *group_name, struct aws_result *result,
                               struct err *err) KMS_MUST_CHECK;
/* *ret holds a secret: aws_credential_done() it. Not idempotent: never retried after an ambiguous
 * answer. */
int iam_create_access_key(const struct aws_target *target, const char *user_name,
                          struct aws_credential *ret, struct aws_result *result,
                          struct err *err) KMS_MUST_CHECK;
int iam_delete_access_key(const struct aws_target *target, const char *user_name,
                          const char *access_key_id, struct aws_result *result,
                          struct err *err) KMS_MUST_CHECK;

#endif
