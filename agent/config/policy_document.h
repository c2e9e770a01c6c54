/* SPDX-License-Identifier: Apache-2.0 */
/* Policy documents of users and sessions: what AWS would refuse as MalformedPolicyDocument is
 * refused at load. Pure but for memory. Sources: IAM policy grammar; API reference, PutUserPolicy. */
#ifndef KMS_AGENT_CONFIG_POLICY_DOCUMENT_H
#define KMS_AGENT_CONFIG_POLICY_DOCUMENT_H

#include "common/err.h"

#define POLICY_DOCUMENT_MAX 131072 /* bytes of a document that are looked at */

/* A policy without principals: *ret is malloc'd minified JSON; KMS_ECONFIG with the statement and
 * the reason. */
int policy_document_check(const char *text, char **ret, struct err *err) KMS_MUST_CHECK;
/* Whether every resource of a checked document is of the partition, that of region. */
int policy_document_check_partition(const char *document, const char *partition, const char *region,
                                    struct err *err) KMS_MUST_CHECK;

#endif
