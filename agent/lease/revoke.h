/* SPDX-License-Identifier: Apache-2.0 */
/* Revoking, the one way out of every lease: expiry, client, peer exit, failed mint, undelivered
 * reply, recovery. One job runs one stage (the key; then the clean-up) and puts the lease back into
 * the due index for the next, so that phase one of every due lease comes before any clean-up. A
 * client is answered when its key is dead. */
#ifndef KMS_AGENT_LEASE_REVOKE_H
#define KMS_AGENT_LEASE_REVOKE_H

#include "job/job.h"
#include "lease/lease_env.h"

struct revoke {
    struct job job;
    struct lease_env *env;
    enum revoke_reason reason; /* REVOKE_NONE: carry on with a lease that is REVOKING */
    struct lease_owner actor;  /* who asked */
    bool has_actor;
    bool only_begin;    /* record that it begins; the due index brings the rest */
    struct lease lease; /* after */
    struct err err;
    void (*finished)(struct revoke *revoke,
                     void *arg); /* loop, once; callee frees; NULL: freed by itself */
    void *arg;
    struct revoke_progress *progress; /* private to lease/ */
};

/* NULL when out of memory. */
struct revoke *revoke_new(struct lease_env *env, const struct uuid *lease_id,
                          enum revoke_reason reason, const struct lease_owner *actor,
                          void (*finished)(struct revoke *revoke, void *arg), void *arg);
void revoke_free(struct revoke *revoke);

#endif
