/* SPDX-License-Identifier: Apache-2.0 */
#include "model/least_policy.h"

#include "model/fence.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void json_done(json_t **json)
{
    json_decref(*json);
}
#define JSON_CLEANUP __attribute__((cleanup(json_done)))

static int note(struct least_policy *policy, const char *format, ...) KMS_PRINTF(2, 3);

static int note(struct least_policy *policy, const char *format, ...)
{
    char *text;
    va_list args;
    int n;

    if (policy->note_count == LEAST_NOTES_MAX)
        return 0;
    va_start(args, format);
    n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0)
        return KMS_ENOMEM;
    policy->notes[policy->note_count++] = text;
    return 0;
}

/* ---- statements ---- */

static json_t *resource_json(const struct least_facts *facts, enum least_resource resource)
{
    size_t count = least_resource_count(facts, resource);
    char arn[LEAST_ARN_SIZE];
    json_t *list;

    if (count == 1) {
        least_resource_arn(facts, resource, 0, NULL, arn);
        return json_string(arn);
    }
    list = json_array();
    for (size_t i = 0; i < count; i++) {
        least_resource_arn(facts, resource, i, NULL, arn);
        if (json_array_append_new(list, json_string(arn)) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* New reference; a JSON null for no condition, NULL when out of memory. */
static json_t *condition_json(const struct least_facts *facts, enum least_condition condition)
{
    json_t *arns;

    if (condition == LEAST_UNCONDITIONAL)
        return json_null();
    if (condition == LEAST_WITH_BOUNDARY)
        return json_pack("{s:{s:s}}", "StringEquals", "iam:PermissionsBoundary",
                         facts->permissions_boundary);
    arns = json_array();
    for (size_t i = 0; i < facts->policy_arn_count; i++) {
        if (json_array_append_new(arns, json_string(facts->policy_arns[i])) < 0) {
            json_decref(arns);
            return NULL;
        }
    }
    return json_pack("{s:{s:o}}", "ArnEquals", "iam:PolicyARN", arns);
}

/* One statement for all needs of the same resource and condition. */
static json_t *statement_json(const struct least_facts *facts, const struct least_need *needs,
                              size_t count, size_t first)
{
    json_t *actions JSON_CLEANUP = json_array();
    json_t *condition JSON_CLEANUP = condition_json(facts, needs[first].condition);
    json_t *statement;

    for (size_t i = first; i < count; i++) {
        if (needs[i].resource == needs[first].resource &&
            needs[i].condition == needs[first].condition &&
            json_array_append_new(actions, json_string(needs[i].action)) < 0)
            return NULL;
    }
    if (condition == NULL)
        return NULL;
    statement = json_pack("{s:s,s:O,s:o}", "Effect", "Allow", "Action", actions, "Resource",
                          resource_json(facts, needs[first].resource));
    if (statement != NULL && !json_is_null(condition) &&
        json_object_set(statement, "Condition", condition) < 0) {
        json_decref(statement);
        return NULL;
    }
    return statement;
}

static bool is_first(const struct least_need *needs, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (needs[k].resource == needs[i].resource && needs[k].condition == needs[i].condition)
            return false;
    return true;
}

/* ---- documents ---- */

/* Takes the reference of statements. */
static int add_document(struct least_policy *policy, enum least_holder holder, const char *title,
                        const char *identity, bool optional, json_t *statements)
{
    json_t *json JSON_CLEANUP =
        json_pack("{s:s,s:o}", "Version", "2012-10-17", "Statement", statements);
    struct least_document *document = &policy->documents[policy->document_count];

    if (json == NULL || policy->document_count == LEAST_DOCUMENTS_MAX)
        return KMS_ENOMEM;
    document->policy = json_dumps(json, JSON_COMPACT);
    if (document->policy == NULL)
        return KMS_ENOMEM;
    document->holder = holder;
    document->title = title;
    document->optional = optional;
    snprintf(document->identity, sizeof(document->identity), "%s", identity);
    policy->document_count++;
    return 0;
}

/* base: of the base credentials, where there are any; else of who manages users. */
static const struct part {
    enum least_part part;
    const char *title;
    bool base, optional;
} parts[] = {
    {LEAST_BASE, "assume the role", true, false},   {LEAST_MANAGE, "manage users", false, false},
    {LEAST_OPTIONAL, "optional", false, true},      {LEAST_BASE_OPTIONAL, "optional", true, true},
    {LEAST_ROTATE, LEAST_ROTATE_TITLE, true, true},
};

static int add_part(struct least_policy *policy, const struct least_facts *facts,
                    const struct part *part, const char *role)
{
    struct least_need needs[LEAST_NEEDS_MAX];
    size_t count = least_needs(facts, part->part, needs);
    bool keyed = facts->recipe->method == SECRET_ACCESS_KEY;
    json_t *statements JSON_CLEANUP = NULL;

    if (count == 0)
        return 0;
    statements = json_array();
    for (size_t i = 0; i < count; i++) {
        if (is_first(needs, i) &&
            json_array_append_new(statements, statement_json(facts, needs, count, i)) < 0)
            return KMS_ENOMEM;
    }
    return add_document(policy, part->base || keyed ? LEAST_FOR_MANAGEMENT : LEAST_FOR_ROLE,
                        part->title, part->base && !keyed ? "base credentials" : role,
                        part->optional, json_incref(statements));
}

/* ---- trust policies ---- */

static json_t *base_principal(const struct least_facts *facts)
{
    char account[AWS_ACCOUNT_MAX + 1];

    if (facts->base_arn[0] != '\0')
        return json_string(facts->base_arn);
    snprintf(account, sizeof(account), "%s",
             facts->account[0] != '\0' ? facts->account : "ACCOUNT-ID");
    return json_sprintf("arn:%s:iam::%s:root", facts->partition, account);
}

/* Session tags in a statement of their own: the external id is not known when they are judged. */
static json_t *assume_role_trust(const struct least_facts *facts)
{
    json_t *principal JSON_CLEANUP = base_principal(facts);
    json_t *first = json_pack("{s:s,s:{s:O},s:s}", "Effect", "Allow", "Principal", "AWS", principal,
                              "Action", "sts:AssumeRole");
    json_t *list JSON_CLEANUP = json_array();

    if (first != NULL && facts->external_id != NULL && facts->external_id[0] != '\0' &&
        json_object_set_new(
            first, "Condition",
            json_pack("{s:{s:s}}", "StringEquals", "sts:ExternalId", facts->external_id)) < 0) {
        json_decref(first);
        return NULL;
    }
    if (json_array_append_new(list, first) < 0)
        return NULL;
    if (facts->session_tags &&
        json_array_append_new(list, json_pack("{s:s,s:{s:O},s:s}", "Effect", "Allow", "Principal",
                                              "AWS", principal, "Action", "sts:TagSession")) < 0)
        return NULL;
    return json_incref(list);
}

static json_t *web_identity_trust(const struct least_facts *facts)
{
    bool known = facts->issuer != NULL && facts->issuer[0] != '\0';
    const char *issuer = known ? facts->issuer : "OIDC-PROVIDER";
    const char *account = facts->account[0] != '\0' ? facts->account : "ACCOUNT-ID";
    json_t *equals JSON_CLEANUP = NULL;
    json_t *statement;

    if (strncmp(issuer, "https://", 8) == 0)
        issuer += 8;
    equals = json_pack("{s+:s,s+:s}", issuer, ":aud", known ? facts->audience : "sts.amazonaws.com",
                       issuer, ":sub",
                       known ? facts->subject : "system:serviceaccount:NAMESPACE:SERVICE-ACCOUNT");
    statement = json_pack(
        "{s:s,s:{s:o},s:s,s:{s:O}}", "Effect", "Allow", "Principal", "Federated",
        json_sprintf("arn:%s:iam::%s:oidc-provider/%s", facts->partition, account, issuer),
        "Action", "sts:AssumeRoleWithWebIdentity", "Condition", "StringEquals", equals);
    return json_pack("[o]", statement);
}

static int add_trust(struct least_policy *policy, const struct least_facts *facts,
                     const char *identity)
{
    if (facts->recipe->method == SECRET_ACCESS_KEY)
        return 0;
    return add_document(policy, LEAST_FOR_TRUST, "trust policy", identity, false,
                        facts->recipe->method == SECRET_IRSA ? web_identity_trust(facts)
                                                             : assume_role_trust(facts));
}

/* ---- notes ---- */

static bool has_rotation(const struct least_policy *policy)
{
    for (size_t i = 0; i < policy->document_count; i++)
        if (strcmp(policy->documents[i].title, LEAST_ROTATE_TITLE) == 0)
            return true;
    return false;
}

static int note_unknowns(struct least_policy *policy, const struct least_facts *facts)
{
    enum secret_method method = facts->recipe->method;
    int rc = 0;

    if (facts->account[0] == '\0')
        rc = note(policy, "the account is not known yet: \"*\" or ACCOUNT-ID stands for it; ask "
                          "again when the management credentials work");
    if (rc == 0 && method != SECRET_ACCESS_KEY && facts->role_arn[0] == '\0')
        rc = note(policy, "the role is the one in the agent's AWS_ROLE_ARN, and is not known yet");
    if (rc == 0 && method == SECRET_ASSUME_ROLE && facts->base_arn[0] == '\0')
        rc = note(policy, "the base credentials are not known yet: the trust policy names their "
                          "whole account; name the user or role instead");
    if (rc == 0 && method == SECRET_IRSA && (facts->issuer == NULL || facts->issuer[0] == '\0'))
        rc = note(policy, "the web identity token could not be read: replace OIDC-PROVIDER, "
                          "NAMESPACE and SERVICE-ACCOUNT in the trust policy");
    if (rc == 0 && has_rotation(policy) && least_key_owner(facts)[0] == '\0')
        rc = note(policy, "whose access key it is is not known yet: USER-NAME stands for that user "
                          "in what rotate-root needs");
    return rc;
}

static int note_users(struct least_policy *policy, const struct least_facts *facts)
{
    int rc;

    if (facts->recipe->type != CREDENTIAL_IAM_USER)
        return 0;
    rc =
        note(policy, "iam:GetUser is for every user, as AWS knows no path for a user that does not "
                     "exist: so the agent can tell a deleted user from a missing permission");
    if (rc == 0 && strcmp(facts->recipe->path, "/") == 0)
        rc = note(policy, "the path is \"/\": the policy reaches every user of the account; give "
                          "the secret a path of its own");
    if (rc == 0 && facts->permissions_boundary == NULL)
        rc = note(policy, "without permissions_boundary whoever holds this policy can give a user "
                          "any permission");
    if (rc == 0 && facts->group_count > 0)
        rc = note(policy, "the groups are taken to have the path \"/\"; put the path of another "
                          "one before its name");
    return rc;
}

static int note_sessions(struct least_policy *policy, const struct least_facts *facts)
{
    if (facts->recipe->type != CREDENTIAL_SESSION)
        return 0;
    if (facts->recipe->method == SECRET_ACCESS_KEY)
        return note(policy, "sts:GetSessionToken needs no permission; the sessions may do what the "
                            "user of the key may do, but without IAM");
    return note(policy, "what the sessions may do is the role's own policies, which are not "
                        "printed here");
}

static int note_size(struct least_policy *policy, const struct least_facts *facts,
                     const struct least_document *document)
{
    bool user = facts->recipe->method == SECRET_ACCESS_KEY;
    size_t size = fence_policy_size(document->policy);
    size_t quota = user ? LEAST_USER_QUOTA : LEAST_ROLE_QUOTA;

    if (size > LEAST_MANAGED_QUOTA)
        return note(policy,
                    "\"%s\" has %zu characters, more than the %d of a managed policy: "
                    "split it by its statements",
                    document->title, size, LEAST_MANAGED_QUOTA);
    if (size > quota)
        return note(policy,
                    "\"%s\" has %zu characters, more than the %zu of inline policies: make "
                    "it a managed policy",
                    document->title, size, quota);
    return 0;
}

/* ---- all of it ---- */

static void role_identity(const struct least_facts *facts, char *ret, size_t size)
{
    if (facts->recipe->method == SECRET_ACCESS_KEY)
        snprintf(ret, size, "the management user");
    else
        snprintf(ret, size, "the role %s",
                 facts->role_arn[0] != '\0' ? facts->role_arn : "in AWS_ROLE_ARN");
}

int least_policy_make(const struct least_facts *facts, struct least_policy *ret)
{
    char identity[AWS_ARN_MAX + 40];
    int rc;

    *ret = (struct least_policy){0};
    role_identity(facts, identity, sizeof(identity));
    rc = add_trust(ret, facts, identity);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && rc == 0; i++)
        rc = add_part(ret, facts, &parts[i], identity);
    if (rc == 0)
        rc = note_unknowns(ret, facts);
    if (rc == 0)
        rc = note_users(ret, facts);
    if (rc == 0)
        rc = note_sessions(ret, facts);
    for (size_t i = 0; i < ret->document_count && rc == 0; i++)
        rc = ret->documents[i].optional ? 0 : note_size(ret, facts, &ret->documents[i]);
    return rc;
}

void least_policy_done(struct least_policy *policy)
{
    for (size_t i = 0; i < policy->document_count; i++)
        free(policy->documents[i].policy);
    for (size_t i = 0; i < policy->note_count; i++)
        free(policy->notes[i]);
    *policy = (struct least_policy){0};
}

int least_principal_arn(const char *identity_arn, char ret[AWS_ARN_MAX + 1], bool *ret_guessed)
{
    const char *user = strstr(identity_arn, ":user/");
    const char *session = strstr(identity_arn, ":assumed-role/");
    const char *sts = strstr(identity_arn, ":sts::");
    size_t name;

    if (user != NULL && strlen(identity_arn) <= AWS_ARN_MAX) {
        strcpy(ret, identity_arn);
        *ret_guessed = false;
        return 0;
    }
    if (session == NULL || sts == NULL || sts > session)
        return -1;
    name = strcspn(session + 14, "/");
    snprintf(ret, AWS_ARN_MAX + 1, "%.*s:iam::%.*s:role/%.*s", (int)(sts - identity_arn),
             identity_arn, (int)(session - sts - 6), sts + 6, (int)(name > 64 ? 64 : name),
             session + 14);
    *ret_guessed = true;
    return 0;
}
