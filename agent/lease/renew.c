/* SPDX-License-Identifier: Apache-2.0 */
#include "lease/renew.h"

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/message_ids.h"
#include "base/metrics.h"
#include "base/thread_role.h"
#include "common/log.h"
#include "lease/lease_journal.h"
#include "lease/lease_txn.h"
#include "lease/renew_private.h"
#include "model/ttl.h"

#include <stdio.h>
#include <stdlib.h>

#define RENEW_LIMIT_MS 20000
#define RENEW_AGAIN_MS 5000

/* Is it renewable today, and until when? On the record as it is now. */
static int renew_begin(struct renew *renew)
{
    struct lease *lease = &renew->lease;
    struct renew_progress *p = renew->progress;
    struct ttl_renewal ask;
    int rc = store_read(renew->env->store, &renew->job.lease_id, lease, &renew->err);

    if (rc != 0)
        return rc;
    if (lease->state != LEASE_ACTIVE)
        return err_set(&renew->err, KMS_EENDED, "the lease is %s", lease_state_name(lease->state));
    p->secret = config_secret(renew->config, lease->secret);
    rc = renew_check_today(renew);
    if (rc != 0)
        return rc;
    ask = (struct ttl_renewal){
        .now_ms = clock_aws_ms(),
        .created_ms = lease->created_ms,
        .expires_ms = lease->expires_ms,
        .frozen_max_s = lease->recipe.max_ttl_s,
        .current_max_s = p->secret->recipe.max_ttl_s,
        .ttl_s = renew->ttl_s != 0 ? renew->ttl_s : lease->requested_ttl_s,
        .asked = renew->ttl_s != 0,
    };
    p->asked_s = ask.ttl_s;
    return ttl_renew(&ask, &renew->new_expires_ms, lease->clamp_reason, &renew->err);
}

/* A session cannot be prolonged: a fresh one under the same lease id. */
static int mint_again(struct renew *renew, struct aws_result *result)
{
    struct renew_progress *p = renew->progress;
    struct lease *lease = &renew->lease;
    struct ttl_request ask = {
        .recipe = &lease->recipe,
        .requested_s = (renew->new_expires_ms - clock_aws_ms() + 999) / 1000,
        .max_session_s = p->secret->max_session_duration_s,
        .caller_is_session = !secret_empty(&p->access.credential.session_token),
        .allow_longer = p->secret->allow_longer,
    };
    struct ttl_grant grant;
    int rc = ttl_grant(&ask, &grant, &renew->err);

    if (rc != 0)
        return rc;
    if (clock_aws_ms() + grant.granted_s * 1000 < renew->new_expires_ms) {
        renew->new_expires_ms = clock_aws_ms() + grant.granted_s * 1000;
        snprintf(lease->clamp_reason, sizeof lease->clamp_reason, "%s", grant.reason);
    }
    lease->expires_ms = renew->new_expires_ms;
    p->mint =
        (struct session_mint){renew->env, p->secret, lease, grant.sts_s, grant.dated_policy, ""};
    rc = session_mint(&p->mint, &p->access, &renew->credential, lease->arn, result, &renew->err);
    if (rc != 0)
        return rc;
    snprintf(lease->access_key_id, sizeof lease->access_key_id, "%s",
             renew->credential.access_key_id);
    lease->credential_expires_ms = renew->credential.expires_ms;
    if (renew->credential.expires_ms != 0 &&
        (!grant.dated_policy || renew->credential.expires_ms < renew->new_expires_ms))
        renew->new_expires_ms = renew->credential.expires_ms;
    if (p->mint.lowered[0] != '\0')
        snprintf(lease->clamp_reason, sizeof lease->clamp_reason, "%s", p->mint.lowered);
    return 0;
}

static int call_aws(struct renew *renew, struct lease_worker *worker)
{
    struct renew_progress *p = renew->progress;
    bool session = renew->lease.recipe.type == CREDENTIAL_SESSION;
    enum aws_service service = session ? AWS_STS : AWS_IAM;
    struct aws_result result = {0};
    int rc = aws_access_open(&p->access, renew->env, worker, &renew->lease.recipe,
                             session ? SOURCE_BASE : SOURCE_IAM, &renew->job, &renew->err);

    if (rc == 0)
        rc = aws_access_take(&p->access, renew->env, service, BUDGET_MINT, &renew->job);
    if (rc == 0)
        rc = renew_check_key(renew);
    if (rc != 0)
        return rc;
    rc = session ? mint_again(renew, &result) : renew_move_fence(renew, &result);
    aws_access_note_call(&result, &renew->call);
    if (rc == 0)
        return 0;
    return aws_access_judge(&p->access, renew->env, service,
                            RETRY_TRANSIENT | RETRY_LAG | RETRY_CHANGING, &result, &p->retry,
                            p->limit_ms, &renew->job, rc);
}

/* Granted is what is left from now on; by a second's fraction less is what was asked for. */
static void take_end(struct renew *renew)
{
    struct lease *lease = &renew->lease;
    int64_t left_ms = renew->new_expires_ms - clock_aws_ms();

    lease->expires_ms = renew->new_expires_ms;
    lease->granted_ttl_s = left_ms > 0 ? (left_ms + 999) / 1000 : 0;
    lease->renewed_ttl_s = renew->progress->asked_s;
    if (lease->clamp_reason[0] == '\0')
        lease->granted_ttl_s = renew->progress->asked_s;
}

/* A lease that is refused for good just ends at its end: not before that again, and one line. */
static void fail_by_agent(struct renew *renew)
{
    bool for_good = renew->progress->for_good;

    if (!for_good && (renew->err.code == KMS_EENDED || renew->err.code == KMS_ENORENEW))
        return;
    log_warning("secret \"%s\": renewal by the agent: %s", renew->lease.secret, renew->err.message);
    lease_txn_post_renew_later(renew->env, &renew->job.lease_id,
                               for_good ? renew->lease.expires_ms : clock_aws_ms() + RENEW_AGAIN_MS,
                               &renew->err);
}

/* Gave up for a revocation? Then that is why. */
static bool has_yielded(struct renew *renew)
{
    if (!atomic_load(&renew->job.yielded))
        return false;
    err_set(&renew->err, KMS_EENDED, "the lease is being revoked");
    return true;
}

static int renew_fail(struct renew *renew, int rc)
{
    if (!has_yielded(renew) && renew->err.code == 0)
        err_set(&renew->err, rc, "the lease could not be renewed");
    if (renew->lease.secret[0] != '\0')
        metrics_count(METRIC_RENEWAL_FAILURES, renew->lease.secret, lease_error_name(&renew->err));
    if (renew->by_agent)
        fail_by_agent(renew);
    return renew->err.code;
}

/* It comes back at its deadline at the latest, also when it waits for its budget; what AWS said
 * last is the reason then. A host that slept before the first try is no reason not to try. */
static int check_going_on(struct renew *renew)
{
    bool begun = renew->progress->limit_ms != 0;

    if (atomic_load(&renew->job.canceled))
        return err_set(&renew->err, KMS_ECANCELED, "the request was given up");
    if (begun && renew->job.deadline_ms != 0 && clock_boot_ms() >= renew->job.deadline_ms)
        return renew->progress->retry.attempt > 0 && renew->err.code != 0
                   ? renew->err.code
                   : err_set(&renew->err, KMS_ETIMEOUT, "the lease could not be renewed in time");
    return 0;
}

static int renew_run(struct job *job, void *worker_context)
{
    struct renew *renew = QUEUE_OF(job, struct renew, job);
    struct renew_progress *p = renew->progress;
    int rc;

    ASSERT_ON_WORKER();
    rc = renew->settle_only ? 0 : check_going_on(renew);
    if (rc == 0)
        err_clear(&renew->err);
    if (renew->settle_only)
        return renew_settle_fence(renew, worker_context);
    if (rc == 0 && p->limit_ms == 0) {
        p->limit_ms = clock_boot_ms() + RENEW_LIMIT_MS;
        rc = renew_begin(renew);
    }
    if (rc == 0)
        rc = call_aws(renew, worker_context);
    if (rc == KMS_EAGAIN)
        return rc;
    crash_point("renew-fence");
    if (rc == 0) {
        take_end(renew);
        rc = lease_txn_renew(renew->env, &renew->lease, renew->by_agent ? NULL : &renew->actor,
                             &renew->call, &renew->err);
    }
    if (rc == 0)
        metrics_count(METRIC_RENEWALS, renew->lease.secret, NULL);
    aws_access_done(&p->access);
    return rc == 0 ? 0 : renew_fail(renew, rc);
}

static void renew_done(struct job *job)
{
    struct renew *renew = QUEUE_OF(job, struct renew, job);

    ASSERT_ON_LOOP();
    if (job->rc != 0 && renew->err.code == 0 && !has_yielded(renew)) /* no thread had it */
        err_set(&renew->err, job->rc, "the agent is stopping");
    if (job->rc != 0)
        renew_lower_fence(renew);
    if (job->rc == 0 && renew->by_agent && !renew->settle_only)
        lease_journal(LOG_LEVEL_NOTICE, MESSAGE_ID_RENEWED, &renew->lease.owner, NULL,
                      &renew->lease, &renew->call, "lease renewed, its process lives");
    renew->finished(renew, renew->arg);
}

struct renew *renew_new(struct lease_env *env, struct config *config, const struct uuid *lease_id,
                        int64_t ttl_s, const struct lease_owner *actor,
                        void (*finished)(struct renew *renew, void *arg), void *arg)
{
    struct renew *renew = calloc(1, sizeof *renew);

    if (renew == NULL)
        return NULL;
    renew->progress = calloc(1, sizeof *renew->progress);
    if (renew->progress == NULL) {
        free(renew);
        return NULL;
    }
    renew->env = env;
    renew->config = config_ref(config);
    renew->ttl_s = ttl_s;
    renew->by_agent = actor == NULL;
    if (actor != NULL)
        renew->actor = *actor;
    renew->finished = finished;
    renew->arg = arg;
    renew->job.lane = LANE_MINT;
    renew->job.run = renew_run;
    renew->job.done = renew_done;
    renew->job.internal = actor == NULL;
    renew->job.keyed = true;
    renew->job.yields = true;
    renew->job.lease_id = *lease_id;
    return renew;
}

void renew_free(struct renew *renew)
{
    if (renew == NULL)
        return;
    aws_access_done(&renew->progress->access);
    aws_credential_done(&renew->credential);
    config_unref(renew->config);
    free(renew->progress);
    free(renew);
}
