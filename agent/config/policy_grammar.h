/* SPDX-License-Identifier: Apache-2.0 */
/* The strings of an IAM policy: what AWS takes as an action, a resource, a condition operator and
 * a condition key. Pure, any thread. Sources: IAM User Guide (policy grammar; elements Action,
 * Resource, Condition); the messages of MalformedPolicyDocument. Each answers 0 or KMS_ECONFIG with
 * the reason. */
#ifndef KMS_AGENT_CONFIG_POLICY_GRAMMAR_H
#define KMS_AGENT_CONFIG_POLICY_GRAMMAR_H

#include "common/err.h"

/* "*", or SERVICE:NAME. */
int policy_action_check(const char *action, struct err *err) KMS_MUST_CHECK;
/* "*", or an ARN; AWS completes one with fewer than six fields by wildcards. */
int policy_resource_check(const char *resource, struct err *err) KMS_MUST_CHECK;
/* Whether the ARN, a pattern perhaps, is of the partition; region is for the reason. */
int policy_partition_check(const char *resource, const char *partition, const char *region,
                           struct err *err) KMS_MUST_CHECK;
/* "StringLike", "ForAnyValue:ArnLikeIfExists", … */
int policy_operator_check(const char *name, struct err *err) KMS_MUST_CHECK;
int policy_condition_key_check(const char *key, struct err *err) KMS_MUST_CHECK;

#endif
