/* SPDX-License-Identifier: Apache-2.0 */
#include "lease/aws_access.h"

#include "base/clock.h"
#include "base/random.h"

#include <stdio.h>

#define TRANSIENT_BASE_MS 100
#define TRANSIENT_CAP_MS 5000
#define THROTTLED_BASE_MS 500
#define LAG_BASE_MS 200
#define LAG_CAP_MS 2000
#define CHANGING_BASE_MS 1000
#define RETRY_AFTER_CAP_MS 5000
#define BLIND_TRIES                                                                                \
    6 /* some five seconds: a denial that is meant must not take long to be told                   \
       */

static bool job_is_canceled(void *arg)
{
    return atomic_load(&((struct job *)arg)->canceled);
}

int aws_access_open(struct aws_access *access, struct lease_env *env, struct lease_worker *worker,
                    const struct recipe *recipe, enum source_use use, struct job *job,
                    struct err *err)
{
    int rc;

    if (!access->open && !(recipe->method == SECRET_IRSA && recipe->type == CREDENTIAL_SESSION)) {
        rc = source_get(env->sources, worker->http, recipe, use, access->forced,
                        &access->credential, err);
        if (rc != 0)
            return rc;
    }
    access->open = true; /* a web identity session signs nothing */
    access->target = (struct aws_target){
        .http = worker->http,
        .recipe = recipe,
        .credential = &access->credential,
        .canceled = job_is_canceled,
        .canceled_arg = job,
    };
    return 0;
}

void aws_access_refetch(struct aws_access *access)
{
    aws_credential_done(&access->credential);
    access->open = false;
    access->forced = true;
}

void aws_access_done(struct aws_access *access)
{
    aws_credential_done(&access->credential);
    access->open = false;
}

/* AWS limits an account, so that is the key; until it is known the management key stands for it. */
static struct budget *budget_of(struct aws_access *access, struct lease_env *env,
                                enum aws_service service)
{
    const struct aws_credential *credential = &access->credential;
    const char *key =
        credential->account_id[0] != '\0' ? credential->account_id : credential->access_key_id;

    return budget_set_get(service == AWS_IAM ? env->iam_budgets : env->sts_budgets, key);
}

int aws_access_take(struct aws_access *access, struct lease_env *env, enum aws_service service,
                    enum budget_class budget_class, struct job *job)
{
    return budget_take(budget_of(access, env, service), budget_class, clock_boot_ms(),
                       &job->wake_ms);
}

void aws_access_note_call(const struct aws_result *result, struct lease_call *ret)
{
    snprintf(ret->action, sizeof ret->action, "%s", result->action);
    snprintf(ret->request_id, sizeof ret->request_id, "%s", result->request_id);
}

int64_t retry_wait_ms(unsigned attempt, int64_t base_ms, int64_t cap_ms)
{
    int64_t top = base_ms << (attempt > 20 ? 20 : attempt);

    if (top > cap_ms)
        top = cap_ms;
    return base_ms / 2 + (int64_t)random_below((uint64_t)(top - base_ms / 2) + 1);
}

/* How long to sit a failure out, -1: not at all. */
static int64_t failure_wait_ms(const struct aws_result *result, unsigned rules, unsigned attempt)
{
    int64_t wait;

    if (result->failure == AWS_FAILED_THROTTLED && (rules & RETRY_TRANSIENT))
        wait = retry_wait_ms(attempt, THROTTLED_BASE_MS, TRANSIENT_CAP_MS);
    else if (result->failure == AWS_FAILED_TRANSIENT && (rules & RETRY_TRANSIENT))
        wait = retry_wait_ms(attempt, TRANSIENT_BASE_MS, TRANSIENT_CAP_MS);
    else if (result->failure == AWS_FAILED_NOT_FOUND && (rules & RETRY_LAG))
        wait = retry_wait_ms(attempt, LAG_BASE_MS, LAG_CAP_MS);
    else if (result->denied_blind && (rules & RETRY_LAG) && attempt < BLIND_TRIES)
        wait = retry_wait_ms(attempt, LAG_BASE_MS, LAG_CAP_MS);
    else if (result->failure == AWS_FAILED_CHANGING && (rules & RETRY_CHANGING))
        wait = retry_wait_ms(attempt, CHANGING_BASE_MS, TRANSIENT_CAP_MS);
    else
        return -1;
    if (result->retry_after_ms > wait)
        wait = result->retry_after_ms < RETRY_AFTER_CAP_MS ? result->retry_after_ms
                                                           : RETRY_AFTER_CAP_MS;
    return wait;
}

int aws_access_judge(struct aws_access *access, struct lease_env *env, enum aws_service service,
                     unsigned rules, const struct aws_result *result, struct retry *retry,
                     int64_t limit_ms, struct job *job, int rc)
{
    int64_t now = clock_boot_ms(), wait;

    if (result->failure == AWS_FAILED_THROTTLED)
        budget_throttled(budget_of(access, env, service), now);
    if (result->failure == AWS_FAILED_CREDENTIAL && !access->forced) {
        aws_access_refetch(access);
        job->wake_ms = now;
        return KMS_EAGAIN;
    }
    if (atomic_load(&job->canceled))
        return rc;
    wait = failure_wait_ms(result, rules, retry->attempt);
    if (wait < 0 || now + wait > limit_ms)
        return rc;
    retry->attempt++;
    job->wake_ms = now + wait;
    return KMS_EAGAIN;
}
