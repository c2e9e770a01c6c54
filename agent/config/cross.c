/* SPDX-License-Identifier: Apache-2.0 */
#include "config/cross.h"

#include "common/timefmt.h"
#include "config/ownership.h"
#include "config/policy_document.h"
#include "config/validate.h"
#include "config/validate_aws.h"
#include "config/validate_text.h"
#include "model/partition.h"
#include "model/ttl.h"

#include <stdlib.h>
#include <string.h>

#define IRSA_GATE "KUBERNETES_AUTO_FETCH_SERVICE_ACCOUNT_TOKEN"

/* Whether any method goes with the option and this type, and the other way round: for the sentence.
 */
static void not_applicable(struct draft *draft, const struct option *option,
                           const struct secret_config *secret)
{
    unsigned type = secret->recipe.type;
    unsigned of_type = OPTION_PAIR(SECRET_ACCESS_KEY, type) |
                       OPTION_PAIR(SECRET_ASSUME_ROLE, type) | OPTION_PAIR(SECRET_IRSA, type);

    if ((option->applies & of_type) == 0)
        draft_finding(draft, option->name, "does not apply to credential_type \"%s\"",
                      credential_type_name(secret->recipe.type));
    else
        draft_finding(draft, option->name, "does not apply to method \"%s\"%s",
                      secret_method_name(secret->recipe.method),
                      secret->recipe.method == SECRET_ASSUME_ROLE ? " with this credential_type"
                                                                  : "");
}

static void applies_check(struct draft *draft, const struct secret_config *secret)
{
    unsigned pair = OPTION_PAIR(secret->recipe.method, secret->recipe.type);

    for (size_t i = 0; i < schema_option_count; i++) {
        const struct option *option = &schema_options[i];

        if (option->section == SECTION_SECRET && draft->line[i] != 0 &&
            (option->applies & pair) == 0)
            not_applicable(draft, option, secret);
    }
}

/* A field that the file left empty gets text, if that fits its check. */
static void default_text(struct draft *draft, const char *option, char *field, size_t size,
                         const char *text, const char *origin)
{
    const struct option *row = schema_find(SECTION_SECRET, option);
    struct err err;

    if (field[0] != '\0' || text == NULL || text[0] == '\0' || draft_has(draft, option))
        return;
    if (strlen(text) >= size || (row->check != NULL && row->check(text, &err) < 0))
        draft_finding(draft, NULL, "%s of the environment is not usable as %s", origin, option);
    else
        memcpy(field, text, strlen(text) + 1);
}

static void irsa_check(struct draft *draft, struct recipe *recipe)
{
    const char *gate = getenv(IRSA_GATE);

    if (gate == NULL || strcmp(gate, "true") != 0)
        draft_finding(draft, "method", "irsa needs " IRSA_GATE "=true in the agent's environment");
    default_text(draft, "role_arn", recipe->role_arn, sizeof(recipe->role_arn),
                 getenv("AWS_ROLE_ARN"), "AWS_ROLE_ARN");
    default_text(draft, "web_identity_token_file", recipe->web_identity_token_file,
                 sizeof(recipe->web_identity_token_file), getenv("AWS_WEB_IDENTITY_TOKEN_FILE"),
                 "AWS_WEB_IDENTITY_TOKEN_FILE");
    if (recipe->role_arn[0] == '\0' && !draft_has(draft, "role_arn"))
        draft_finding(draft, "method",
                      "irsa needs role_arn, or AWS_ROLE_ARN in the agent's environment");
    if (recipe->web_identity_token_file[0] == '\0' && !draft_has(draft, "web_identity_token_file"))
        draft_finding(draft, "method",
                      "irsa needs web_identity_token_file, or AWS_WEB_IDENTITY_TOKEN_FILE in the "
                      "agent's environment");
}

static void keys_check(struct draft *draft, const struct recipe *recipe)
{
    bool id = draft_has(draft, "access_key_id"), key = draft_has(draft, "secret_access_key");

    if (recipe->method == SECRET_ACCESS_KEY && !(id && key))
        draft_finding(draft, id ? "access_key_id" : "secret_access_key",
                      "method \"access-key\" needs access_key_id and secret_access_key");
    else if (recipe->method == SECRET_ASSUME_ROLE && id != key)
        draft_finding(draft, id ? "access_key_id" : "secret_access_key",
                      "access_key_id and secret_access_key go together: give both or neither");
    if (recipe->method == SECRET_ASSUME_ROLE && !draft_has(draft, "role_arn"))
        draft_finding(draft, "method", "\"assume-role\" needs role_arn");
}

static void ttl_check(struct draft *draft, const struct secret_config *secret)
{
    const struct recipe *recipe = &secret->recipe;
    char ttl[64], max[64];

    if (draft_is_bad(draft, "default_ttl") || draft_is_bad(draft, "max_ttl"))
        return;
    duration_format(recipe->default_ttl_s * 1000, ttl, sizeof(ttl));
    duration_format(recipe->max_ttl_s * 1000, max, sizeof(max));
    if (recipe->default_ttl_s > recipe->max_ttl_s) {
        draft_finding(draft, draft_has(draft, "default_ttl") ? "default_ttl" : "max_ttl",
                      "default_ttl (%s) is above max_ttl (%s)", ttl, max);
        return;
    }
    if (recipe->type != CREDENTIAL_SESSION || recipe->method != SECRET_ACCESS_KEY)
        return;
    if (recipe->max_ttl_s < STS_MIN_S)
        draft_finding(draft, "max_ttl", "%s is below 15m, the least that GetSessionToken gives",
                      max);
    else if (recipe->default_ttl_s < STS_MIN_S && !secret->allow_longer)
        draft_finding(draft, "default_ttl",
                      "%s is below 15m, the least that GetSessionToken gives (allow_longer = true "
                      "grants 15m instead)",
                      ttl);
}

/* An ARN must lie in the region's partition, and what is the account's own in account (may be
 * empty). */
static void arn_check(struct draft *draft, const char *option, const char *arn, const char *region,
                      const char *account)
{
    const char *wanted = partition_of_region(region);
    char partition[32], own[AWS_ACCOUNT_MAX + 1];

    if (wanted == NULL || arn_partition(arn, partition, sizeof(partition)) < 0)
        return;
    if (strcmp(partition, wanted) != 0)
        draft_finding(draft, option, "\"%.300s\" is in partition %s, but region %s is in %s", arn,
                      partition, region, wanted);
    else if (account[0] != '\0' && arn_account(arn, own) == 0 && strcmp(own, account) != 0)
        draft_finding(draft, option, "\"%.300s\" is not in account %s of role_arn", arn, account);
}

static void arns_check(struct draft *draft, const struct secret_config *secret)
{
    const struct recipe *recipe = &secret->recipe;
    char account[AWS_ACCOUNT_MAX + 1] = "";

    if (recipe->role_arn[0] != '\0') {
        arn_check(draft, "role_arn", recipe->role_arn, recipe->region, "");
        if (arn_account(recipe->role_arn, account) < 0)
            account[0] = '\0';
    }
    if (secret->permissions_boundary != NULL)
        arn_check(draft, "permissions_boundary", secret->permissions_boundary, recipe->region,
                  account);
    for (size_t i = 0; i < secret->policy_arns.count; i++)
        arn_check(draft, "policy_arns", secret->policy_arns.items[i], recipe->region, account);
    for (size_t i = 0; i < secret->session_policy_arns.count; i++)
        arn_check(draft, "session_policy_arns", secret->session_policy_arns.items[i],
                  recipe->region, account);
}

/* AWS refuses a policy that names a resource of another partition. */
static void documents_check(struct draft *draft, const struct secret_config *secret)
{
    const char *region = secret->recipe.region, *partition = partition_of_region(region);
    const char *session = secret->session_policy_document;
    struct err err;

    if (partition == NULL || draft_is_bad(draft, "policy_documents"))
        return;
    for (size_t i = 0; i < secret->policy_documents.count; i++)
        if (policy_document_check_partition(secret->policy_documents.items[i], partition, region,
                                            &err) < 0)
            draft_finding(draft, "policy_documents", "document %zu: %s", i + 1, err.message);
    if (session != NULL && policy_document_check_partition(session, partition, region, &err) < 0)
        draft_finding(draft, "session_policy_document", "%s", err.message);
}

static void inherit(char *field, size_t size, const char *text)
{
    if (field[0] == '\0' && text != NULL && strlen(text) < size)
        memcpy(field, text, strlen(text) + 1);
}

static void agent_defaults(struct recipe *recipe, const struct agent_config *agent)
{
    if (recipe->method == SECRET_ASSUME_ROLE)
        inherit(recipe->external_id, sizeof(recipe->external_id), agent->project_id);
    inherit(recipe->iam_endpoint, sizeof(recipe->iam_endpoint), agent->iam_endpoint);
    inherit(recipe->sts_endpoint, sizeof(recipe->sts_endpoint), agent->sts_endpoint);
    inherit(recipe->imds_endpoint, sizeof(recipe->imds_endpoint), agent->imds_endpoint);
    inherit(recipe->ca_file, sizeof(recipe->ca_file), agent->ca_file);
}

static void share_check(struct draft *draft, struct secret_config *secret)
{
    bool session = secret->recipe.type == CREDENTIAL_SESSION;

    if (!draft_has(draft, "share"))
        secret->share = session ? SHARE_UID : SHARE_NONE;
    else if (!session && secret->share == SHARE_UID)
        draft_finding(draft, "share",
                      "an IAM user is never shared (\"uid\" is for temporary-credentials)");
}

/* Who may change this file may vouch for any server as AWS. */
static void ca_file_check(struct draft *draft, const struct recipe *recipe)
{
    struct err err;

    if (recipe->ca_file[0] != '\0' && draft_has(draft, "ca_file") && !draft->loader->offline &&
        ownership_check_file(recipe->ca_file, &err) < 0)
        draft_finding(draft, "ca_file", "\"%s\": %s", recipe->ca_file, err.message);
}

void cross_check_secret(struct draft *draft, struct secret_config *secret,
                        const struct agent_config *agent)
{
    struct recipe *recipe = &secret->recipe;
    struct err err;

    if (check_secret_name(draft->section->name, &err) < 0)
        draft_finding(draft, NULL, "%s", err.message);
    /* Everything below hangs on these two. */
    if (draft_is_bad(draft, "method") || draft_is_bad(draft, "credential_type"))
        return;
    applies_check(draft, secret);
    if (agent != NULL)
        agent_defaults(recipe, agent);
    if (!draft_has(draft, "region"))
        draft_finding(draft, NULL, "region is missing");
    keys_check(draft, recipe);
    if (recipe->method == SECRET_IRSA)
        irsa_check(draft, recipe);
    share_check(draft, secret);
    ttl_check(draft, secret);
    arns_check(draft, secret);
    documents_check(draft, secret);
    ca_file_check(draft, recipe);
    validate_sizes(draft, secret);
}
