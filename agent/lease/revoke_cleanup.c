/* SPDX-License-Identifier: Apache-2.0 */
/* Phase two: everything a user may have, found by listing (never from memory), the fence last, then
 * the user. */
#include "aws/iam_cleanup.h"
#include "aws/iam_user.h"
#include "lease/revoke_private.h"
#include "model/fence.h"

#include <string.h>

#define ROUNDS_MAX 3 /* passes after a DeleteConflict in one job; the due index brings the next */

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
    rc = iam_cleanup_remove(&p->access.target, row->list, user, item, &p->result, err);
    if (rc == 0)
        cleanup->item++;
    return rc;
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

/* DeleteUser. What is left after all (a holder was quicker) means: fence back up, everything once
 * more. */
static int run_delete_user(struct revoke *revoke, struct err *err)
{
    struct revoke_progress *p = revoke->progress;
    struct cleanup *cleanup = &p->cleanup;
    int rc = iam_delete_user(&p->access.target, revoke->lease.user_name, &p->result, err);

    if (rc == 0)
        return STAGE_GONE;
    if (rc == KMS_ENOENTITY)
        return STAGE_ABSENT;
    if (rc != KMS_ECONFLICT || p->result.failure != AWS_FAILED_CONFLICT ||
        cleanup->round >= ROUNDS_MAX)
        return rc;
    err_clear(err);
    next_row(cleanup);
    cleanup->round++;
    cleanup->row = 0;
    cleanup->fence_down = true;
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

/* After a DeleteConflict the fence goes back up first, as Deny-now. */
static int raise_fence(struct revoke *revoke, struct err *err)
{
    int rc;

    if (!revoke->progress->cleanup.fence_down)
        return 0;
    rc = revoke_deny_now(revoke, err);
    if (rc == 0)
        revoke->progress->cleanup.fence_down = false;
    return rc;
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
