/* SPDX-License-Identifier: Apache-2.0 */
/* A rotation from the durable new key on: seen to work, in force, the old key deleted. */
#include "lease/rotate_private.h"

#include "aws/iam_user.h"
#include "aws/sts.h"
#include "base/clock.h"
#include "lease/root_keys.h"

#include <stdio.h>
#include <string.h>

#define PROBE_MS 40000      /* most keys work after 10 s, nearly all after 30 */
#define PROBE_AGAIN_MS 1000 /* until AWS knows the key */
#define PROBE_MORE_MS 500   /* between probes that went well */
#define PROBES 3            /* in a row: AWS's hosts learn of a key one after the other */

int rotate_open_new(struct rotation *rotation, enum aws_service service, struct err *err)
{
    struct rotation_progress *p = rotation->progress;
    int rc = aws_access_open(&p->new, rotation->env, p->worker, &rotation->secret->recipe,
                             SOURCE_BASE, &rotation->job, err);

    return rc == 0 ? aws_access_take(&p->new, rotation->env, service, BUDGET_MINT, &rotation->job)
                   : rc;
}

bool rotate_is_unknown_key(const struct rotation *rotation)
{
    return rotation->progress->called &&
           rotation->progress->result.failure == AWS_FAILED_CREDENTIAL;
}

static int wait_ms(struct rotation *rotation, int64_t ms)
{
    rotation->job.wake_ms = clock_boot_ms() + ms;
    return KMS_EAGAIN;
}

/* One call: STS, then IAM; either may know the key before the other. */
static int probe_once(struct rotation *rotation, struct err *err)
{
    struct rotation_progress *p = rotation->progress;
    struct sts_identity identity;
    struct iam_user user;
    int rc = rotate_open_new(rotation, p->probed_sts ? AWS_IAM : AWS_STS, err);

    if (rc != 0)
        return rc;
    p->called = true;
    if (p->probed_sts)
        return iam_get_user(&p->new.target, NULL, &user, &p->result, err);
    rc = sts_get_caller_identity(&p->new.target, &identity, &p->result, err);
    if (rc == 0)
        source_set_account(rotation->env->sources, p->new.credential.access_key_id,
                           identity.account_id);
    return rc;
}

int rotate_probe(struct rotation *rotation, struct err *err)
{
    struct rotation_progress *p = rotation->progress;
    int rc;

    if (p->probe_until_ms == 0)
        p->probe_until_ms = clock_boot_ms() + PROBE_MS;
    rc = probe_once(rotation, err);
    if (rc != 0 && rc != KMS_EAGAIN) {
        p->good = 0;
        p->probed_sts = false;
    }
    if (rc != 0 && rotate_is_unknown_key(rotation) &&
        clock_boot_ms() + PROBE_AGAIN_MS < p->probe_until_ms)
        return wait_ms(rotation, PROBE_AGAIN_MS);
    if (rc != 0)
        return rc == KMS_EAGAIN ? rc : err_context(err, "the new key %s", rotation->record.next_id);
    p->probed_sts = !p->probed_sts;
    if (p->probed_sts)
        return 0;
    if (++p->good < PROBES)
        return wait_ms(rotation, PROBE_MORE_MS);
    p->step = ROTATE_SWITCH;
    return 0;
}

/* Durable first: once the old key may be deleted, no start may hand it out again. */
int rotate_switch(struct rotation *rotation, struct err *err)
{
    struct rotation_progress *p = rotation->progress;
    struct root_key record = rotation->record;
    int rc;

    record.stage = ROOT_KEY_PROVEN;
    rc = root_key_commit(rotation->env, &record, NULL, true, err);
    if (rc != 0)
        return rc;
    rotation->record = record;
    rc = source_replace_key(rotation->env->sources, record.configured_id, &p->new.credential, NULL,
                            err);
    if (rc == 0)
        p->step = ROTATE_DELETE;
    return rc;
}

/* Jobs that hold the old key fetch the new one when AWS refuses theirs. */
int rotate_delete(struct rotation *rotation, struct err *err)
{
    struct rotation_progress *p = rotation->progress;
    const struct root_key *record = &rotation->record;
    int rc = source_replace_key(rotation->env->sources, record->configured_id, &p->new.credential,
                                NULL, err);

    if (rc == 0)
        rc = rotate_open_new(rotation, AWS_IAM, err);
    if (rc != 0)
        return rc;
    if (p->probe_until_ms == 0)
        p->probe_until_ms = clock_boot_ms() + PROBE_MS;
    p->called = true;
    rc = iam_delete_access_key(&p->new.target, record->user_name, record->current_id, &p->result,
                               err);
    if (rc == KMS_ENOENTITY)
        rc = 0;
    if (rc != 0 && rotate_is_unknown_key(rotation) &&
        clock_boot_ms() + PROBE_AGAIN_MS < p->probe_until_ms)
        return wait_ms(rotation, PROBE_AGAIN_MS);
    if (rc == 0)
        p->step = ROTATE_SETTLE;
    return rc;
}

int rotate_settle(struct rotation *rotation, struct err *err)
{
    struct root_key record = rotation->record;
    struct audit audit = {.time_ms = clock_aws_ms(), .event = AUDIT_ROTATED, .owner = record.actor};
    struct lease_call call;
    int rc;

    root_key_settle(&record);
    memcpy(audit.secret, record.secret, sizeof audit.secret);
    memcpy(audit.access_key_id, record.current_id, sizeof audit.access_key_id);
    snprintf(audit.user_name, sizeof audit.user_name, "%.64s", record.user_name);
    snprintf(audit.detail, sizeof audit.detail, "in the place of %s", rotation->record.current_id);
    aws_access_note_call(&rotation->progress->result, &call); /* DeleteAccessKey */
    audit_set_call(&audit, &call);
    rc = root_key_commit(rotation->env, &record, &audit, true, err);
    if (rc != 0)
        return rc;
    memcpy(rotation->old_id, rotation->record.current_id, sizeof rotation->old_id);
    rotation->record = record;
    rotation->progress->step = ROTATE_END;
    return 0;
}
