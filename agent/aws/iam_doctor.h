/* SPDX-License-Identifier: Apache-2.0 */
/* IAM actions that only read, for doctor; each is optional for the management identity. Worker
 * threads. Named as AWS names them (API reference, IAM 2010-05-08). */
#ifndef KMS_AGENT_AWS_IAM_DOCTOR_H
#define KMS_AGENT_AWS_IAM_DOCTOR_H

#include "aws/call.h"

#include <stddef.h>
#include <stdint.h>

#define IAM_SIMULATE_MAX 32 /* action and resource pairs of one call */

struct iam_context {
    const char *key, *value; /* a condition key and one string value; key NULL: none */
};

struct iam_simulation {
    const char *principal_arn; /* user or role */
    const char *const *actions;
    size_t action_count;
    const char *const *resources;
    size_t resource_count; /* 0: "*" */
    struct iam_context context;
};

struct iam_decision {
    char action[96];
    char resource[AWS_ARN_MAX + 1];
    bool allowed;
    bool explicit_deny;
};

/* Identity policies and boundary of the principal for each pair; at most IAM_SIMULATE_MAX of them
 * in ret. */
int iam_simulate_principal_policy(const struct aws_target *target,
                                  const struct iam_simulation *request,
                                  struct iam_decision ret[IAM_SIMULATE_MAX], size_t *ret_count,
                                  struct aws_result *result, struct err *err) KMS_MUST_CHECK;
struct iam_role {
    char arn[AWS_ARN_MAX + 1];
    int64_t max_session_s; /* MaxSessionDuration */
};

/* The role of that name in the account of the credentials. */
int iam_get_role(const struct aws_target *target, const char *role_name, struct iam_role *ret,
                 struct aws_result *result, struct err *err) KMS_MUST_CHECK;

#endif
