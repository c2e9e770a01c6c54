/* SPDX-License-Identifier: Apache-2.0 */
/* Who the management keys are: asked once per key (GetCallerIdentity), remembered; and the
 * background check of every secret's management identity. */
#ifndef KMS_AGENT_LEASE_IDENTITY_H
#define KMS_AGENT_LEASE_IDENTITY_H

#include "aws/sts.h"
#include "config/config.h"
#include "job/job.h"
#include "lease/aws_access.h"
#include "lease/lease_env.h"

int identity_cache_new(struct identity_cache **ret, struct err *err) KMS_MUST_CHECK;
void identity_cache_free(struct identity_cache *cache);
/* The identity of target->credential, from the cache or AWS. Worker threads. */
int identity_of(struct lease_env *env, const struct aws_target *target, struct sts_identity *ret,
                struct err *err) KMS_MUST_CHECK;

/* A job that tries the management identity of one secret at AWS. */
struct identity_check {
    struct job job;
    struct lease_env *env;
    struct config *config; /* reference */
    const struct secret_config *secret;
    struct aws_access access;
    struct sts_identity identity; /* when err.code is 0 */
    struct err err;
    void (*finished)(struct identity_check *check, void *arg); /* loop, once; callee frees */
    void *arg;
};

/* NULL when out of memory. */
struct identity_check *identity_check_new(struct lease_env *env, struct config *config,
                                          const struct secret_config *secret,
                                          void (*finished)(struct identity_check *check, void *arg),
                                          void *arg);
void identity_check_free(struct identity_check *check);

#endif
