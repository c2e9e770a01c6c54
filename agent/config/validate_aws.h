/* SPDX-License-Identifier: Apache-2.0 */
/* The shapes AWS demands of single strings, and those of our own. Pure. Sources: IAM and STS API references (the
 * patterns of the service models), IAM identifiers. Each answers 0 or KMS_ECONFIG with the reason alone; those for
 * keys never repeat the text. */
#ifndef KMS_AGENT_CONFIG_VALIDATE_AWS_H
#define KMS_AGENT_CONFIG_VALIDATE_AWS_H

#include "common/err.h"

/* Why the key of a session is none to manage with; after "is", or after where it came from. */
#define ACCESS_KEY_OF_SESSION                                                                                           \
    "the access key id of a session (ASIA…), which needs a session token, and there is no option for one: give the key " \
    "of an IAM user (AKIA…), or use assume-role without keys"

int check_region(const char *text, struct err *err) KMS_MUST_CHECK;
int check_iam_path(const char *text, struct err *err) KMS_MUST_CHECK;
int check_iam_name(const char *text, struct err *err) KMS_MUST_CHECK;        /* groups */
int check_policy_arn(const char *text, struct err *err) KMS_MUST_CHECK;
int check_role_arn(const char *text, struct err *err) KMS_MUST_CHECK;
int check_external_id(const char *text, struct err *err) KMS_MUST_CHECK;
int check_tag(const char *text, struct err *err) KMS_MUST_CHECK;             /* "key=value" */
int check_access_key_id(const char *text, struct err *err) KMS_MUST_CHECK;   /* an id or a reference */
int check_secret_reference(const char *text, struct err *err) KMS_MUST_CHECK;
int check_user_template(const char *text, struct err *err) KMS_MUST_CHECK;
int check_session_template(const char *text, struct err *err) KMS_MUST_CHECK;

#endif
