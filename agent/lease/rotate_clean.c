/* SPDX-License-Identifier: Apache-2.0 */
/* After a rotation that was interrupted when it made a key: that key is deleted, and no other. */
#include "lease/rotate_private.h"

#include "aws/iam_user.h"
#include "base/clock.h"
#include "common/timefmt.h"
#include "lease/root_keys.h"

#include <stdio.h>
#include <string.h>

int rotate_abandon(struct rotation *rotation, const struct audit *audit, struct err *err)
{
    struct root_key record = rotation->record;
    int rc;

    root_key_abandon(&record);
    rc = root_key_commit(rotation->env, &record, audit, true, err);
    if (rc == 0)
        rotation->record = record;
    return rc;
}

static const struct iam_key *find_leftover(const struct rotation *rotation)
{
    const struct iam_keys *keys = &rotation->progress->keys;

    for (size_t i = 0; i < keys->count; i++)
        if (root_key_is_leftover(&rotation->record, keys->items[i].id, keys->items[i].created_ms))
            return &keys->items[i];
    return NULL;
}

/* No key to be seen: it may not have been made, or the list is behind. */
static int wait_to_be_sure(const struct rotation *rotation, struct err *err)
{
    int64_t left = rotation->record.begun_ms + ROOT_KEY_GUARD_MS - clock_aws_ms();

    if (left <= 0)
        return 0;
    err_set(err, KMS_EBUSY,
            "an earlier rotation was interrupted when it made a key; the agent waits %d s more to "
            "be sure that none is left of it",
            (int)(left / 1000) + 1);
    err_hint(err, "the old key stays in force; try again later");
    if (err != NULL)
        err->retry_after_ms = (uint32_t)left;
    return KMS_EBUSY;
}

/* Nothing that the intent can have made. With as many keys as AWS allows none of it can be hidden
 * either: the one that is new is somebody else's. */
static int clean_nothing(struct rotation *rotation, struct err *err)
{
    const struct iam_keys *keys = &rotation->progress->keys;
    const struct iam_key *strange = NULL;
    int rc;

    for (size_t i = 0; i < keys->count; i++)
        if (root_key_is_new(&rotation->record, keys->items[i].id))
            strange = &keys->items[i];
    rc = keys->count >= ROOT_KEY_PER_USER ? 0 : wait_to_be_sure(rotation, err);
    if (rc == 0)
        rc = rotate_abandon(rotation, NULL, err);
    if (rc == 0 && strange != NULL)
        strcpy(rotation->strange_id, strange->id);
    return rc;
}

/* Which key is deleted is durable first, so that its end has an audit line whatever happens. */
static int mark_leftover(struct rotation *rotation, const struct iam_key *leftover, struct err *err)
{
    struct root_key record = rotation->record;
    int rc;

    strcpy(record.next_id, leftover->id);
    rc = root_key_commit(rotation->env, &record, NULL, true, err);
    if (rc == 0)
        rotation->record = record;
    return rc;
}

static int delete_leftover(struct rotation *rotation, struct err *err)
{
    struct rotation_progress *p = rotation->progress;
    const struct root_key *record = &rotation->record;
    struct audit audit = {.event = AUDIT_ROTATED, .owner = record->actor};
    struct lease_call call;
    char begun[TIME_TEXT_SIZE];
    int rc = rotate_open_old(rotation, err);

    if (rc != 0)
        return rc;
    p->called = true;
    rc = iam_delete_access_key(&p->old.target, record->user_name, record->next_id, &p->result, err);
    if (rc != 0 && rc != KMS_ENOENTITY)
        return err_context(err, "access key %s of user %s", record->next_id, record->user_name);
    err_clear(err);
    time_format(record->begun_ms, begun);
    audit.time_ms = clock_aws_ms();
    memcpy(audit.secret, record->secret, sizeof audit.secret);
    memcpy(audit.access_key_id, record->next_id, sizeof audit.access_key_id);
    snprintf(audit.user_name, sizeof audit.user_name, "%.64s", record->user_name);
    snprintf(audit.detail, sizeof audit.detail,
             "deleted: a rotation that was interrupted had made it at %s", begun);
    aws_access_note_call(&p->result, &call);
    audit_set_call(&audit, &call);
    memcpy(rotation->leftover_id, record->next_id, sizeof rotation->leftover_id);
    return rotate_abandon(rotation, &audit, err);
}

int rotate_clean(struct rotation *rotation, struct err *err)
{
    const struct iam_key *leftover = find_leftover(rotation);
    int rc = 0;

    memcpy(rotation->cleaned_user, rotation->record.user_name, sizeof rotation->cleaned_user);
    if (rotation->record.next_id[0] == '\0' && leftover != NULL)
        rc = mark_leftover(rotation, leftover, err);
    if (rc == 0)
        rc = rotation->record.next_id[0] != '\0' ? delete_leftover(rotation, err)
                                                 : clean_nothing(rotation, err);
    if (rc == 0)
        rotation->progress->step = ROTATE_BEGIN;
    return rc;
}
