/* SPDX-License-Identifier: Apache-2.0 */
/* A job that looks at all replaced management keys: which rotations are to be brought to their end,
 * and which records the operator made void by putting another key into the configuration (those are
 * removed). */
#ifndef KMS_AGENT_LEASE_ROOT_SURVEY_H
#define KMS_AGENT_LEASE_ROOT_SURVEY_H

#include "config/config.h"
#include "job/job.h"
#include "lease/lease_env.h"
#include "model/root_key.h"

struct root_survey {
    struct job job;
    struct lease_env *env;
    struct config *config; /* reference */
    int64_t delay_ms;      /* waits this long first */
    /* Secrets of the configuration whose key's rotation is not over, one for each record. */
    const struct secret_config *pending[ROOT_KEYS_MAX];
    size_t pending_count;
    struct err err;
    void (*finished)(struct root_survey *survey, void *arg); /* loop, once; callee frees */
    void *arg;
};

/* NULL when out of memory. */
struct root_survey *root_survey_new(struct lease_env *env, struct config *config, int64_t delay_ms,
                                    void (*finished)(struct root_survey *survey, void *arg),
                                    void *arg);
void root_survey_free(struct root_survey *survey);

#endif
