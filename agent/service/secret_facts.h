/* SPDX-License-Identifier: Apache-2.0 */
/* What is known about a secret's identities, gathered for `kmsctl policy` and doctor. Worker
 * threads. */
#ifndef KMS_AGENT_SERVICE_SECRET_FACTS_H
#define KMS_AGENT_SERVICE_SECRET_FACTS_H

#include "config/config.h"
#include "lease/lease_env.h"
#include "model/least_need.h"

struct secret_facts {
    struct least_facts facts; /* points into this struct and into the configuration */
    char account[AWS_ACCOUNT_MAX + 1];
    char role_arn[AWS_ARN_MAX + 1], manager_arn[AWS_ARN_MAX + 1], base_arn[AWS_ARN_MAX + 1];
    struct web_identity_claims claims;
    bool role_guessed; /* role_arn is that of an assumed role's session: its path is not known */
};

/* Finds out whose credentials sign: of the base credentials (irsa: of the role), asking AWS unless
 * it is remembered, until the worker's HTTP limit. What cannot be known stays empty; *ret must stay
 * where it is. err (may be NULL) says why the identity is not known. */
void secret_facts_gather(struct lease_env *env, struct lease_worker *worker,
                         const struct secret_config *secret, struct secret_facts *ret,
                         struct err *err);

#endif
