/* SPDX-License-Identifier: Apache-2.0 */
/* Replaces the management access key of a secret. AWS allows a user two keys, so: intent, the new
 * key, sealed and durable, seen to work, in force, the old one deleted. Whatever stops it, a key
 * that works is in force and known; a later rotation of the same record goes on where it stopped.
 * One rotation at a time (the caller's business). Needs iam:GetUser, ListAccessKeys,
 * CreateAccessKey and DeleteAccessKey on the user whose key it is. */
#ifndef KMS_AGENT_LEASE_ROTATE_ROOT_H
#define KMS_AGENT_LEASE_ROTATE_ROOT_H

#include "config/config.h"
#include "job/job.h"
#include "lease/lease_env.h"
#include "model/root_key.h"

struct rotation {
    struct job job;
    struct lease_env *env;
    struct config *config; /* reference */
    const struct secret_config *secret;
    struct lease_owner actor;        /* who asked */
    bool resume;                     /* only what was begun before is brought to its end */
    struct root_key record;          /* as it is stored, when the job is over */
    char old_id[AWS_KEY_ID_MAX + 1]; /* the key that was replaced; "" unless it was */
    /* After a rotation that was interrupted: the key that it left and that was deleted; a key that
     * it cannot have made, so that it stays. "" for none. */
    char leftover_id[AWS_KEY_ID_MAX + 1], strange_id[AWS_KEY_ID_MAX + 1];
    char cleaned_user[ROOT_KEY_USER_MAX + 1]; /* whose */
    struct err err;
    void (*finished)(struct rotation *rotation, void *arg); /* loop, once; callee frees */
    void *arg;
    struct rotation_progress *progress; /* private to lease/ */
};

/* actor NULL: brings to its end what was begun before, if anything. NULL when out of memory. */
struct rotation *rotation_new(struct lease_env *env, struct config *config,
                              const struct secret_config *secret, const struct lease_owner *actor,
                              void (*finished)(struct rotation *rotation, void *arg), void *arg);
void rotation_free(struct rotation *rotation);

#endif
