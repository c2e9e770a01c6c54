/* SPDX-License-Identifier: Apache-2.0 */
#include "lease/root_keys.h"

#include "base/thread_role.h"
#include "store/root_keys.h"
#include "store/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(ROOT_KEY_SEAL_MAX >= SEAL_TEXT_MAX, "a sealed secret fits the record");

static struct seal_place place_of(const struct lease_env *env, const struct root_key *record,
                                  const char *access_key_id)
{
    return (struct seal_place){.kind = "root-key",
                               .agent_id = env->agent_id,
                               .configured_id = record->configured_id,
                               .access_key_id = access_key_id};
}

int root_key_open(struct lease_env *env, const struct root_key *record, bool next,
                  struct aws_credential *ret, struct err *err)
{
    AWS_CREDENTIAL_CLEANUP struct aws_credential opened = {0};
    SECRET_CLEANUP struct secret key = {0};
    const char *id = next ? record->next_id : record->current_id;
    const struct seal_place place = place_of(env, record, id);
    int rc = source_seal_key(env->sources, &key, err);

    if (rc == 0)
        rc = seal_open(&key, &place, next ? record->next_seal : record->current_seal,
                       &opened.secret_access_key, err);
    if (rc != 0) {
        err_context(err, "management key %s, which took the place of %s", id,
                    record->configured_id);
        err_hint(err, "give the agent the kms-seal-key of that time again, or put a new access key "
                      "into the configuration");
        return rc;
    }
    strcpy(opened.access_key_id, id);
    aws_credential_done(ret);
    *ret = opened;
    opened = (struct aws_credential){0};
    return 0;
}

int root_key_check_seal(struct lease_env *env, struct err *err)
{
    SECRET_CLEANUP struct secret key = {0};
    struct err why = {0};
    int rc = source_seal_key(env->sources, &key, &why);

    if (rc == 0 && key.len < SEAL_KEY_MIN)
        rc = err_set(&why, KMS_ESOURCE, "it has %zu bytes, at least %d are needed", key.len,
                     SEAL_KEY_MIN);
    if (rc == 0)
        return 0;
    err_set(err, rc, "a new key cannot be sealed at rest without the credential kms-seal-key (%s)",
            why.message);
    return err_hint(err, "head -c 32 /dev/urandom | systemd-creds encrypt --name=kms-seal-key - "
                         "/etc/kms-agent/kms-seal-key.cred, then in the unit: "
                         "LoadCredentialEncrypted=kms-seal-key:/etc/kms-agent/kms-seal-key.cred");
}

int root_key_seal_next(struct lease_env *env, struct root_key *record,
                       const struct aws_credential *key, struct err *err)
{
    SECRET_CLEANUP struct secret seal_key = {0};
    const struct seal_place place = place_of(env, record, key->access_key_id);
    int rc = source_seal_key(env->sources, &seal_key, err);

    if (rc == 0)
        rc = seal_close(&seal_key, &place, &key->secret_access_key, record->next_seal, err);
    if (rc == 0)
        strcpy(record->next_id, key->access_key_id);
    return rc;
}

struct commit {
    const struct root_key *record;
    const struct audit *audit;
};

static int apply(struct store_txn *txn, void *arg, struct err *err)
{
    const struct commit *commit = arg;
    int rc = store_root_key_put(txn, commit->record, err);

    if (rc == 0 && commit->audit != NULL)
        rc = store_audit(txn, commit->audit, err);
    return rc;
}

int root_key_commit(struct lease_env *env, const struct root_key *record, const struct audit *audit,
                    bool urgent, struct err *err)
{
    struct commit commit = {record, audit};

    return store_run(env->store, apply, &commit, urgent, err);
}

/* What stands for the configured key; nothing while that is in force itself. */
static int replace_by_record(struct lease_env *env, const struct root_key *record, struct err *err)
{
    AWS_CREDENTIAL_CLEANUP struct aws_credential by = {0};
    bool next = record->stage == ROOT_KEY_PROVEN;
    struct err fault = {0};

    if (!next && record->current_seal[0] == '\0')
        return 0;
    if (root_key_open(env, record, next, &by, &fault) != 0)
        return source_replace_key(env->sources, record->configured_id, NULL, &fault, err);
    return source_replace_key(env->sources, record->configured_id, &by, NULL, err);
}

int root_keys_load(struct lease_env *env, struct err *err)
{
    struct root_key *records = calloc(ROOT_KEYS_MAX, sizeof *records);
    size_t count = 0;
    int rc;

    if (records == NULL)
        return err_set(err, KMS_ENOMEM, "no memory for the management keys");
    rc = store_root_keys_list(env->store, records, ROOT_KEYS_MAX, &count, err);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = replace_by_record(env, &records[i], err);
    free(records);
    return rc;
}
