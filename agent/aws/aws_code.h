/* SPDX-License-Identifier: Apache-2.0 */
/* What AWS error codes and HTTP statuses mean for the agent. Pure. Source: botocore's retry tables,
 * the IAM and STS API references. */
#ifndef KMS_AGENT_AWS_AWS_CODE_H
#define KMS_AGENT_AWS_AWS_CODE_H

#include "aws/call.h"

struct aws_meaning {
    enum aws_failure failure;
    int error;           /* KMS_E… */
    bool message_secret; /* AWS's message may repeat parts of the signed request: do not show it */
};

/* code "" when the answer had none. */
struct aws_meaning aws_code_meaning(const char *code, const char *message, int status);
/* The "service:Action" that the message of a denial says is missing; 0, or -1 when it names none. */
int aws_code_denied_action(const char *message, char *ret, size_t size);
/* The message of a denial names an IAM user by its bare name, "on resource: user NAME". AWS does so
 * for users that do not exist (whose path nobody knows, so that a policy scoped by path cannot allow
 * the call), and also for users that do: it proves nothing. */
bool aws_code_denied_blind(const char *message);
/* message as it may be shown: control characters become spaces, at most 300 bytes. */
void aws_code_clean(const char *message, char *ret, size_t size);

#endif
