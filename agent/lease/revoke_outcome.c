/* SPDX-License-Identifier: Apache-2.0 */
/* What a stage's outcome makes of the lease, and when the next attempt comes. */
#include "base/clock.h"
#include "base/message_ids.h"
#include "base/metrics.h"
#include "base/random.h"
#include "common/log.h"
#include "lease/lease_txn.h"
#include "lease/revoke_private.h"
#include "model/fence.h"

#include <string.h>

#define TRANSIENT_BASE_MS 200
#define TRANSIENT_CAP_MS                                                                           \
    48000             /* with a call that hangs for 10 s before it: within 60 s of a recovery */
#define SLOW_MS 60000 /* stuck leases: first tries, then … */
#define SLOW_LATER_MS 300000
#define SLOW_TRIES 5
#define CONFLICT_TRIES 5
#define CONFLICT_LASTS_MS 110000 /* that many, over longer than lists lag */
#define CONFLICT_BASE_MS 1000    /* doubled each time */
#define OWN_TRIES 4   /* quick ones, before a fault of this host counts as one that lasts */
#define WAIT_MS 20000 /* "waiting to be sure" asks again this often */
#define CREATE_WINDOW_MS                                                                           \
    20000 /* after a crash: a CreateUser may have been sent this long after the intent */

/* From when on NoSuchEntity is believed. */
static int64_t guard_end_ms(const struct lease *lease)
{
    int64_t sent =
        lease->create_user_ms != 0 ? lease->create_user_ms : lease->created_ms + CREATE_WINDOW_MS;

    return sent + LEASE_GUARD_MS;
}

static int is_gone(struct revoke *revoke, struct err *err)
{
    struct lease_call call; /* that told so */

    aws_access_note_call(&revoke->progress->result, &call);
    return lease_txn_gone(revoke->env, &revoke->lease, &call, err);
}

/* The user does not show: gone, or not visible yet. */
static int user_is_absent(struct revoke *revoke, struct err *err)
{
    struct lease *lease = &revoke->lease;
    int64_t now = clock_aws_ms(), end = guard_end_ms(lease);

    if (now >= end)
        return is_gone(revoke, err);
    lease->stage = REVOKE_WAIT;
    lease->attempts = 0;
    lease->retry_ms = now + WAIT_MS < end ? now + WAIT_MS : end;
    return lease_txn_progress(revoke->env, lease, err);
}

static bool is_conflict(const struct revoke *revoke)
{
    return revoke->progress->result.failure == AWS_FAILED_CONFLICT;
}

/* Something hangs on the user that no list shows, for longer than lists lag. */
static bool is_lasting_conflict(const struct revoke *revoke)
{
    const struct lease *lease = &revoke->lease;

    return is_conflict(revoke) && lease->conflicts >= CONFLICT_TRIES &&
           clock_aws_ms() - lease->conflict_ms >= CONFLICT_LASTS_MS;
}

static bool is_permanent(const struct revoke *revoke, int rc)
{
    if (revoke->progress->result.failure == AWS_FAILED_TRANSIENT)
        return false; /* an answer cut short counts as none, whatever its code */
    if (rc == KMS_EAWSREJECTED && revoke->err.aws_code[0] == '\0')
        return false; /* it is not AWS that answered: a proxy, a load balancer */
    switch (rc) {
    case KMS_EAWSDENIED:
    case KMS_EAWSREJECTED:
    case KMS_EAWSLIMIT:
    case KMS_ESOURCE:
    case KMS_EINVALID:
        return true;
    default:
        return revoke->progress->result.failure == AWS_FAILED_CREDENTIAL ||
               is_lasting_conflict(revoke);
    }
}

static void tell_stuck(const struct lease *lease, const struct err *err)
{
    char id[UUID_TEXT_SIZE];

    uuid_format(&lease->id, id);
    const struct log_field fields[] = {
        {FIELD_LEASE_ID, id},
        {FIELD_SECRET, lease->secret},
        {FIELD_AWS_REQUEST_ID, err->aws_request_id[0] != '\0' ? err->aws_request_id : NULL},
    };

    log_event(LOG_LEVEL_ERROR, MESSAGE_ID_STUCK, fields, sizeof fields / sizeof fields[0],
              "lease of secret \"%s\", user %s: cannot be revoked until somebody acts: %s",
              lease->secret, lease->user_name, err->message);
}

/* A key or token file that is missing or bad, and the like: AWS was not asked. It may be there
 * again in a moment (replaced just now, a mount that comes late), and looking costs nothing. */
static bool is_own_fault(const struct revoke *revoke, int rc)
{
    return rc == KMS_ESOURCE && revoke->progress->result.status == 0 &&
           revoke->err.aws_code[0] == '\0';
}

/* Conflicts have waits of their own, without jitter: lists catch up sooner or later. */
static int64_t transient_wait_ms(const struct revoke *revoke)
{
    uint32_t before = revoke->lease.conflicts - 1; /* this one is counted */

    if (!is_conflict(revoke))
        return retry_wait_ms(revoke->lease.attempts, TRANSIENT_BASE_MS, TRANSIENT_CAP_MS);
    return (int64_t)CONFLICT_BASE_MS << (before < CONFLICT_TRIES ? before : CONFLICT_TRIES);
}

static void note_conflict(struct lease *lease)
{
    if (lease->conflicts == 0)
        lease->conflict_ms = clock_aws_ms();
    lease->conflicts++;
}

/* When the next attempt comes, and in which lane. */
static void put_off(struct revoke *revoke, int rc)
{
    struct lease *lease = &revoke->lease;
    bool own = is_own_fault(revoke, rc);

    if (revoke->progress->sent_away && lease->stuck) { /* it was not tried */
        lease->retry_ms = clock_aws_ms() + TRANSIENT_CAP_MS;
        return;
    }
    if (is_conflict(revoke))
        note_conflict(lease);
    if (is_permanent(revoke, rc) && (!own || lease->stuck || lease->attempts >= OWN_TRIES)) {
        if (!lease->stuck)
            lease->attempts = 0;
        lease->stuck = true;
        lease->retry_ms = clock_aws_ms() + (own                            ? TRANSIENT_CAP_MS
                                            : lease->attempts < SLOW_TRIES ? SLOW_MS
                                                                           : SLOW_LATER_MS);
    } else {
        lease->stuck = false;
        lease->retry_ms = clock_aws_ms() + transient_wait_ms(revoke);
    }
    lease->attempts++;
}

int revoke_failed(struct revoke *revoke, int rc)
{
    struct lease *lease = &revoke->lease;
    struct err err = {0};
    bool was_stuck = lease->stuck;

    put_off(revoke, rc);
    lease_note_error(lease, &revoke->err);
    metrics_count(METRIC_REVOCATION_FAILURES, lease->secret, lease_error_name(&revoke->err));
    if (lease->stuck && !was_stuck)
        tell_stuck(lease, &revoke->err);
    err_hint(&revoke->err, "the revocation is recorded and the agent goes on with it");
    if (lease_txn_progress(revoke->env, lease, &err) != 0)
        log_error("%s", err.message); /* the row comes back when its hold ends */
    return revoke->err.code;
}

int revoke_wait(struct revoke *revoke)
{
    int64_t deadline_ms = revoke->job.deadline_ms;
    struct err ignored = {0};

    if (deadline_ms == 0 || clock_boot_ms() < deadline_ms)
        return KMS_EAGAIN;
    aws_access_done(&revoke->progress->access);
    revoke->lease.retry_ms = clock_aws_ms();
    (void)!lease_txn_progress(revoke->env, &revoke->lease, &ignored); /* else its hold ends */
    err_set(&revoke->err, KMS_ETIMEOUT,
            "the revocation still waits for its turn among the calls to AWS");
    err_hint(&revoke->err, "the revocation is recorded and the agent goes on with it");
    return KMS_ETIMEOUT;
}

bool revoke_is_over(const struct lease *lease)
{
    return lease->state == LEASE_REVOKED ||
           (lease->state == LEASE_REVOKING && lease->stage == REVOKE_CLEANUP);
}

int revoke_after_stage(struct revoke *revoke, int outcome)
{
    struct lease *lease = &revoke->lease;

    if (outcome == STAGE_GONE && !lease->create_unclear)
        return is_gone(revoke, &revoke->err);
    /* A CreateUser that nobody answered may make the user once more. */
    if (outcome == STAGE_GONE || outcome == STAGE_ABSENT)
        return user_is_absent(revoke, &revoke->err);
    lease->attempts = lease->conflicts = 0;
    lease->stuck = false;
    lease->error[0] = '\0';
    lease->retry_ms = clock_aws_ms();
    return lease_txn_progress(revoke->env, lease, &revoke->err);
}
