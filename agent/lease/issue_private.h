/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of issuing, between issue.c (the loop) and the two step files. Worker threads. */
#ifndef KMS_AGENT_LEASE_ISSUE_PRIVATE_H
#define KMS_AGENT_LEASE_ISSUE_PRIVATE_H

#include "lease/aws_access.h"
#include "lease/issue.h"

struct issue_progress {
    struct aws_access access;
    size_t step;              /* row of the table */
    size_t item;              /* within a step that repeats (groups, policies) */
    struct retry retry;       /* of the current call */
    struct aws_result result; /* of the last call */
    bool called;              /* the last failure came from an AWS call: result is valid */
    bool budget_short;        /* the last wait was for the budget */
    bool paid;                /* the budget of the next call is taken */
    bool intended;            /* the intent is durable */
    bool create_sent;         /* a CreateUser may have reached AWS */
    bool create_unclear;      /* … and at least one had no clear answer */
    bool granted;             /* ACTIVE is durable */
    unsigned probe_successes;
    int64_t probe_deadline_ms; /* boot clock */
};

/* One step: does one call or commit and returns 0 (next row), KMS_EAGAIN (wake_ms set, same row
 * again) or an error. A step that makes an AWS call leaves its result in progress->result and sets
 * progress->called. */
typedef int issue_step_fn(struct issue *issue, struct lease_worker *worker, struct err *err);

struct issue_step {
    const char *name; /* of the crash point behind it */
    issue_step_fn *run;
    size_t (*count)(
        const struct issue *issue); /* how often it runs (progress->item counts); NULL: once */
    unsigned retry_rules;           /* enum retry_rule */
    int64_t retry_limit_ms;         /* how long the step may be retried */
    enum aws_service service;
    enum budget_class budget; /* BUDGET_CLASS_COUNT: the step makes no budgeted call */
    bool prepay;              /* takes the budget of the next row's call: no waiting in between */
    const char
        *failed; /* what a failure means, a clause before its reason; NULL: the reason alone */
};

extern const struct issue_step issue_iam_user_steps[];
extern const size_t issue_iam_user_step_count;
extern const struct issue_step issue_session_steps[];
extern const size_t issue_session_step_count;

/* A session is minted with the base credentials, IAM users are managed with the role's. */
enum source_use issue_source_use(const struct issue *issue);
/* Both types: clock skew, TTL, names, the record's first fields. */
int issue_prepare(struct issue *issue, struct lease_worker *worker, struct err *err) KMS_MUST_CHECK;
/* The lease's TTLs count from now on: nothing of it is recorded. */
void issue_count_from_now(struct issue *issue);

#endif
