/* SPDX-License-Identifier: Apache-2.0 */
#include "lease/revoke.h"

#include "aws/iam_user.h"
#include "base/clock.h"
#include "base/crash_point.h"
#include "base/thread_role.h"
#include "common/log.h"
#include "lease/identity.h"
#include "lease/lease_journal.h"
#include "lease/lease_txn.h"
#include "lease/revoke_private.h"
#include "model/fence.h"

#include <stdlib.h>
#include <string.h>

#define HOLD_MS 120000          /* while this job works the due row lies this far ahead */
#define VERIFIED_MS 5000        /* so long a look at the user holds for the next job too */
#define RETRY_IN_PLACE_MS 60000 /* less than HOLD_MS */

int revoke_take(struct revoke *revoke)
{
    const struct lease *lease = &revoke->lease;
    enum budget_class budget_class = BUDGET_CLEANUP;

    if (lease->stuck)
        budget_class = BUDGET_SLOW;
    else if (lease->stage == REVOKE_KEY || lease->stage == REVOKE_DENY)
        budget_class = lease->early ? BUDGET_EARLY_REVOKE : BUDGET_REVOKE;
    revoke_note_call(revoke);
    return aws_access_take(&revoke->progress->access, revoke->env, AWS_IAM, budget_class,
                           &revoke->job);
}

/* Credentials that stand in prove an absence only where both accounts are known. */
static int stand_in_is_blind(const struct revoke *revoke, const struct err *why, struct err *err)
{
    const char *made_in = revoke->lease.account_id;

    if (made_in[0] != '\0') {
        *err = *why;
        return err_context(err,
                           "user %s is not found with today's credentials of secret \"%s\", and "
                           "whose these are is not known",
                           revoke->lease.user_name, revoke->lease.secret);
    }
    return err_set(err, KMS_ESOURCE,
                   "user %s is not found with today's credentials of secret \"%s\", and which "
                   "account it was made in is not known",
                   revoke->lease.user_name, revoke->lease.secret);
}

/* What is not there in another account may well be there in the lease's own: a management key that
 * was replaced by one of elsewhere proves nothing. Where STS cannot be asked, IAM is believed. */
static int absence_check(struct revoke *revoke, int outcome, struct err *err)
{
    const struct aws_access *access = &revoke->progress->access;
    const char *made_in = revoke->lease.account_id, *asked = access->credential.account_id;
    struct sts_identity identity;
    struct err ignored = {0};

    if (made_in[0] != '\0' && asked[0] == '\0' &&
        identity_of(revoke->env, &access->target, &identity, &ignored) == 0)
        asked = identity.account_id;
    if ((made_in[0] == '\0' || asked[0] == '\0') && revoke->progress->stand_in != NULL)
        return stand_in_is_blind(revoke, &ignored, err);
    if (made_in[0] == '\0' || asked[0] == '\0' || strcmp(made_in, asked) == 0)
        return outcome;
    err_set(err, KMS_ESOURCE,
            "user %s was made in account %s, but the management key is one of account %s",
            revoke->lease.user_name, made_in, asked);
    return err_hint(err, "put the key of account %s back", made_in);
}

/* Phase one of an early revocation and the clean-up are two jobs, mostly one right after the other:
 * what this process saw in the first it need not ask again in the second. */
static bool verified_lately(const struct revoke *revoke)
{
    const struct lease *lease = &revoke->lease;

    return lease->verified_run == revoke->env->run_id &&
           clock_boot_ms() - lease->verified_boot_ms < VERIFIED_MS;
}

void revoke_doubt(struct revoke *revoke)
{
    revoke->progress->verified = false;
    revoke->lease.verified_run = 0;
}

int revoke_verify(struct revoke *revoke, struct err *err)
{
    struct revoke_progress *p = revoke->progress;
    struct lease *lease = &revoke->lease;
    struct iam_user user;
    char id[UUID_TEXT_SIZE];
    int rc;

    if (p->verified || verified_lately(revoke))
        return 0;
    rc = revoke_take(revoke);
    if (rc != 0)
        return rc;
    rc = iam_get_user(&p->access.target, lease->user_name, &user, &p->result, err);
    if (rc == KMS_ENOENTITY)
        return absence_check(revoke, STAGE_ABSENT, err);
    if (rc != 0)
        return rc;
    uuid_format(&lease->id, id);
    /* By the tag alone: the id is not known, or a CreateUser came late and made the user again. */
    p->retry.attempt = 0;
    p->verified = (lease->user_id[0] != '\0' && strcmp(user.user_id, lease->user_id) == 0) ||
                  strcmp(user.lease_tag, id) == 0;
    if (!p->verified)
        return absence_check(revoke, STAGE_GONE, err);
    lease->verified_run = revoke->env->run_id;
    lease->verified_boot_ms = clock_boot_ms();
    return 0;
}

int revoke_deny_now(struct revoke *revoke, struct err *err)
{
    struct revoke_progress *p = revoke->progress;
    char *document = NULL;
    int rc = revoke_take(revoke);

    if (rc != 0)
        return rc;
    if (fence_deny_now_document(&document) != 0)
        return err_set(err, KMS_ENOMEM, "no memory for the fence");
    rc = iam_put_user_policy(&p->access.target, revoke->lease.user_name, FENCE_POLICY_NAME,
                             document, &p->result, err);
    free(document);
    return rc;
}

/* Phase one: name and key id together can hit nobody else, so this call needs no check before it. A
 * key that is unknown here has no holder: the reply goes out after the key id is durable. */
static int stage_key(struct revoke *revoke, struct err *err)
{
    struct revoke_progress *p = revoke->progress;
    struct lease *lease = &revoke->lease;
    int rc = 0;

    if (lease->access_key_id[0] != '\0') {
        rc = revoke_take(revoke);
        if (rc != 0)
            return rc;
        rc = iam_delete_access_key(&p->access.target, lease->user_name, lease->access_key_id,
                                   &p->result, err);
        if (rc == 0)
            aws_access_note_call(&p->result, &lease->ended_by);
        if (rc == KMS_ENOENTITY) /* gone or not visible yet: phase two lists keys before it ends */
            rc = absence_check(revoke, 0, err);
    }
    if (rc == 0)
        lease->stage =
            lease->early && lease->access_key_id[0] != '\0' ? REVOKE_DENY : REVOKE_CLEANUP;
    return rc;
}

static int stage_deny(struct revoke *revoke, struct err *err)
{
    int rc = revoke_verify(revoke, err);

    if (rc != 0)
        return rc;
    rc = revoke_deny_now(revoke, err);
    if (rc == KMS_ENOENTITY)
        return STAGE_ABSENT;
    if (rc == 0)
        revoke->lease.stage = REVOKE_CLEANUP;
    return rc;
}

/* A denial that does not name the user's ARN may mean that there is no such user: GetUser tells, if
 * it may be asked about users without a path. The denial alone proves nothing, for AWS uses the
 * same words for users that are there. Else the denial stands. While GetUser waits for its turn the
 * denial is kept: asking for both anew, a stuck lease, which gets one call at a time, would never
 * get to the second. */
static int recheck_denied(struct revoke *revoke)
{
    struct revoke_progress *p = revoke->progress;
    struct revoke_failure *denial = &p->denial;
    struct err err = {0};
    int rc;

    if (!denial->kept) {
        if (!p->result.denied_blind || strcmp(revoke->err.aws_action, "GetUser") == 0)
            return KMS_EAWSDENIED;
        *denial = (struct revoke_failure){.kept = true, .result = p->result, .err = revoke->err};
        revoke_doubt(revoke);
    }
    rc = revoke_verify(revoke, &err);
    if (rc == KMS_EAGAIN)
        return rc;
    denial->kept = false;
    if (rc == STAGE_ABSENT || rc == STAGE_GONE) {
        err_clear(&revoke->err);
        return rc;
    }
    p->result = denial->result;
    revoke->err = denial->err;
    return KMS_EAWSDENIED;
}

/* The due index brings it only if it was written there. */
static bool is_left_to_others(const struct revoke *revoke)
{
    struct store_held held;

    return revoke->only_begin && !store_held_get(revoke->env->store, &revoke->job.lease_id, &held);
}

/* REVOKING durable, unless it is; sessions are over with that. */
static int revoke_begin(struct revoke *revoke)
{
    struct revoke_begin begin = {
        .id = revoke->job.lease_id,
        .reason = revoke->reason,
        .actor = revoke->has_actor ? &revoke->actor : NULL,
        .hold_ms = revoke->only_begin ? 0 : HOLD_MS,
    };
    int rc = lease_txn_begin_revoke(revoke->env, &begin, &revoke->lease, &revoke->err);

    if (rc != 0)
        return rc;
    crash_point("revoke-begin");
    if (is_left_to_others(revoke))
        revoke->env->due_changed(revoke->env->due_changed_arg);
    else if (revoke->lease.state == LEASE_REVOKING)
        revoke->progress->begun = true;
    return 0;
}

static int run_stage(struct revoke *revoke)
{
    switch (revoke->lease.stage) {
    case REVOKE_KEY:
        return stage_key(revoke, &revoke->err);
    case REVOKE_DENY:
        return stage_deny(revoke, &revoke->err);
    case REVOKE_CLEANUP:
    case REVOKE_WAIT:
    default:
        return revoke_cleanup(revoke, &revoke->err);
    }
}

/* Once the key is dead a throttled call waits here and goes on where it was: begun anew, a clean-up
 * of seven calls would hardly ever get through while AWS throttles every second one. */
static int judge(struct revoke *revoke, int rc)
{
    struct revoke_progress *p = revoke->progress;
    bool in_place = revoke->lease.stage != REVOKE_KEY && p->result.failure == AWS_FAILED_THROTTLED;

    if (p->retry.attempt == 0)
        p->retry_limit_ms = clock_boot_ms() + RETRY_IN_PLACE_MS;
    return aws_access_judge(&p->access, revoke->env, AWS_IAM, in_place ? RETRY_TRANSIENT : 0,
                            &p->result, &p->retry, p->retry_limit_ms, &revoke->job, rc);
}

static int open_access(struct revoke *revoke, struct lease_worker *worker)
{
    struct revoke_progress *p = revoke->progress;
    int rc = revoke_open(revoke, worker);

    p->no_source = rc == KMS_EAWSDOWN || rc == KMS_ETIMEOUT;
    return rc;
}

static int run_on_way(struct revoke *revoke)
{
    int rc = revoke_enter_way(revoke, &revoke->err);

    if (rc != 0)
        return rc;
    rc = revoke->progress->denial.kept ? KMS_EAWSDENIED : run_stage(revoke);
    if (rc == KMS_EAWSDENIED)
        rc = recheck_denied(revoke);
    revoke_leave_way(revoke, rc);
    return rc;
}

/* Now that the record is known: only as many threads as its way may have. */
static bool is_on_its_way(struct revoke *revoke)
{
    uint32_t way = recipe_way(&revoke->lease.recipe);
    bool is = revoke->job.way == way;

    revoke->job.way = way;
    revoke->job.wake_ms = clock_boot_ms();
    return is;
}

static int revoke_run(struct job *job, void *worker_context)
{
    struct revoke *revoke = QUEUE_OF(job, struct revoke, job);
    struct revoke_progress *p = revoke->progress;
    bool was_over;
    int rc;

    ASSERT_ON_WORKER();
    err_clear(&revoke->err);
    if (!p->begun) {
        rc = revoke_begin(revoke);
        if (rc != 0 || !p->begun)
            return rc;
        rc = revoke_wait(revoke); /* others of the lease were before it */
        if (rc != KMS_EAGAIN)
            return rc;
        if (!is_on_its_way(revoke))
            return KMS_EAGAIN;
    }
    was_over = revoke_is_over(&revoke->lease);
    do {
        p->result = (struct aws_result){0};
        rc = open_access(revoke, worker_context);
        if (rc == 0)
            rc = run_on_way(revoke);
        if (rc < 0 && rc != KMS_EAGAIN)
            rc = judge(revoke, rc);
        if (rc < 0 && rc != KMS_EAGAIN)
            rc = revoke_source_failed(revoke, rc);
        if (rc == KMS_EAGAIN)
            return revoke_wait(revoke);
        crash_point("revoke-stage");
        /* Phase one is one stretch, but a client is answered as soon as the key is dead. */
    } while (rc == 0 && revoke->lease.stage == REVOKE_DENY && revoke->finished == NULL);
    aws_access_done(&p->access);
    if (rc < 0 && p->no_source)
        revoke_note_no_source(revoke);
    if (rc < 0)
        return revoke_failed(revoke, rc);
    rc = revoke_after_stage(revoke, rc);
    p->ended = rc == 0 && !was_over && revoke_is_over(&revoke->lease);
    return rc;
}

static void revoke_done(struct job *job)
{
    struct revoke *revoke = QUEUE_OF(job, struct revoke, job);

    ASSERT_ON_LOOP();
    if (job->rc != 0 && revoke->err.code == 0)
        err_set(&revoke->err, job->rc, "the agent is stopping");
    if (revoke->finished != NULL) {
        revoke->finished(revoke, revoke->arg);
        return;
    }
    if (job->rc == 0 && revoke->progress->ended)
        lease_journal_end(&revoke->lease);
    revoke_free(revoke);
}

struct revoke *revoke_new(struct lease_env *env, const struct uuid *lease_id,
                          enum revoke_reason reason, const struct lease_owner *actor,
                          void (*finished)(struct revoke *revoke, void *arg), void *arg)
{
    struct revoke *revoke = calloc(1, sizeof *revoke);

    if (revoke == NULL)
        return NULL;
    revoke->progress = calloc(1, sizeof *revoke->progress);
    if (revoke->progress == NULL) {
        free(revoke);
        return NULL;
    }
    revoke->env = env;
    revoke->reason = reason;
    revoke->has_actor = actor != NULL;
    if (actor != NULL)
        revoke->actor = *actor;
    revoke->finished = finished;
    revoke->arg = arg;
    revoke->job.lane = LANE_REVOKE;
    revoke->job.run = revoke_run;
    revoke->job.done = revoke_done;
    revoke->job.first = finished != NULL; /* somebody waits for the answer */
    revoke->job.internal = true;          /* a revocation is never turned away */
    revoke->job.keyed = true;
    revoke->job.revocation = true;
    revoke->job.lease_id = *lease_id;
    return revoke;
}

void revoke_free(struct revoke *revoke)
{
    if (revoke == NULL)
        return;
    aws_access_done(&revoke->progress->access);
    iam_names_done(&revoke->progress->cleanup.names);
    free(revoke->progress->stand_in);
    free(revoke->progress);
    free(revoke);
}
