/* SPDX-License-Identifier: Apache-2.0 */
/* A rotation up to the new key that is durable. */
#include "lease/rotate_private.h"

#include "aws/iam_user.h"
#include "base/clock.h"
#include "base/crash_point.h"
#include "lease/root_keys.h"
#include "store/root_keys.h"

#include <stdio.h>
#include <string.h>

int rotate_open_old(struct rotation *rotation, struct err *err)
{
    struct rotation_progress *p = rotation->progress;
    int rc = aws_access_open(&p->old, rotation->env, p->worker, &rotation->secret->recipe,
                             SOURCE_BASE, &rotation->job, err);

    if (rc != 0)
        return rc;
    if (strcmp(p->old.credential.access_key_id, rotation->record.current_id) != 0) {
        aws_access_refetch(&p->old);
        return err_set(err, KMS_ESOURCE, "the management key was changed meanwhile");
    }
    return aws_access_take(&p->old, rotation->env, AWS_IAM, BUDGET_MINT, &rotation->job);
}

/* A store that a reboot empties would take the only copy of the new key with it. */
static int check_volatile(const struct rotation *rotation, struct err *err)
{
    const struct agent_config *config = &rotation->config->agent;

    if (!store_is_volatile(rotation->env->store) || config->allow_volatile_store)
        return 0;
    err_set(err, KMS_ESTORE, "no new key is made while the lease store in %s is lost at a reboot",
            config->state_directory);
    return err_hint(err, "put state_directory on a disk, or set allow_volatile_store = true");
}

/* The new key is there: on from where the rotation stopped. */
static int go_on(struct rotation *rotation, struct err *err)
{
    struct rotation_progress *p = rotation->progress;
    int rc = root_key_open(rotation->env, &rotation->record, true, &p->new.credential, err);

    if (rc != 0)
        return rc;
    p->new.open = p->new.forced = true; /* there is nothing to fetch anew */
    p->step = rotation->record.stage == ROOT_KEY_PROVEN ? ROTATE_DELETE : ROTATE_PROBE;
    return 0;
}

/* A record of which nothing is left to do, or none. */
static int begin_anew(struct rotation *rotation, const char *configured_id, struct err *err)
{
    struct root_key *record = &rotation->record;
    int rc;

    if (rotation->resume) {
        rotation->progress->step = ROTATE_END;
        return 0;
    }
    if (strncmp(configured_id, "ASIA", 4) == 0)
        return err_set(err, KMS_EINVALID, "%s is the key of a session, which ends by itself",
                       configured_id);
    if (record->stage == ROOT_KEY_NONE) {
        strcpy(record->configured_id, configured_id);
        strcpy(record->current_id, configured_id);
    }
    rc = check_volatile(rotation, err);
    if (rc == 0)
        rc = root_key_check_seal(rotation->env, err);
    if (rc == 0)
        rotation->progress->step = ROTATE_USER;
    return rc;
}

int rotate_begin(struct rotation *rotation, struct err *err)
{
    char configured_id[AWS_KEY_ID_MAX + 1];
    int rc =
        source_own_key_id(rotation->env->sources, &rotation->secret->recipe, configured_id, err);

    if (rc == 0)
        rc = store_root_key_read(rotation->env->store, configured_id, &rotation->record, err);
    if (rc != 0)
        return err_context(err, "secret \"%s\"", rotation->secret->name);
    switch (rotation->record.stage) {
    case ROOT_KEY_INTENT:
        rotation->progress->step = ROTATE_USER;
        return 0;
    case ROOT_KEY_SEALED:
    case ROOT_KEY_PROVEN:
        return go_on(rotation, err);
    case ROOT_KEY_NONE:
    case ROOT_KEY_SETTLED:
        return begin_anew(rotation, configured_id, err);
    }
    return err_set(err, KMS_EINTERNAL, "the record of the management key has no stage");
}

int rotate_user(struct rotation *rotation, struct err *err)
{
    struct rotation_progress *p = rotation->progress;
    struct iam_user user;
    int rc = rotate_open_old(rotation, err);

    if (rc != 0)
        return rc;
    p->called = true;
    rc = iam_get_user(&p->old.target, NULL, &user, &p->result, err);
    if (rc != 0)
        return rc;
    if (strlen(user.user_name) > ROOT_KEY_USER_MAX)
        return err_set(err, KMS_EAWSREJECTED, "GetUser: the name of the user is too long");
    strcpy(rotation->record.user_name, user.user_name);
    p->step = ROTATE_LIST;
    return 0;
}

int rotate_list(struct rotation *rotation, struct err *err)
{
    struct rotation_progress *p = rotation->progress;
    int rc = rotate_open_old(rotation, err);

    if (rc != 0)
        return rc;
    p->called = true;
    rc =
        iam_list_access_keys(&p->old.target, rotation->record.user_name, &p->keys, &p->result, err);
    if (rc == 0)
        p->step = rotation->record.stage == ROOT_KEY_INTENT ? ROTATE_CLEAN : ROTATE_INTENT;
    return rc;
}

void rotate_give_up(struct rotation *rotation)
{
    const struct rotation_progress *p = rotation->progress;
    struct err ignored = {0};

    /* Each try that is made again surely made no key, so the last one decides. */
    if (p->step != ROTATE_CREATE || rotation->record.stage != ROOT_KEY_INTENT ||
        p->result.maybe_applied)
        return;
    if (rotate_abandon(rotation, NULL, &ignored) != 0)
        return; /* the intent stays, and is looked after as if a key might be there */
}

static int refuse_two_keys(const struct rotation *rotation, struct err *err)
{
    const struct iam_keys *keys = &rotation->progress->keys;

    err_set(err, KMS_EAWSLIMIT,
            "user %s has %zu access keys (%s, %s), and AWS allows no third for the time of the "
            "rotation",
            rotation->record.user_name, keys->count, keys->items[0].id, keys->items[1].id);
    if (rotation->strange_id[0] != '\0')
        return err_hint(err,
                        "%s was made after a rotation that was interrupted, so it is kept: delete "
                        "it if nobody uses it",
                        rotation->strange_id);
    return err_hint(err, "delete the one that is not %s, if nobody uses it",
                    rotation->record.current_id);
}

int rotate_intent(struct rotation *rotation, struct err *err)
{
    const struct iam_keys *keys = &rotation->progress->keys;

    if (keys->count >= ROOT_KEY_PER_USER)
        return refuse_two_keys(rotation, err);
    rotation->record.known_id[0] = '\0';
    if (keys->count > 0)
        strcpy(rotation->record.known_id, keys->items[0].id);
    rotation->progress->step = ROTATE_CREATE;
    return 0;
}

/* The last thing before the call: what is made later than the call can take is not its key. */
static int record_intent(struct rotation *rotation, struct err *err)
{
    struct root_key record = rotation->record;
    int rc;

    record.stage = ROOT_KEY_INTENT;
    record.begun_ms = clock_aws_ms();
    record.actor = rotation->actor;
    snprintf(record.secret, sizeof record.secret, "%s", rotation->secret->name);
    rc = root_key_commit(rotation->env, &record, NULL, false, err);
    if (rc == 0)
        rotation->record = record;
    return rc;
}

int rotate_create(struct rotation *rotation, struct err *err)
{
    struct rotation_progress *p = rotation->progress;
    int rc = rotate_open_old(rotation, err);

    if (rc == 0)
        rc = record_intent(rotation, err);
    if (rc != 0)
        return rc;
    crash_point("rotate-sending");
    if (clock_aws_ms() > rotation->record.begun_ms + ROOT_KEY_SEND_MS) { /* a slow disk */
        rotation->job.wake_ms = clock_boot_ms();
        return KMS_EAGAIN;
    }
    p->called = true;
    p->old.target.total_timeout_ms = ROOT_KEY_CALL_MS;
    rc = iam_create_access_key(&p->old.target, rotation->record.user_name, &p->new.credential,
                               &p->result, err);
    if (rc != 0)
        return rc;
    memcpy(p->new.credential.account_id, p->old.credential.account_id,
           sizeof p->new.credential.account_id);
    p->new.open = p->new.forced = true;
    p->step = ROTATE_SEAL;
    return 0;
}

/* Until this is durable the key is nobody's: a failure here leaves it to the clean-up. */
int rotate_seal(struct rotation *rotation, struct err *err)
{
    struct rotation_progress *p = rotation->progress;
    struct root_key record = rotation->record;
    int rc = root_key_seal_next(rotation->env, &record, &p->new.credential, err);

    if (rc != 0)
        return rc;
    record.stage = ROOT_KEY_SEALED;
    rc = root_key_commit(rotation->env, &record, NULL, true, err);
    if (rc != 0)
        return rc;
    rotation->record = record;
    p->step = ROTATE_PROBE;
    return 0;
}
