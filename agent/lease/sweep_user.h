/* SPDX-License-Identifier: Apache-2.0 */
/* One user that a sweep came across: is it ours and left behind, and its way into the store.
 * Worker threads. */
#ifndef KMS_AGENT_LEASE_SWEEP_USER_H
#define KMS_AGENT_LEASE_SWEEP_USER_H

#include "aws/iam_user.h"
#include "config/config.h"
#include "lease/lease_env.h"

struct sweep_user {
    const struct secret_config *secret; /* under whose path it lies */
    const char *name;
    struct uuid lease_id; /* of its tag */
    int64_t last_end_ms;
    bool queued; /* its revocation is durable */
};

/* By its name alone, without a call: it carries a lease id (every name of ours does) and the store
 * does not know a live lease of that id. */
bool sweep_user_may_be_ours(struct lease_env *env, const struct sweep_user *user);
/* By its tags: made by this agent, its last possible end is past on AWS's clock, no live record.
 * Fills lease_id and last_end_ms. */
bool sweep_user_is_orphan(struct lease_env *env, struct sweep_user *user,
                          const struct iam_user *found);
/* Makes a record that is being revoked, unless a live one has come up meanwhile. 0 with
 * user->queued set or not, or KMS_ESTORE…. */
int sweep_user_queue(struct lease_env *env, struct sweep_user *user, const struct iam_user *found,
                     struct err *err) KMS_MUST_CHECK;

#endif
