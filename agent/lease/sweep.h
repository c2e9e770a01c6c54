/* SPDX-License-Identifier: Apache-2.0 */
/* The sweep: finds IAM users that a lost store left behind and hands them to the ordinary
 * revocation. ListUsers under each path of the configuration, then GetUser for the tags of those
 * whose names carry a lease id that the store does not know as live. Only users with this agent's
 * kms-agent-id, a kms-lease-id without a live record and a kms-last-end that is past (AWS time) are
 * orphans. Nothing else is ever called on a user that is not. */
#ifndef KMS_AGENT_LEASE_SWEEP_H
#define KMS_AGENT_LEASE_SWEEP_H

#include "aws/iam_list.h"
#include "config/config.h"
#include "job/job.h"
#include "lease/aws_access.h"
#include "lease/lease_env.h"

#define SWEEP_ORPHANS_MAX 256 /* told of in one run; further ones are left to the next */
#define SWEEP_UNSEEN_MAX 32   /* named in one run; further ones are counted */

struct sweep_orphan {
    char user_name[IAM_USER_NAME_MAX + 1];
    char secret[SECRET_NAME_MAX + 1]; /* under whose path it lies */
    struct uuid lease_id;
    int64_t last_end_ms;
    bool queued; /* it is being revoked now */
};

/* A user that may be ours and could not be looked at. */
struct sweep_unseen {
    char user_name[IAM_USER_NAME_MAX + 1];
    char secret[SECRET_NAME_MAX + 1]; /* under whose path it lies */
    char error[512];
};

/* Where to go on: target of the configuration, page, user of the page. Zero is the beginning. */
struct sweep_place {
    size_t target, item;
    char marker[321]; /* of the page */
};

struct sweep {
    struct job job;
    struct lease_env *env;
    struct config *config; /* reference */
    bool report_only;
    bool operator_asked;      /* sweeps by the timer may act from now on, new store or not */
    enum budget_class budget; /* of its calls */
    struct sweep_place place; /* in: from here; out: where it stopped, when more */
    bool more;
    unsigned paths, users, ours; /* paths listed, users seen under them, those with our tag */
    struct sweep_orphan orphans[SWEEP_ORPHANS_MAX];
    size_t orphan_count;
    unsigned failed; /* paths that could not be listed to their end, users that could not be looked
                        at; the first reason is in err */
    struct sweep_unseen unseen[SWEEP_UNSEEN_MAX]; /* those users */
    size_t unseen_count;
    bool listed;     /* a ListUsers was answered */
    bool denied;     /* a ListUsers was denied */
    struct err err;
    void (*finished)(struct sweep *sweep, void *arg); /* loop, once; callee frees */
    void *arg;
    struct sweep_progress *progress; /* private to lease/ */
};

/* config is referenced. The job ends at job.deadline_ms with more set. NULL when out of memory. */
struct sweep *sweep_new(struct lease_env *env, struct config *config, bool report_only,
                        void (*finished)(struct sweep *sweep, void *arg), void *arg);
void sweep_free(struct sweep *sweep);

#endif
