/* SPDX-License-Identifier: Apache-2.0 */
/* The least IAM policies that a secret needs at AWS, as JSON documents ready to paste. Pure;
 * jansson builds them. */
#ifndef KMS_AGENT_MODEL_LEAST_POLICY_H
#define KMS_AGENT_MODEL_LEAST_POLICY_H

#include "model/least_need.h"

#define LEAST_DOCUMENTS_MAX 6
#define LEAST_NOTES_MAX 12
#define LEAST_ROTATE_TITLE "rotate-root"
#define LEAST_USER_QUOTA 2048    /* non-whitespace characters of all inline policies of a user */
#define LEAST_ROLE_QUOTA 10240   /* of a role */
#define LEAST_MANAGED_QUOTA 6144 /* of a managed policy */

/* Who a document is for. */
enum least_holder {
    LEAST_FOR_MANAGEMENT, /* the user or role whose credentials the agent has */
    LEAST_FOR_ROLE,       /* assume-role, irsa: the role */
    LEAST_FOR_TRUST,      /* the role's trust policy */
};

struct least_document {
    enum least_holder holder;
    const char *title;
    char identity[AWS_ARN_MAX +
                  40]; /* whose it is: "the management user", "the role ARN", "base credentials" */
    char *policy;      /* compact JSON */
    bool optional;     /* the agent can do without */
};

struct least_policy {
    struct least_document documents[LEAST_DOCUMENTS_MAX];
    size_t document_count;
    char *notes[LEAST_NOTES_MAX]; /* one sentence each */
    size_t note_count;
};

/* 0 or KMS_ENOMEM. least_policy_done() it either way. */
int least_policy_make(const struct least_facts *facts, struct least_policy *ret) KMS_MUST_CHECK;
void least_policy_done(struct least_policy *policy);
/* ARN of the IAM user or role behind the ARN that GetCallerIdentity gives (of an assumed role that
 * of the role, which is without its path there: *ret_guessed). 0, or -1 for root and anything else.
 */
int least_principal_arn(const char *identity_arn, char ret[AWS_ARN_MAX + 1], bool *ret_guessed);

#endif
