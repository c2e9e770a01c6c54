/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/chain.h"

#include "aws/sts.h"
#include "base/thread_role.h"
#include "config/validate_aws.h"
#include "sources/accounts.h"
#include "sources/cache.h"
#include "sources/replaced.h"
#include "sources/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sources {
    char *project_id;
    struct source_environment environment;
    struct source_cache *cache;
    struct accounts accounts;
    struct replaced_keys replaced;
};

/* One source_get() under way. */
struct get {
    struct sources *sources;
    struct source_fetch fetch;
    bool force;
};

static void free_text(char **text)
{
    free(*text);
}
#define TEXT_CLEANUP __attribute__((cleanup(free_text)))

int sources_new(const char *project_id, struct sources **ret, struct err *err)
{
    struct sources *sources = calloc(1, sizeof(*sources));
    int rc;

    if (sources == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    accounts_init(&sources->accounts);
    replaced_keys_init(&sources->replaced);
    source_json_init();
    rc = source_environment_init(&sources->environment, err);
    if (rc == 0)
        rc = source_cache_new(&sources->cache, err);
    if (rc == 0 && project_id != NULL && (sources->project_id = strdup(project_id)) == NULL)
        rc = err_set(err, KMS_ENOMEM, "out of memory");
    if (rc != 0) {
        sources_free(sources);
        return rc;
    }
    *ret = sources;
    return 0;
}

void sources_free(struct sources *sources)
{
    if (sources == NULL)
        return;
    source_cache_free(sources->cache);
    source_environment_done(&sources->environment);
    accounts_done(&sources->accounts);
    replaced_keys_done(&sources->replaced);
    free(sources->project_id);
    free(sources);
}

/* ---- base credentials ---- */

static bool has_own_key(const struct recipe *recipe)
{
    return recipe->method == SECRET_ACCESS_KEY || recipe->access_key_id[0] != '\0' ||
           recipe->secret_access_key[0] != '\0';
}

static int fetch_dynamic(const struct source_environment *environment, struct aws_credential *ret,
                         struct err *err)
{
    AWS_CREDENTIAL_CLEANUP struct aws_credential read = {0};

    if (secret_empty(&environment->dynamic_id) || secret_empty(&environment->dynamic_secret) ||
        environment->dynamic_id.len > AWS_KEY_ID_MAX)
        return err_set(err, KMS_ESOURCE,
                       "DYNAMIC_SECRET_AWS_ACCESS_KEY_ID and DYNAMIC_SECRET_AWS_SECRET_ACCESS_KEY "
                       "must both be set");
    strcpy(read.access_key_id, secret_text(&environment->dynamic_id));
    if (strncmp(read.access_key_id, "ASIA", 4) == 0)
        return err_set(err, KMS_ESOURCE, "DYNAMIC_SECRET_AWS_ACCESS_KEY_ID: it is %s",
                       ACCESS_KEY_OF_SESSION);
    if (secret_copy(&environment->dynamic_secret, &read.secret_access_key) != 0)
        return err_set(err, KMS_ENOMEM, "no locked memory left for a management credential");
    aws_credential_done(ret);
    *ret = read;
    read = (struct aws_credential){0};
    return 0;
}

/* What the SDKs would find, in their order; the first that is configured decides, as there. */
static int fetch_ambient(const struct source_fetch *fetch, struct aws_credential *ret,
                         struct err *err)
{
    const struct source_environment *environment = fetch->environment;

    if (environment->web_identity_token_file != NULL && environment->role_arn != NULL)
        return source_web_identity_fetch(
            fetch, environment->role_arn, environment->web_identity_token_file,
            environment->role_session_name != NULL ? environment->role_session_name
                                                   : SOURCE_SESSION_NAME,
            ret, err);
    if (environment->container_relative_uri != NULL || environment->container_full_uri != NULL)
        return source_container_fetch(fetch, ret, err);
    if (!environment->imds_disabled)
        return source_imds_fetch(fetch, ret, err);
    return err_set(err, KMS_ESOURCE,
                   "no base credentials: the secret has no access key, DYNAMIC_SECRET_AWS_* is not "
                   "set, and there is no web identity, container or instance role");
}

static int fetch_base(void *arg, struct aws_credential *ret, struct err *err)
{
    const struct get *get = arg;
    struct source_environment *environment = &get->sources->environment;

    if (has_own_key(get->fetch.recipe))
        return source_static_key(environment, get->fetch.recipe, ret, err);
    if (!secret_empty(&environment->dynamic_id) || !secret_empty(&environment->dynamic_secret))
        return fetch_dynamic(environment, ret, err);
    return fetch_ambient(&get->fetch, ret, err);
}

/* What tells one base credential from another. */
static int base_key(const struct get *get, char **ret)
{
    const struct source_environment *environment = &get->sources->environment;
    const struct recipe *r = get->fetch.recipe;

    if (has_own_key(r))
        return asprintf(ret, "own\n%s\n%s", r->access_key_id, r->secret_access_key);
    if (!secret_empty(&environment->dynamic_id) || !secret_empty(&environment->dynamic_secret))
        return asprintf(ret, "dynamic");
    return asprintf(ret, "ambient\n%s\n%s\n%s\n%s", r->region, r->sts_endpoint, r->imds_endpoint,
                    r->ca_file);
}

static int get_base(struct get *get, bool force, struct aws_credential *ret, struct err *err)
{
    TEXT_CLEANUP char *key = NULL;
    int rc;

    if (base_key(get, &key) < 0) {
        key = NULL;
        return err_set(err, KMS_ENOMEM, "out of memory");
    }
    rc = source_cache_get(get->sources->cache, key, force, fetch_base, get, ret, err);
    if (rc == 0 &&
        has_own_key(get->fetch.recipe)) /* behind the cache: it holds from the next call */
        rc = replaced_keys_apply(&get->sources->replaced, ret, err);
    return rc;
}

/* ---- the role's session, for management ---- */

static const char *external_id_of(const struct get *get)
{
    const char *own = get->fetch.recipe->external_id;

    return own[0] != '\0' ? own : get->sources->project_id;
}

static int assume_once(struct get *get, bool force_base, struct aws_credential *ret,
                       struct aws_result *result, struct err *err)
{
    AWS_CREDENTIAL_CLEANUP struct aws_credential base = {0};
    const struct recipe *recipe = get->fetch.recipe;
    struct aws_target target = {.http = get->fetch.http, .recipe = recipe, .credential = &base};
    struct sts_session_request request = {
        .role_arn = recipe->role_arn,
        .session_name = SOURCE_SESSION_NAME,
        .external_id = external_id_of(get),
        .duration_s = SOURCE_SESSION_S,
    };
    char arn[AWS_ARN_MAX + 1];
    int rc = get_base(get, force_base, &base, err);

    return rc != 0 ? rc : sts_assume_role(&target, &request, ret, arn, result, err);
}

static int fetch_role(void *arg, struct aws_credential *ret, struct err *err)
{
    struct get *get = arg;
    struct aws_result result = {0};
    int rc = assume_once(get, get->force, ret, &result, err);

    /* The base key was replaced since it was cached: once more with what is there now. */
    if (rc != 0 && result.failure == AWS_FAILED_CREDENTIAL && !get->force)
        rc = assume_once(get, true, ret, &result, err);
    if (rc != 0)
        err_context(err, "could not assume %s", get->fetch.recipe->role_arn);
    return rc;
}

static const char *irsa_role(const struct get *get)
{
    const char *own = get->fetch.recipe->role_arn;

    return own[0] != '\0' ? own : get->sources->environment.role_arn;
}

static const char *irsa_token_file(const struct source_environment *environment,
                                   const struct recipe *recipe)
{
    return recipe->web_identity_token_file[0] != '\0' ? recipe->web_identity_token_file
                                                      : environment->web_identity_token_file;
}

static int check_irsa(const struct source_environment *environment, const struct recipe *recipe,
                      struct err *err)
{
    if (!environment->irsa_enabled)
        return err_set(err, KMS_ESOURCE,
                       "method irsa needs KUBERNETES_AUTO_FETCH_SERVICE_ACCOUNT_TOKEN=true in the "
                       "agent's environment");
    if (irsa_token_file(environment, recipe) == NULL)
        return err_set(err, KMS_ESOURCE,
                       "method irsa needs web_identity_token_file or AWS_WEB_IDENTITY_TOKEN_FILE");
    return 0;
}

static int fetch_irsa(void *arg, struct aws_credential *ret, struct err *err)
{
    struct get *get = arg;
    const struct source_environment *environment = &get->sources->environment;
    int rc = check_irsa(environment, get->fetch.recipe, err);

    if (rc != 0)
        return rc;
    if (irsa_role(get) == NULL)
        return err_set(err, KMS_ESOURCE, "method irsa needs role_arn or AWS_ROLE_ARN");
    return source_web_identity_fetch(&get->fetch, irsa_role(get),
                                     irsa_token_file(environment, get->fetch.recipe),
                                     SOURCE_SESSION_NAME, ret, err);
}

static int role_key(const struct get *get, const char *base, char **ret)
{
    const struct recipe *r = get->fetch.recipe;
    const char *external_id = external_id_of(get);

    return asprintf(ret, "role\n%s\n%s\n%s\n%s\n%s\n%s", r->role_arn,
                    external_id != NULL ? external_id : "", r->region, r->sts_endpoint, r->ca_file,
                    base);
}

static int get_role(struct get *get, struct aws_credential *ret, struct err *err)
{
    TEXT_CLEANUP char *base = NULL;
    TEXT_CLEANUP char *key = NULL;

    if (base_key(get, &base) < 0) {
        base = NULL;
        return err_set(err, KMS_ENOMEM, "out of memory");
    }
    if (role_key(get, base, &key) < 0) {
        key = NULL;
        return err_set(err, KMS_ENOMEM, "out of memory");
    }
    return source_cache_get(get->sources->cache, key, get->force, fetch_role, get, ret, err);
}

static int get_irsa(struct get *get, struct aws_credential *ret, struct err *err)
{
    const struct recipe *r = get->fetch.recipe;
    TEXT_CLEANUP char *key = NULL;

    if (asprintf(&key, "irsa\n%s\n%s\n%s\n%s\n%s", r->role_arn, r->web_identity_token_file,
                 r->region, r->sts_endpoint, r->ca_file) < 0) {
        key = NULL;
        return err_set(err, KMS_ENOMEM, "out of memory");
    }
    return source_cache_get(get->sources->cache, key, get->force, fetch_irsa, get, ret, err);
}

/* ---- what the rest of the agent calls ---- */

int source_get(struct sources *sources, struct http_client *http, const struct recipe *recipe,
               enum source_use use, bool force, struct aws_credential *ret, struct err *err)
{
    struct get get = {sources, {&sources->environment, http, recipe}, force};
    int rc;

    ASSERT_ON_WORKER();
    if (recipe->method == SECRET_IRSA)
        rc = get_irsa(&get, ret, err);
    else if (recipe->method == SECRET_ASSUME_ROLE && use == SOURCE_IAM)
        rc = get_role(&get, ret, err);
    else
        rc = get_base(&get, force, ret, err);
    if (rc == 0 && ret->account_id[0] == '\0')
        accounts_get(&sources->accounts, ret->access_key_id, ret->account_id);
    return rc;
}

int source_web_identity_token(struct sources *sources, const struct recipe *recipe,
                              struct secret *ret, struct err *err)
{
    const char *file = irsa_token_file(&sources->environment, recipe);
    int rc = check_irsa(&sources->environment, recipe, err);

    if (rc != 0)
        return rc;
    rc = source_read_file(file, SOURCE_TOKEN_FILE_MAX, false, file, ret, err);
    if (rc != 0)
        err_context(err, "web identity token");
    return rc;
}

static bool take_reference(struct sources *sources, const char *reference)
{
    SECRET_CLEANUP struct secret value = {0};

    return strncmp(reference, "env:", 4) == 0 &&
           source_environment_take(&sources->environment, reference + 4, &value, NULL) == 0;
}

bool source_take_env(struct sources *sources, const struct recipe *recipe)
{
    bool id = take_reference(sources, recipe->access_key_id);

    return take_reference(sources, recipe->secret_access_key) || id;
}

void source_set_account(struct sources *sources, const char *access_key_id, const char *account_id)
{
    accounts_set(&sources->accounts, access_key_id, account_id);
}

int source_own_key_id(struct sources *sources, const struct recipe *recipe,
                      char ret[AWS_KEY_ID_MAX + 1], struct err *err)
{
    if (!has_own_key(recipe))
        return err_set(err, KMS_EINVALID, "it has no access key of its own");
    return source_static_key_id(&sources->environment, recipe, ret, err);
}

int source_replace_key(struct sources *sources, const char *configured_id,
                       const struct aws_credential *by, const struct err *fault, struct err *err)
{
    return replaced_keys_set(&sources->replaced, configured_id, by, fault, err);
}

void source_restore_key(struct sources *sources, const char *configured_id)
{
    replaced_keys_remove(&sources->replaced, configured_id);
}

int source_seal_key(struct sources *sources, struct secret *ret, struct err *err)
{
    return source_read_credential_bytes(&sources->environment, "kms-seal-key", ret, err);
}
