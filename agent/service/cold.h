/* SPDX-License-Identifier: Apache-2.0 */
/* Requests whose answer takes reading: run on a worker in the background lane, encoded there, sent by the loop. */
#ifndef KMS_AGENT_SERVICE_COLD_H
#define KMS_AGENT_SERVICE_COLD_H

#include "service/request.h"

/* All that the worker may touch; made on the loop, a copy of what the request says. */
struct cold {
    struct job job;
    struct request *request; /* the loop's */
    struct store *store;
    struct lease_env *env;
    struct lease_worker *worker; /* set while work runs: the worker's HTTP client */
    struct config *config;   /* kept by the request */
    struct params params;
    struct lease_owner actor;
    bool admin;
    const struct secret_config **secrets; /* op_secret_list: those to tell of; freed with the job */
    size_t secret_count;
    struct wire_writer writer; /* the result goes here: one value */
    struct err err;
    int (*work)(struct cold *cold); /* worker; 0 or KMS_E… in err */
    /* Loop, instead of the answer: the operation goes on by itself and answers the request. Also when the job could
     * not be submitted. NULL: the request is answered. */
    void (*listed)(struct cold *cold, int rc);
    void *arg; /* the operation's */
    void (*arg_free)(void *arg); /* NULL: arg is not the job's to free */
};

/* Copies what is needed of request and its peer. NULL when out of memory: the request was answered. */
struct cold *cold_new(struct request *request, int (*work)(struct cold *cold), bool admin);
/* Submits; the request is answered whatever happens. */
void cold_start(struct cold *cold);
/* Answers with an error instead and frees. */
void cold_fail(struct cold *cold, int rc);
/* Whether the worker should stop: the client is gone or the time is up. */
bool cold_is_over(const struct cold *cold);
/* The lease is the actor's own (policy_owns over the copied facts). */
bool cold_owns(const struct cold *cold, const struct lease *lease);

#endif
