/* SPDX-License-Identifier: Apache-2.0 */
/* Renewing: an IAM user's fence is moved first, then the record, then the answer; a session gets a
 * fresh credential under the same lease id. The frozen recipe takes away, today's configuration
 * grants. */
#ifndef KMS_AGENT_LEASE_RENEW_H
#define KMS_AGENT_LEASE_RENEW_H

#include "config/config.h"
#include "job/job.h"
#include "lease/lease_env.h"

struct renew_progress;

struct renew {
    struct job job;
    struct lease_env *env;
    struct config *config;    /* reference; today's configuration */
    int64_t ttl_s;            /* 0: default */
    struct lease_owner actor; /* who asked; a renewal by the agent itself: the lease's owner */
    bool by_agent;            /* bound lease renewed while its process lives */
    bool settle_only;         /* nothing is prolonged: the fence is put to the lease's end (DUE_FENCE) */
    struct lease lease;       /* after */
    struct aws_credential credential; /* sessions: the fresh one; IAM users: empty */
    struct lease_call call;           /* that made it so */
    struct err err;
    void (*finished)(struct renew *renew, void *arg); /* loop, once; callee frees */
    void *arg;
    struct renew_progress *progress; /* private */
    int64_t new_expires_ms;          /* AWS time */
};

/* actor NULL: a renewal by the agent of a bound lease. NULL when out of memory. */
struct renew *renew_new(struct lease_env *env, struct config *config, const struct uuid *lease_id,
                        int64_t ttl_s, const struct lease_owner *actor,
                        void (*finished)(struct renew *renew, void *arg), void *arg);
void renew_free(struct renew *renew);

#endif
