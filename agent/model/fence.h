/* SPDX-License-Identifier: Apache-2.0 */
/* Policy documents that make a credential die on time at AWS. Pure; jansson builds them, compact JSON.
 * Dates are whole seconds, rounded down. Source: IAM policy grammar; design.md, The fence. */
#ifndef KMS_AGENT_MODEL_FENCE_H
#define KMS_AGENT_MODEL_FENCE_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FENCE_POLICY_NAME "kms-fence"
#define FENCE_INLINE_PREFIX "kms-inline-"     /* kms-inline-1 … */
#define FENCE_QUOTA 2048                      /* non-whitespace characters of all inline policies of a user */
#define FENCE_DOCUMENT_MAX 4096

/* Deny * from end_ms on; Deny iam:* on user_arn; with deny_role_hop also sts:AssumeRole, GetFederationToken,
 * GetSessionToken. *ret is malloc'd, the caller frees. 0 or KMS_ENOMEM. */
int fence_user_document(const char *user_arn, int64_t end_ms, bool deny_role_hop, char **ret) KMS_MUST_CHECK;
/* Deny everything at once. */
int fence_deny_now_document(char **ret) KMS_MUST_CHECK;
/* Session policy that ends at end_ms: document (JSON or NULL) plus the dated Deny; has_arns: the secret has session
 * policy ARNs; neither: Allow * plus the Deny. KMS_EINVALID if document does not parse. */
int fence_session_document(const char *document, bool has_arns, int64_t end_ms, char **ret, struct err *err) KMS_MUST_CHECK;
/* Characters that count towards FENCE_QUOTA. */
size_t fence_policy_size(const char *document);
/* Largest size the fence of a user with this path and name template can have in this partition. */
size_t fence_user_size_max(const char *partition, const char *path, bool deny_role_hop);

#endif
