/* SPDX-License-Identifier: Apache-2.0 */
/* What to do about a denial, by the action and by AWS's words for the reason. Pure. Sources: the
 * API references of IAM and STS (who may call what); "Troubleshoot access denied error messages" of
 * the IAM user guide. */
#ifndef KMS_AGENT_AWS_DENIED_HINT_H
#define KMS_AGENT_AWS_DENIED_HINT_H

#include "common/err.h"

#include <stdbool.h>

/* Sets err's hint (err may be NULL). called: the action that was called, "iam:CreateUser"; message:
 * AWS's, which may name another action; blind: aws_code_denied_blind(message). */
void denied_hint(struct err *err, const char *called, const char *message, bool blind);

#endif
