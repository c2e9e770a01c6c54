/* SPDX-License-Identifier: Apache-2.0 */
/* Phase two: everything a user may have, found by listing (never from memory), the fence last, then
 * the user. */
#include "aws/iam_cleanup.h"
#include "aws/iam_user.h"
#include "base/clock.h"
#include "common/log.h"
#include "lease/revoke_private.h"
#include "model/fence.h"

#include <string.h>

/* Passes after a DeleteConflict in one job; the due index brings the next. */
#define ROUNDS_MAX 3
#define ROUNDS_LATER_MAX 1
#define PAUSE_MS 1000 /* before a pass: lists lag */
#define MFA_TRIES_MAX 5

enum cleanup_kind { CLEANUP_LIST, CLEANUP_LOGIN, CLEANUP_FENCE, CLEANUP_USER };

/* Rows in order. What only a holder can have added is looked for after a DeleteConflict. */
static const struct cleanup_row {
    enum cleanup_kind kind;
    enum iam_list_kind list;
    bool after_conflict;
} cleanup_rows[] = {
    {CLEANUP_LIST, IAM_LIST_ACCESS_KEYS, false},
    {CLEANUP_LIST, IAM_LIST_ATTACHED_POLICIES, false},
    {CLEANUP_LIST, IAM_LIST_GROUPS, false},
    {CLEANUP_LIST, IAM_LIST_USER_POLICIES, false},
    {CLEANUP_LOGIN, IAM_LIST_ACCESS_KEYS, true},
    {CLEANUP_LIST, IAM_LIST_MFA_DEVICES, true},
    {CLEANUP_LIST, IAM_LIST_SSH_PUBLIC_KEYS, true},
    {CLEANUP_LIST, IAM_LIST_SIGNING_CERTIFICATES, true},
    {CLEANUP_LIST, IAM_LIST_SERVICE_CREDENTIALS, true},
    {CLEANUP_FENCE, IAM_LIST_ACCESS_KEYS, false},
    {CLEANUP_USER, IAM_LIST_ACCESS_KEYS, false},
};

static void next_row(struct cleanup *cleanup)
{
    iam_names_done(&cleanup->names);
    cleanup->names = (struct iam_names){0};
    cleanup->marker[0] = '\0';
    cleanup->listed = false;
    cleanup->item = 0;
    cleanup->row++;
}

/* Now that it is deactivated only this job knows of it, so it is tried more than once. What is left
 * after all is no credential: it keeps no user alive. */
static int run_virtual_mfa(struct revoke *revoke, const char *serial_number, struct err *err)
{
    struct revoke_progress *p = revoke->progress;
    int rc = iam_delete_virtual_mfa_device(&p->access.target, serial_number, &p->result, err);

    if (rc != 0 && p->result.failure == AWS_FAILED_THROTTLED)
        return rc; /* comes back here */
    if (rc != 0 && p->result.failure != AWS_FAILED_PERMANENT &&
        ++p->cleanup.mfa_tries < MFA_TRIES_MAX) {
        revoke->job.wake_ms = clock_boot_ms() + PAUSE_MS;
        return KMS_EAGAIN;
    }
    if (rc != 0)
        log_warning("virtual MFA device %s of user %s is left behind: %s", serial_number,
                    revoke->lease.user_name, err->message);
    err_clear(err);
    p->cleanup.mfa_tries = 0;
    p->cleanup.deactivated = false;
    p->cleanup.item++;
    return 0;
}

/* One call of a list row: a page, or the removal of one item. The fence stays until the end. */
static int run_list(struct revoke *revoke, const struct cleanup_row *row, struct err *err)
{
    struct revoke_progress *p = revoke->progress;
    struct cleanup *cleanup = &p->cleanup;
    const char *user = revoke->lease.user_name, *item;
    int rc;

    if (!cleanup->listed) {
        rc = iam_list_page(&p->access.target, row->list, user, cleanup->marker, &cleanup->names,
                           &p->result, err);
        if (rc == 0)
            cleanup->listed = cleanup->marker[0] == '\0';
        return rc;
    }
    item = cleanup->names.items[cleanup->item];
    if (cleanup->deactivated)
        return run_virtual_mfa(revoke, item, err);
    rc = iam_cleanup_remove(&p->access.target, row->list, user, item, &p->result, err);
    if (rc != 0)
        return rc;
    cleanup->deactivated = row->list == IAM_LIST_MFA_DEVICES && iam_cleanup_mfa_is_virtual(item);
    cleanup->item += !cleanup->deactivated;
    return 0;
}

/* Whether a list row has nothing more to do; passes over the fence. */
static bool list_is_over(struct cleanup *cleanup, const struct cleanup_row *row)
{
    if (!cleanup->listed)
        return false;
    while (cleanup->item < cleanup->names.count && row->list == IAM_LIST_USER_POLICIES &&
           strcmp(cleanup->names.items[cleanup->item], FENCE_POLICY_NAME) == 0)
        cleanup->item++;
    return cleanup->item >= cleanup->names.count;
}

/* Whether the fence can and should go back up at once: AWS answers, and is not busy. */
static bool answers_well(const struct aws_result *result)
{
    return result->status != 0 && result->failure != AWS_FAILED_THROTTLED;
}

/* DeleteUser. When it fails the fence goes back up; what is left after all (a holder was quicker)
 * means everything once more. */
static int run_delete_user(struct revoke *revoke, struct err *err)
{
    struct revoke_progress *p = revoke->progress;
    struct cleanup *cleanup = &p->cleanup;
    unsigned rounds_max = revoke->lease.attempts == 0 ? ROUNDS_MAX : ROUNDS_LATER_MAX;
    int rc = iam_delete_user(&p->access.target, revoke->lease.user_name, &p->result, err);

    if (rc == 0)
        return STAGE_GONE;
    if (rc == KMS_ENOENTITY)
        return STAGE_ABSENT;
    if (!answers_well(&p->result))
        return rc;
    cleanup->fence_down = true;
    if (p->result.failure == AWS_FAILED_CONFLICT && cleanup->round < rounds_max) {
        next_row(cleanup);
        cleanup->round++;
        cleanup->row = 0;
        cleanup->pause = true;
    } else {
        p->failure = (struct revoke_failure){true, rc, p->result, *err};
    }
    err_clear(err);
    return 0;
}

/* One call of the current row. 0: go on. */
static int run_row(struct revoke *revoke, const struct cleanup_row *row, struct err *err)
{
    struct revoke_progress *p = revoke->progress;
    const char *user = revoke->lease.user_name;
    int rc;

    switch (row->kind) {
    case CLEANUP_LIST:
        return run_list(revoke, row, err);
    case CLEANUP_LOGIN:
        rc = iam_delete_login_profile(&p->access.target, user, &p->result, err);
        break;
    case CLEANUP_FENCE:
        rc = iam_delete_user_policy(&p->access.target, user, FENCE_POLICY_NAME, &p->result, err);
        break;
    case CLEANUP_USER:
    default:
        return run_delete_user(revoke, err);
    }
    if (rc == KMS_ENOENTITY) { /* not there: done */
        err_clear(err);
        rc = 0;
    }
    if (rc == 0)
        next_row(&p->cleanup);
    return rc;
}

/* After a DeleteUser that failed the fence goes back up first, as Deny-now; where that is refused
 * the clean-up goes on without. */
static int raise_fence(struct revoke *revoke, struct err *err)
{
    struct revoke_progress *p = revoke->progress;
    int rc = 0;

    if (p->cleanup.fence_down)
        rc = revoke_deny_now(revoke, err);
    if (rc == KMS_EAGAIN ||
        (rc != 0 && !p->failure.kept && p->result.failure != AWS_FAILED_PERMANENT))
        return rc;
    p->cleanup.fence_down = false;
    if (rc != 0)
        err_clear(err);
    if (p->failure.kept) {
        p->failure.kept = false;
        p->result = p->failure.result;
        *err = p->failure.err;
        return p->failure.rc;
    }
    if (!p->cleanup.pause)
        return 0;
    p->cleanup.pause = false;
    revoke->job.wake_ms = clock_boot_ms() + PAUSE_MS;
    return KMS_EAGAIN;
}

/* No such user, says a list: after another look its age decides whether it is really gone. */
static int user_vanished(struct revoke *revoke, struct err *err)
{
    int rc;

    err_clear(err);
    revoke_doubt(revoke);
    rc = revoke_verify(revoke, err);
    return rc == 0 ? STAGE_ABSENT : rc;
}

int revoke_cleanup(struct revoke *revoke, struct err *err)
{
    struct cleanup *cleanup = &revoke->progress->cleanup;
    int rc = revoke_verify(revoke, err);

    if (!cleanup->begun) /* an earlier job may have ended with the fence down */
        cleanup->fence_down = revoke->lease.attempts > 0;
    cleanup->begun = true;
    if (rc == 0)
        rc = raise_fence(revoke, err);
    while (rc == 0) {
        const struct cleanup_row *row = &cleanup_rows[cleanup->row];

        if ((row->after_conflict && cleanup->round == 0) ||
            (row->kind == CLEANUP_LIST && list_is_over(cleanup, row))) {
            next_row(cleanup);
            continue;
        }
        rc = revoke_take(revoke);
        if (rc == 0)
            rc = run_row(revoke, row, err);
        if (rc >= 0)
            revoke->progress->retry.attempt = 0;
        if (rc == 0)
            rc = raise_fence(revoke, err);
    }
    return rc == KMS_ENOENTITY ? user_vanished(revoke, err) : rc;
}
