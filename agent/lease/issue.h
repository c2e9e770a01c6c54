/* SPDX-License-Identifier: Apache-2.0 */
/* Issuing a lease: a job whose steps are rows of a table, run by one loop that does logging,
 * deadline, budget, error context and the way out (any failure left after bounded retries moves the
 * lease to REVOKING; there is no undo). */
#ifndef KMS_AGENT_LEASE_ISSUE_H
#define KMS_AGENT_LEASE_ISSUE_H

#include "config/config.h"
#include "job/job.h"
#include "lease/lease_env.h"
#include "model/ttl.h"

struct issue;
struct issue_params {
    struct config *config;              /* referenced for the life of the job */
    const struct secret_config *secret; /* in config */
    struct lease_owner owner;
    int64_t ttl_s;                /* 0: default */
    bool bind;                    /* bind to process */
    struct lease_process process; /* when bind */
    bool shared;
};

struct issue {
    struct job job;
    struct lease_env *env;
    struct config *config;
    const struct secret_config *secret;
    struct lease lease;               /* the record as committed */
    struct aws_credential credential; /* the result; wiped by issue_free() */
    struct ttl_grant ttl;
    struct lease_call call; /* that made the credential */
    struct err err;         /* when job.rc != 0 */
    bool recorded;          /* the failure has its audit line */
    /* Loop thread, exactly once. The callee owns issue from here: issue_free() it when the reply is
     * out. */
    void (*finished)(struct issue *issue, void *arg);
    void *arg;
    struct issue_progress *progress; /* private to lease/ */
};

/* Makes the job (lane by credential type); hand it to schedule_submit(). NULL when out of memory.
 */
struct issue *issue_new(struct lease_env *env, const struct issue_params *params,
                        void (*finished)(struct issue *issue, void *arg), void *arg);
void issue_free(struct issue *issue);
/* The reply went out whole: recorded, not awaited. Loop. */
void issue_delivered(struct lease_env *env, const struct uuid *lease_id);
/* The reply could not be written: revoked at once (through the due index). Loop. */
void issue_undelivered(struct lease_env *env, const struct uuid *lease_id);

#endif
