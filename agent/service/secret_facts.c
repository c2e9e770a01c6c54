/* SPDX-License-Identifier: Apache-2.0 */
#include "service/secret_facts.h"

#include "lease/identity.h"
#include "model/least_policy.h"
#include "model/partition.h"

#include <stdio.h>
#include <string.h>

static void fill_configured(const struct secret_config *secret, struct secret_facts *ret)
{
    const struct recipe *recipe = &secret->recipe;
    const char *partition = partition_of_region(recipe->region);

    if (recipe->method != SECRET_ACCESS_KEY) {
        strcpy(ret->role_arn, recipe->role_arn);
        strcpy(ret->manager_arn, recipe->role_arn);
        (void)arn_account(recipe->role_arn, ret->account);
    }
    ret->facts = (struct least_facts){
        .recipe = recipe,
        .partition = partition != NULL ? partition : "aws",
        .account = ret->account,
        .role_arn = ret->role_arn,
        .manager_arn = ret->manager_arn,
        .base_arn = ret->base_arn,
        .external_id = recipe->external_id,
        .permissions_boundary = secret->permissions_boundary,
        .groups = (const char *const *)secret->groups.items,
        .group_count = secret->groups.count,
        .policy_arns = (const char *const *)secret->policy_arns.items,
        .policy_arn_count = secret->policy_arns.count,
        .session_tags = secret->session_tag_count > 0,
        .issuer = ret->claims.issuer,
        .subject = ret->claims.subject,
        .audience = ret->claims.audience,
    };
}

static int ask_identity(struct lease_env *env, struct lease_worker *worker,
                        const struct recipe *recipe, struct sts_identity *ret, struct err *err)
{
    AWS_CREDENTIAL_CLEANUP struct aws_credential credential = {0};
    struct aws_target target = {.http = worker->http, .recipe = recipe, .credential = &credential};
    int rc = source_get(env->sources, worker->http, recipe, SOURCE_BASE, false, &credential, err);

    return rc != 0 ? rc : identity_of(env, &target, ret, err);
}

/* The identity is the base's for assume-role, else the one that manages users. */
static void fill_identity(const struct sts_identity *identity, struct secret_facts *ret)
{
    char arn[AWS_ARN_MAX + 1];
    bool guessed;

    if (least_principal_arn(identity->arn, arn, &guessed) != 0)
        arn[0] = '\0';
    if (ret->facts.recipe->method == SECRET_ASSUME_ROLE) {
        strcpy(ret->base_arn, arn);
        return;
    }
    snprintf(ret->account, sizeof(ret->account), "%s", identity->account_id);
    if (ret->facts.recipe->method == SECRET_ACCESS_KEY) {
        strcpy(ret->manager_arn, arn);
    } else if (ret->role_arn[0] == '\0') {
        strcpy(ret->role_arn, arn);
        strcpy(ret->manager_arn, arn);
        ret->role_guessed = guessed;
    }
}

void secret_facts_gather(struct lease_env *env, struct lease_worker *worker,
                         const struct secret_config *secret, struct secret_facts *ret,
                         struct err *err)
{
    struct sts_identity identity = {0};
    struct err ignored = {0};

    *ret = (struct secret_facts){0};
    fill_configured(secret, ret);
    if (secret->recipe.method == SECRET_IRSA &&
        source_web_identity_claims(env->sources, &secret->recipe, &ret->claims, &ignored) != 0)
        ret->claims = (struct web_identity_claims){0};
    if (ask_identity(env, worker, &secret->recipe, &identity, err) == 0)
        fill_identity(&identity, ret);
}
