/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/source.h"

#include <stdlib.h>
#include <string.h>

static int copy_variable(const char *name, char **ret, struct err *err)
{
    const char *value = getenv(name);

    if (value == NULL || value[0] == '\0')
        return 0;
    *ret = strdup(value);
    return *ret != NULL ? 0 : err_set(err, KMS_ENOMEM, "out of memory");
}

/* The kernel shows the initial strings in /proc/PID/environ for as long as they are not overwritten
 * in place. */
static int take_variable(const char *name, struct secret *ret, struct err *err)
{
    char *value = getenv(name);
    int rc;

    if (value == NULL || value[0] == '\0')
        return 0;
    rc = secret_set(ret, value, strlen(value));
    secret_wipe(value, strlen(value));
    return rc == 0 ? 0 : err_set(err, rc, "no locked memory left for %s", name);
}

static bool is_true(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && strcmp(value, "true") == 0;
}

static int copy_ambient(struct source_environment *e, struct err *err)
{
    const struct {
        const char *name;
        char **ret;
    } rows[] = {
        {"CREDENTIALS_DIRECTORY", &e->credentials_directory},
        {"AWS_WEB_IDENTITY_TOKEN_FILE", &e->web_identity_token_file},
        {"AWS_ROLE_ARN", &e->role_arn},
        {"AWS_ROLE_SESSION_NAME", &e->role_session_name},
        {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", &e->container_relative_uri},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI", &e->container_full_uri},
        {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &e->container_token_file},
        {"AWS_EC2_METADATA_SERVICE_ENDPOINT", &e->imds_endpoint},
        {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", &e->imds_endpoint_mode},
    };
    int rc = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && rc == 0; i++)
        rc = copy_variable(rows[i].name, rows[i].ret, err);
    return rc;
}

static int take_secrets(struct source_environment *e, struct err *err)
{
    const struct {
        const char *name;
        struct secret *ret;
    } rows[] = {
        {"DYNAMIC_SECRET_AWS_ACCESS_KEY_ID", &e->dynamic_id},
        {"DYNAMIC_SECRET_AWS_SECRET_ACCESS_KEY", &e->dynamic_secret},
        {"AWS_CONTAINER_AUTHORIZATION_TOKEN", &e->container_token},
    };
    int rc = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && rc == 0; i++) {
        rc = take_variable(rows[i].name, rows[i].ret, err);
        unsetenv(rows[i].name);
    }
    return rc;
}

int source_environment_init(struct source_environment *environment, struct err *err)
{
    int rc;

    pthread_mutex_init(&environment->lock, NULL);
    environment->imds_disabled = is_true("AWS_EC2_METADATA_DISABLED");
    environment->irsa_enabled = is_true("KUBERNETES_AUTO_FETCH_SERVICE_ACCOUNT_TOKEN");
    rc = take_secrets(environment, err);
    return rc == 0 ? copy_ambient(environment, err) : rc;
}

void source_environment_done(struct source_environment *environment)
{
    char *strings[] = {
        environment->credentials_directory,
        environment->web_identity_token_file,
        environment->role_arn,
        environment->role_session_name,
        environment->container_relative_uri,
        environment->container_full_uri,
        environment->container_token_file,
        environment->imds_endpoint,
        environment->imds_endpoint_mode,
    };

    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
        free(strings[i]);
    for (size_t i = 0; i < environment->taken_count; i++)
        secret_done(&environment->taken[i].value);
    secret_done(&environment->container_token);
    secret_done(&environment->dynamic_id);
    secret_done(&environment->dynamic_secret);
    pthread_mutex_destroy(&environment->lock);
}

static struct source_env_value *find_taken(struct source_environment *environment, const char *name)
{
    for (size_t i = 0; i < environment->taken_count; i++)
        if (strcmp(environment->taken[i].name, name) == 0)
            return &environment->taken[i];
    return NULL;
}

/* With the lock held. The variable stays set, but empty: unsetenv() would not be safe beside other
 * threads. */
static int take_locked(struct source_environment *environment, const char *name, struct secret *ret,
                       struct err *err)
{
    struct source_env_value *taken = find_taken(environment, name);
    int rc;

    if (taken == NULL) {
        if (environment->taken_count >= SOURCE_ENV_MAX || strlen(name) > RECIPE_REF_MAX)
            return err_set(err, KMS_ESOURCE, "env:%s: too many environment references", name);
        taken = &environment->taken[environment->taken_count];
        rc = take_variable(name, &taken->value, err);
        if (rc != 0)
            return rc;
        if (secret_empty(&taken->value))
            return err_set(err, KMS_ESOURCE, "env:%s: the variable is not set or empty", name);
        strcpy(taken->name, name);
        environment->taken_count++;
    }
    rc = secret_copy(&taken->value, ret);
    return rc == 0 ? 0 : err_set(err, rc, "env:%s: no locked memory left", name);
}

int source_environment_take(struct source_environment *environment, const char *name,
                            struct secret *ret, struct err *err)
{
    int rc;

    pthread_mutex_lock(&environment->lock);
    rc = take_locked(environment, name, ret, err);
    pthread_mutex_unlock(&environment->lock);
    return rc;
}
