/* SPDX-License-Identifier: Apache-2.0 */
#include "client/exec_env.h"

#include <string.h>

/* Each of these makes some SDK take another credential than the one set here, or refuse it. */
const struct exec_env_removed exec_env_removed[] = {
    {"AWS_SESSION_TOKEN", true},
    {"AWS_SECURITY_TOKEN", true}, /* botocore reads it before AWS_SESSION_TOKEN */
    {"AWS_PROFILE", false},       /* the JavaScript SDK prefers it to keys */
    {"AWS_DEFAULT_PROFILE", false},
    {"AWS_CREDENTIAL_EXPIRATION", false}, /* a past one makes botocore refuse good keys */
    {"AWS_SESSION_EXPIRATION", false},
    {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", false},
    {"AWS_CONTAINER_CREDENTIALS_FULL_URI", false},
    {"AWS_CONTAINER_AUTHORIZATION_TOKEN", true},
    {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", false},
    {"AWS_WEB_IDENTITY_TOKEN_FILE", false},
    {"AWS_ROLE_ARN", false},
    {"AWS_ROLE_SESSION_NAME", false},
    {"AWS_ACCOUNT_ID", false},
    {NULL, false},
};

/* An absent value sets nothing. */
static void plan_set(struct exec_env_plan *plan, const char *name, struct slice value,
                     enum exec_env_kind kind)
{
    if (value.len > 0)
        plan->set[plan->set_count++] = (struct exec_env_variable){name, value, kind};
}

void exec_env_plan(const struct grant *grant, struct exec_env_plan *ret)
{
    static const struct slice yes = {"true", 4};

    ret->set_count = 0;
    plan_set(ret, "AWS_ACCESS_KEY_ID", grant->access_key_id, EXEC_ENV_KEY_ID);
    plan_set(ret, "AWS_SECRET_ACCESS_KEY", grant->secret_access_key, EXEC_ENV_SECRET);
    plan_set(ret, "AWS_SESSION_TOKEN", grant->session_token, EXEC_ENV_SECRET);
    plan_set(ret, "AWS_REGION", grant->region, EXEC_ENV_PLAIN);
    plan_set(ret, "AWS_DEFAULT_REGION", grant->region, EXEC_ENV_PLAIN);
    /* An IAM user's key is renewed in place: botocore would refuse it at the time told at the
     * start. */
    if (grant_is_session(grant)) {
        plan_set(ret, "AWS_CREDENTIAL_EXPIRATION", grant->expires_at, EXEC_ENV_PLAIN);
        plan_set(ret, "AWS_SESSION_EXPIRATION", grant->expires_at, EXEC_ENV_PLAIN);
    }
    plan_set(ret, "AWS_ACCOUNT_ID", grant->account_id, EXEC_ENV_PLAIN);
    plan_set(ret, "AWS_EC2_METADATA_DISABLED", yes, EXEC_ENV_PLAIN);
    plan_set(ret, "KMS_LEASE_ID", grant->lease_id, EXEC_ENV_PLAIN);
}

bool exec_env_sets(const struct exec_env_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->set_count; i++)
        if (strcmp(plan->set[i].name, name) == 0)
            return true;
    return false;
}

static bool entry_is(const char *entry, const char *name)
{
    size_t len = strlen(name);

    return strncmp(entry, name, len) == 0 && (entry[len] == '=' || entry[len] == '\0');
}

static bool entry_goes(const struct exec_env_plan *plan, const char *entry)
{
    for (size_t i = 0; i < plan->set_count; i++)
        if (entry_is(entry, plan->set[i].name))
            return true;
    for (size_t i = 0; exec_env_removed[i].name; i++)
        if (entry_is(entry, exec_env_removed[i].name))
            return true;
    return false;
}

size_t exec_env_entries(char *const *inherited)
{
    size_t count = 0;

    while (inherited[count])
        count++;
    return count + EXEC_ENV_SET_MAX + 1;
}

int exec_env_build(const struct exec_env_plan *plan, char *const *inherited, char **ret_entries,
                   char *text, size_t text_size, struct err *err)
{
    size_t count = 0;

    for (; *inherited; inherited++)
        if (!entry_goes(plan, *inherited))
            ret_entries[count++] = *inherited;
    for (size_t i = 0; i < plan->set_count; i++) {
        const struct exec_env_variable *variable = &plan->set[i];
        size_t name_len = strlen(variable->name), size = name_len + 1 + variable->value.len + 1;

        if (size > text_size)
            return err_set(err, KMS_ETOOBIG, "the credential is too large for an environment");
        memcpy(text, variable->name, name_len);
        text[name_len] = '=';
        memcpy(text + name_len + 1, variable->value.text, variable->value.len);
        text[size - 1] = '\0';
        ret_entries[count++] = text;
        text += size;
        text_size -= size;
    }
    ret_entries[count] = NULL;
    return 0;
}

const char *exec_env_get(char *const *entries, const char *name)
{
    size_t len = strlen(name);

    for (; *entries; entries++)
        if (strncmp(*entries, name, len) == 0 && (*entries)[len] == '=')
            return *entries + len + 1;
    return NULL;
}
