/* SPDX-License-Identifier: Apache-2.0 */
/* What lease work needs, made once by main. Read-only afterwards; every thread. */
#ifndef KMS_AGENT_LEASE_LEASE_ENV_H
#define KMS_AGENT_LEASE_LEASE_ENV_H

#include "aws/http.h"
#include "common/uuid7.h"
#include "job/budget.h"
#include "job/ways.h"
#include "sources/chain.h"
#include "store/store.h"

struct identity_cache;
struct today;

struct lease_env {
    struct store *store;
    struct sources *sources;
    struct budget_set *iam_budgets, *sts_budgets;
    struct ways *ways; /* which endpoints and sources are silent */
    struct identity_cache *identities; /* who the management keys are */
    struct today *today; /* the configuration in force; NULL: revocations do without */
    const char *agent_id;
    int64_t started_wall_ms; /* when this process started */
    uint64_t run_id;         /* of this process, random, never 0: whose unfinished leases are whose */
    /* A due row may have moved to an earlier time; any thread (the scheduler looks again). */
    void (*due_changed)(void *arg);
    void *due_changed_arg;
};

/* Budgets and ways, without leases or calls yet. KMS_ENOMEM: lease_env_free_limits() all the same. */
int lease_env_new_limits(struct lease_env *env, double iam_rate, double sts_rate,
                         struct err *err) KMS_MUST_CHECK;
/* Calls a second, of today and later (reload). Loop thread. */
void lease_env_set_rates(struct lease_env *env, double iam_rate, double sts_rate);
void lease_env_free_limits(struct lease_env *env);

/* Worker context of the pool: the HTTP client of the worker. */
struct lease_worker {
    struct http_client *http;
};

#endif
