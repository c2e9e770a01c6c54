/* SPDX-License-Identifier: Apache-2.0 */
/* The access keys of a user with the time they were made (API reference, IAM 2010-05-08,
 * ListAccessKeys). Worker threads. */
#ifndef KMS_AGENT_AWS_IAM_KEYS_H
#define KMS_AGENT_AWS_IAM_KEYS_H

#include "aws/call.h"

#include <stddef.h>

#define IAM_KEYS_MAX 16 /* AWS allows two; more than this is no answer of AWS's */

struct iam_key {
    char id[AWS_KEY_ID_MAX + 1];
    int64_t created_ms; /* AWS time */
};

struct iam_keys {
    struct iam_key items[IAM_KEYS_MAX];
    size_t count;
};

/* One call: two keys fit any page. */
int iam_list_access_keys(const struct aws_target *target, const char *user_name,
                         struct iam_keys *ret, struct aws_result *result,
                         struct err *err) KMS_MUST_CHECK;

#endif
