/* SPDX-License-Identifier: Apache-2.0 */
/* What an IAM user has: paged List… actions gathered into one string list each (bounded). Worker
 * threads. */
#ifndef KMS_AGENT_AWS_IAM_LIST_H
#define KMS_AGENT_AWS_IAM_LIST_H

#include "aws/call.h"

#include <stddef.h>

/* What DeleteUser needs gone (API_DeleteUser); the first four are the page's list, the rest only
 * after a DeleteConflict. */
enum iam_list_kind {
    IAM_LIST_ACCESS_KEYS,          /* ids */
    IAM_LIST_ATTACHED_POLICIES,    /* ARNs */
    IAM_LIST_GROUPS,               /* names */
    IAM_LIST_USER_POLICIES,        /* names */
    IAM_LIST_MFA_DEVICES,          /* serial numbers */
    IAM_LIST_SSH_PUBLIC_KEYS,      /* ids */
    IAM_LIST_SIGNING_CERTIFICATES, /* ids */
    IAM_LIST_SERVICE_CREDENTIALS,  /* ids */
};

struct iam_names {
    char **items;
    size_t count;
};

/* One page: MaxItems 100 from *marker ("" = first); marker is updated, "" when there is no more.
 * Names are appended. */
int iam_list_page(const struct aws_target *target, enum iam_list_kind kind, const char *user_name,
                  char marker[321], struct iam_names *names, struct aws_result *result,
                  struct err *err) KMS_MUST_CHECK;
/* One page of ListUsers under a path; items are user names. */
int iam_list_users_page(const struct aws_target *target, const char *path_prefix, char marker[321],
                        struct iam_names *names, struct aws_result *result,
                        struct err *err) KMS_MUST_CHECK;
void iam_names_done(struct iam_names *names);

#endif
