/* SPDX-License-Identifier: Apache-2.0 */
/* How a lease job reaches AWS: the management credential of the frozen recipe, the rate budgets,
 * and the judgement of a failed call (try again when, or give up). Worker threads. */
#ifndef KMS_AGENT_LEASE_AWS_ACCESS_H
#define KMS_AGENT_LEASE_AWS_ACCESS_H

#include "aws/call.h"
#include "job/job.h"
#include "lease/lease_env.h"

struct aws_access {
    struct aws_credential credential; /* management credential; wiped by aws_access_done() */
    struct aws_target target;         /* ready for aws/ calls after aws_access_open() */
    bool open;
    bool forced; /* the cached credential was refused once and fetched anew */
};

/* Gets the credential on the first call; on every call points the target at this worker's client.
 * recipe and job must outlive access. 0, KMS_ESOURCE or an AWS error. */
int aws_access_open(struct aws_access *access, struct lease_env *env, struct lease_worker *worker,
                    const struct recipe *recipe, enum source_use use, struct job *job,
                    struct err *err) KMS_MUST_CHECK;
/* Forgets the credential so that the next open fetches it anew. */
void aws_access_refetch(struct aws_access *access);
void aws_access_done(struct aws_access *access);
/* One call's worth of the budget: 0, or KMS_EAGAIN with job->wake_ms set. */
int aws_access_take(struct aws_access *access, struct lease_env *env, enum aws_service service,
                    enum budget_class budget_class, struct job *job);

/* What a step may sit out. */
enum retry_rule {
    RETRY_TRANSIENT = 1, /* no answer, 5xx, Throttling */
    RETRY_LAG = 2,       /* NoSuchEntity, or a blind denial, right after the user was made: lag */
    RETRY_CHANGING = 4,  /* EntityTemporarilyUnmodifiable, ConcurrentModification */
};

struct retry {
    unsigned attempt;   /* failures so far */
    int64_t started_ms; /* boot clock of the first try */
};

/* Judges a failed call of a step: KMS_EAGAIN with job->wake_ms set when it is to be tried again
 * before limit_ms (boot clock), else rc. Tells the budget about Throttling; fetches a refused
 * management credential anew once. */
int aws_access_judge(struct aws_access *access, struct lease_env *env, enum aws_service service,
                     unsigned rules, const struct aws_result *result, struct retry *retry,
                     int64_t limit_ms, struct job *job, int rc);
/* The call of result as audit lines name it. */
void aws_access_note_call(const struct aws_result *result, struct lease_call *ret);
/* Full jitter: a random wait in base … base × 2^attempt, at most cap, all milliseconds; at least
 * base/2. */
int64_t retry_wait_ms(unsigned attempt, int64_t base_ms, int64_t cap_ms);

#endif
