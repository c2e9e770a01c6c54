/* SPDX-License-Identifier: Apache-2.0 */
#include "lease/identity.h"

#include "base/thread_role.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDENTITY_CACHE_MAX 64

struct identity_entry {
    char access_key_id[AWS_KEY_ID_MAX + 1];
    struct sts_identity identity;
};

struct identity_cache {
    pthread_mutex_t mutex;
    struct identity_entry entries[IDENTITY_CACHE_MAX];
    size_t count, next; /* next: the one to replace when full */
};

int identity_cache_new(struct identity_cache **ret, struct err *err)
{
    struct identity_cache *cache = calloc(1, sizeof *cache);

    if (cache == NULL)
        return err_set(err, KMS_ENOMEM, "no memory for the identity cache");
    pthread_mutex_init(&cache->mutex, NULL);
    *ret = cache;
    return 0;
}

void identity_cache_free(struct identity_cache *cache)
{
    if (cache == NULL)
        return;
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
}

static bool cache_get(struct identity_cache *cache, const char *key, struct sts_identity *ret)
{
    bool found = false;

    pthread_mutex_lock(&cache->mutex);
    for (size_t i = 0; i < cache->count && !found; i++) {
        if (strcmp(cache->entries[i].access_key_id, key) != 0)
            continue;
        *ret = cache->entries[i].identity;
        found = true;
    }
    pthread_mutex_unlock(&cache->mutex);
    return found;
}

static void cache_put(struct identity_cache *cache, const char *key,
                      const struct sts_identity *identity)
{
    struct identity_entry *entry;

    pthread_mutex_lock(&cache->mutex);
    entry = &cache->entries[cache->next];
    cache->next = (cache->next + 1) % IDENTITY_CACHE_MAX;
    if (cache->count < IDENTITY_CACHE_MAX)
        cache->count++;
    snprintf(entry->access_key_id, sizeof entry->access_key_id, "%s", key);
    entry->identity = *identity;
    pthread_mutex_unlock(&cache->mutex);
}

int identity_of(struct lease_env *env, const struct aws_target *target, struct sts_identity *ret,
                struct err *err)
{
    const char *key = target->credential->access_key_id;
    struct aws_result result;
    int rc;

    if (cache_get(env->identities, key, ret))
        return 0;
    rc = sts_get_caller_identity(target, ret, &result, err);
    if (rc != 0)
        return rc;
    source_set_account(env->sources, key, ret->account_id);
    cache_put(env->identities, key, ret);
    return 0;
}

/* A check asks AWS even when the cache knows: the key may have been revoked since. */
static int check_run(struct job *job, void *worker_context)
{
    struct identity_check *check = QUEUE_OF(job, struct identity_check, job);
    const struct recipe *recipe = &check->secret->recipe;
    struct aws_result result;
    int rc;

    ASSERT_ON_WORKER();
    rc = aws_access_open(&check->access, check->env, worker_context, recipe, SOURCE_IAM, job,
                         &check->err);
    if (rc == 0 && check->access.credential.access_key_id[0] != '\0')
        rc = sts_get_caller_identity(&check->access.target, &check->identity, &result, &check->err);
    if (rc == 0 && check->identity.account_id[0] != '\0') {
        source_set_account(check->env->sources, check->access.credential.access_key_id,
                           check->identity.account_id);
        cache_put(check->env->identities, check->access.credential.access_key_id, &check->identity);
    }
    aws_access_done(&check->access);
    return rc;
}

static void check_done(struct job *job)
{
    struct identity_check *check = QUEUE_OF(job, struct identity_check, job);

    if (job->rc != 0 && check->err.code == 0)
        err_set(&check->err, job->rc, "the check was given up");
    check->finished(check, check->arg);
}

struct identity_check *identity_check_new(struct lease_env *env, struct config *config,
                                          const struct secret_config *secret,
                                          void (*finished)(struct identity_check *check, void *arg),
                                          void *arg)
{
    struct identity_check *check = calloc(1, sizeof *check);

    if (check == NULL)
        return NULL;
    check->env = env;
    check->config = config_ref(config);
    check->secret = secret;
    check->finished = finished;
    check->arg = arg;
    check->job.lane = LANE_BACKGROUND;
    check->job.run = check_run;
    check->job.done = check_done;
    check->job.internal = true;
    return check;
}

void identity_check_free(struct identity_check *check)
{
    if (check == NULL)
        return;
    aws_access_done(&check->access);
    config_unref(check->config);
    free(check);
}
