/* SPDX-License-Identifier: Apache-2.0 */
#include "model/recipe.h"

#include "model/partition.h"

#include <stddef.h>
#include <string.h>

static const char *const method_names[] = {
    [SECRET_ACCESS_KEY] = "access-key",
    [SECRET_ASSUME_ROLE] = "assume-role",
    [SECRET_IRSA] = "irsa",
};
static const char *const type_names[] = {
    [CREDENTIAL_IAM_USER] = "iam-user",
    [CREDENTIAL_SESSION] = "temporary-credentials",
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int name_find(const char *const *names, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], text) == 0)
            return (int)i;
    return -1;
}

const char *secret_method_name(enum secret_method method)
{
    return (size_t)method < COUNT(method_names) ? method_names[method] : "unknown";
}

const char *credential_type_name(enum credential_type type)
{
    return (size_t)type < COUNT(type_names) ? type_names[type] : "unknown";
}

int secret_method_parse(const char *text, enum secret_method *ret)
{
    int i = name_find(method_names, COUNT(method_names), text);

    if (i < 0)
        return -1;
    *ret = (enum secret_method)i;
    return 0;
}

int credential_type_parse(const char *text, enum credential_type *ret)
{
    int i = name_find(type_names, COUNT(type_names), text);

    if (i < 0)
        return -1;
    *ret = (enum credential_type)i;
    return 0;
}

const char *const recipe_grant_options[] = {
    "permissions_boundary",    "groups", "policy_arns", "policy_documents", "session_policy_arns",
    "session_policy_document",
};
const unsigned recipe_grant_option_count = COUNT(recipe_grant_options);

/* The digest of one option in a grant text: its length in *ret_len, 0: the option is not set. */
static const char *grant_find(const char *grant, const char *option, size_t *ret_len)
{
    size_t name_len = strlen(option), len;

    for (const char *at = grant; *at != '\0'; at += len + strspn(at + len, " ")) {
        len = strcspn(at, " ");
        if (len > name_len && at[name_len] == ':' && memcmp(at, option, name_len) == 0) {
            *ret_len = len - name_len - 1;
            return at + name_len + 1;
        }
    }
    *ret_len = 0;
    return "";
}

static const char *grant_difference(const char *frozen, const char *today)
{
    if (frozen[0] == '\0' || today[0] == '\0')
        return NULL;
    for (unsigned i = 0; i < recipe_grant_option_count; i++) {
        size_t len, today_len;
        const char *digest = grant_find(frozen, recipe_grant_options[i], &len);
        const char *other = grant_find(today, recipe_grant_options[i], &today_len);

        if (len != today_len || memcmp(digest, other, len) != 0)
            return recipe_grant_options[i];
    }
    return NULL;
}

/* The same words, or both none that is known. */
static bool same_partition(const char *region, const char *other)
{
    const char *partition = partition_of_region(region), *other_one = partition_of_region(other);

    if (partition == NULL || other_one == NULL)
        return strcmp(region, other) == 0;
    return strcmp(partition, other_one) == 0;
}

const char *recipe_difference(const struct recipe *frozen, const struct recipe *today)
{
    const struct {
        const char *option;
        bool same;
    } options[] = {
        {"method", frozen->method == today->method},
        {"credential_type", frozen->type == today->type},
        {"role_arn", strcmp(frozen->role_arn, today->role_arn) == 0},
        {"access_key_id", strcmp(frozen->access_key_id, today->access_key_id) == 0},
        {"web_identity_token_file",
         strcmp(frozen->web_identity_token_file, today->web_identity_token_file) == 0},
        {"external_id", strcmp(frozen->external_id, today->external_id) == 0},
        {"region", same_partition(frozen->region, today->region)},
        {"path", strcmp(frozen->path, today->path) == 0},
    };

    for (size_t i = 0; i < COUNT(options); i++)
        if (!options[i].same)
            return options[i].option;
    return grant_difference(frozen->grant, today->grant);
}

bool recipe_same_source(const struct recipe *a, const struct recipe *b)
{
    return a->method == b->method && strcmp(a->access_key_id, b->access_key_id) == 0 &&
           strcmp(a->secret_access_key, b->secret_access_key) == 0 &&
           strcmp(a->role_arn, b->role_arn) == 0 && strcmp(a->external_id, b->external_id) == 0 &&
           strcmp(a->web_identity_token_file, b->web_identity_token_file) == 0 &&
           strcmp(a->imds_endpoint, b->imds_endpoint) == 0 &&
           strcmp(a->sts_endpoint, b->sts_endpoint) == 0 && strcmp(a->region, b->region) == 0 &&
           strcmp(a->ca_file, b->ca_file) == 0;
}

bool recipe_stand_in(const struct recipe *frozen, const struct recipe *today, struct recipe *ret)
{
    *ret = *frozen;
    ret->method = today->method;
    memcpy(ret->access_key_id, today->access_key_id, sizeof ret->access_key_id);
    memcpy(ret->secret_access_key, today->secret_access_key, sizeof ret->secret_access_key);
    memcpy(ret->web_identity_token_file, today->web_identity_token_file,
           sizeof ret->web_identity_token_file);
    memcpy(ret->imds_endpoint, today->imds_endpoint, sizeof ret->imds_endpoint);
    if (frozen->method != today->method) {
        memcpy(ret->role_arn, today->role_arn, sizeof ret->role_arn);
        memcpy(ret->external_id, today->external_id, sizeof ret->external_id);
    }
    return !recipe_same_source(frozen, ret);
}
