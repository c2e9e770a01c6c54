/* SPDX-License-Identifier: Apache-2.0 */
#include "lease/root_survey.h"

#include "base/clock.h"
#include "base/thread_role.h"
#include "common/log.h"
#include "lease/root_keys.h"
#include "store/root_keys.h"

#include <stdlib.h>
#include <string.h>

/* The key that a secret's configuration names. */
struct named_key {
    const struct secret_config *secret;
    char id[AWS_KEY_ID_MAX + 1]; /* "": it cannot be read now */
};

struct named_keys {
    struct named_key *items;
    size_t count;
    bool all_read;
};

static int read_named_keys(struct root_survey *survey, struct named_keys *ret)
{
    const struct config *config = survey->config;

    ret->all_read = true;
    ret->items = calloc(config->secret_count + 1, sizeof *ret->items);
    if (ret->items == NULL)
        return err_set(&survey->err, KMS_ENOMEM, "no memory for the management keys");
    for (size_t i = 0; i < config->secret_count; i++) {
        struct named_key *key = &ret->items[ret->count];
        int rc = source_own_key_id(survey->env->sources, &config->secrets[i].recipe, key->id, NULL);

        if (rc == KMS_EINVALID)
            continue; /* it has none */
        if (rc != 0)
            ret->all_read = false;
        key->secret = &config->secrets[i];
        ret->count++;
    }
    return 0;
}

static const struct secret_config *secret_with(const struct named_keys *keys, const char *id)
{
    for (size_t i = 0; i < keys->count; i++)
        if (strcmp(keys->items[i].id, id) == 0)
            return keys->items[i].secret;
    return NULL;
}

/* Only on proof: the record holds the one copy of a key's secret. A secret that was taken out of
 * the configuration, or a file that cannot be read, may come back. */
static bool is_void(const struct root_key *record, const struct named_keys *keys)
{
    if (!keys->all_read)
        return false;
    for (size_t i = 0; i < keys->count; i++)
        if (strcmp(keys->items[i].secret->name, record->secret) == 0)
            return true; /* the secret is there, with another key: nobody names the old one */
    return false;
}

static int remove_void(struct root_survey *survey, const struct root_key *record)
{
    struct root_key none = *record;
    bool two = record->next_id[0] != '\0';
    int rc;

    none.stage = ROOT_KEY_NONE;
    rc = root_key_commit(survey->env, &none, NULL, true, &survey->err);
    if (rc != 0)
        return rc;
    source_restore_key(survey->env->sources, record->configured_id);
    log_notice("secret \"%s\" names another access key now; the agent has forgotten %s%s%s of user "
               "%s, which took the place of %s: delete what is left of them at AWS",
               record->secret, record->current_id, two ? " and " : "", record->next_id,
               record->user_name, record->configured_id);
    return 0;
}

static int look_at(struct root_survey *survey, const struct root_key *record,
                   const struct named_keys *keys)
{
    const struct secret_config *secret = secret_with(keys, record->configured_id);

    if (secret == NULL)
        return is_void(record, keys) ? remove_void(survey, record) : 0;
    if (root_key_is_pending(record))
        survey->pending[survey->pending_count++] = secret;
    return 0;
}

static int look_at_all(struct root_survey *survey, struct root_key *records)
{
    struct named_keys keys = {0};
    size_t count = 0;
    int rc = store_root_keys_list(survey->env->store, records, ROOT_KEYS_MAX, &count, &survey->err);

    if (rc != 0 || count == 0)
        return rc;
    rc = read_named_keys(survey, &keys);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = look_at(survey, &records[i], &keys);
    free(keys.items);
    return rc;
}

static int survey_run(struct job *job, void *worker_context)
{
    struct root_survey *survey = QUEUE_OF(job, struct root_survey, job);
    struct root_key *records;
    int rc;

    (void)worker_context;
    ASSERT_ON_WORKER();
    if (atomic_load(&job->canceled))
        return err_set(&survey->err, KMS_ECANCELED, "the survey was interrupted");
    if (survey->delay_ms > 0) {
        job->wake_ms = clock_boot_ms() + survey->delay_ms;
        survey->delay_ms = 0;
        return KMS_EAGAIN;
    }
    records = calloc(ROOT_KEYS_MAX, sizeof *records);
    if (records == NULL)
        return err_set(&survey->err, KMS_ENOMEM, "no memory for the management keys");
    rc = look_at_all(survey, records);
    free(records);
    return rc;
}

static void survey_done(struct job *job)
{
    struct root_survey *survey = QUEUE_OF(job, struct root_survey, job);

    ASSERT_ON_LOOP();
    survey->finished(survey, survey->arg);
}

struct root_survey *root_survey_new(struct lease_env *env, struct config *config, int64_t delay_ms,
                                    void (*finished)(struct root_survey *survey, void *arg),
                                    void *arg)
{
    struct root_survey *survey = calloc(1, sizeof *survey);

    if (survey == NULL)
        return NULL;
    survey->env = env;
    survey->config = config_ref(config);
    survey->delay_ms = delay_ms;
    survey->finished = finished;
    survey->arg = arg;
    survey->job.lane = LANE_BACKGROUND;
    survey->job.run = survey_run;
    survey->job.done = survey_done;
    survey->job.internal = true;
    return survey;
}

void root_survey_free(struct root_survey *survey)
{
    if (survey == NULL)
        return;
    config_unref(survey->config);
    free(survey);
}
