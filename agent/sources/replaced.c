/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/replaced.h"

#include <stdlib.h>
#include <string.h>

struct replaced_key {
    struct replaced_key *next;
    char configured_id[AWS_KEY_ID_MAX + 1];
    struct aws_credential by; /* no id: there is a fault */
    struct err fault;
};

void replaced_keys_init(struct replaced_keys *keys)
{
    pthread_mutex_init(&keys->lock, NULL);
    keys->first = NULL;
}

static void replaced_key_free(struct replaced_key *key)
{
    if (key != NULL)
        aws_credential_done(&key->by);
    free(key);
}

void replaced_keys_done(struct replaced_keys *keys)
{
    while (keys->first != NULL) {
        struct replaced_key *key = keys->first;

        keys->first = key->next;
        replaced_key_free(key);
    }
    pthread_mutex_destroy(&keys->lock);
}

/* Where the pointer to the key of this id is, or would be. With the lock held. */
static struct replaced_key **find(struct replaced_keys *keys, const char *configured_id)
{
    struct replaced_key **at = &keys->first;

    while (*at != NULL && strcmp((*at)->configured_id, configured_id) != 0)
        at = &(*at)->next;
    return at;
}

static struct replaced_key *replaced_key_new(const char *configured_id,
                                             const struct aws_credential *by,
                                             const struct err *fault)
{
    struct replaced_key *key = calloc(1, sizeof(*key));

    if (key == NULL || strlen(configured_id) > AWS_KEY_ID_MAX ||
        (by != NULL && aws_credential_copy(by, &key->by) != 0)) {
        replaced_key_free(key);
        return NULL;
    }
    strcpy(key->configured_id, configured_id);
    if (fault != NULL)
        key->fault = *fault;
    return key;
}

int replaced_keys_set(struct replaced_keys *keys, const char *configured_id,
                      const struct aws_credential *by, const struct err *fault, struct err *err)
{
    struct replaced_key *key = replaced_key_new(configured_id, by, fault), **at, *old;

    if (key == NULL)
        return err_set(err, KMS_ENOMEM, "no locked memory left for a management credential");
    pthread_mutex_lock(&keys->lock);
    at = find(keys, configured_id);
    old = *at;
    key->next = old != NULL ? old->next : NULL;
    *at = key;
    pthread_mutex_unlock(&keys->lock);
    replaced_key_free(old);
    return 0;
}

void replaced_keys_remove(struct replaced_keys *keys, const char *configured_id)
{
    struct replaced_key **at, *old;

    pthread_mutex_lock(&keys->lock);
    at = find(keys, configured_id);
    old = *at;
    if (old != NULL)
        *at = old->next;
    pthread_mutex_unlock(&keys->lock);
    replaced_key_free(old);
}

static int apply_locked(const struct replaced_key *key, struct aws_credential *credential,
                        struct err *err)
{
    if (key->by.access_key_id[0] == '\0') {
        if (err != NULL)
            *err = key->fault;
        return key->fault.code;
    }
    if (aws_credential_copy(&key->by, credential) != 0)
        return err_set(err, KMS_ENOMEM, "no locked memory left for a management credential");
    return 0;
}

int replaced_keys_apply(struct replaced_keys *keys, struct aws_credential *credential,
                        struct err *err)
{
    const struct replaced_key *key;
    int rc;

    pthread_mutex_lock(&keys->lock);
    key = *find(keys, credential->access_key_id);
    rc = key != NULL ? apply_locked(key, credential, err) : 0;
    pthread_mutex_unlock(&keys->lock);
    return rc;
}
