/* SPDX-License-Identifier: Apache-2.0 */
/* The printed policies: which actions, on what, under which conditions. */
#include "model/least_policy.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ACCOUNT "123456789012"
#define ROLE "arn:aws:iam::" ACCOUNT ":role/team/Deploy"
#define BOUNDARY "arn:aws:iam::" ACCOUNT ":policy/Boundary"

static const char *const groups[] = {"readers", "writers"};
static const char *const policies[] = {"arn:aws:iam::aws:policy/ReadOnlyAccess"};
static struct recipe recipe;
static struct least_facts facts;
static struct least_policy policy;

static int set_up(void **state)
{
    (void)state;
    recipe = (struct recipe){.method = SECRET_ACCESS_KEY, .type = CREDENTIAL_IAM_USER};
    strcpy(recipe.path, "/kms/");
    facts = (struct least_facts){
        .recipe = &recipe,
        .partition = "aws",
        .account = ACCOUNT,
        .role_arn = "",
        .manager_arn = "",
        .base_arn = "",
    };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    least_policy_done(&policy);
    return 0;
}

static void with_role(enum secret_method method, enum credential_type type)
{
    recipe.method = method;
    recipe.type = type;
    facts.role_arn = facts.manager_arn = ROLE;
}

/* The document of that title for that identity; NULL if there is none. */
static json_t *document(const char *title, const char *identity)
{
    for (size_t i = 0; i < policy.document_count; i++) {
        if (strcmp(policy.documents[i].title, title) == 0 &&
            strcmp(policy.documents[i].identity, identity) == 0)
            return json_loads(policy.documents[i].policy, JSON_REJECT_DUPLICATES, NULL);
    }
    return NULL;
}

static bool holds(const json_t *value, const char *text)
{
    const json_t *item;
    size_t i;

    if (json_is_string(value))
        return strcmp(json_string_value(value), text) == 0;
    json_array_foreach(value, i, item) if (strcmp(json_string_value(item), text) == 0) return true;
    return false;
}

/* The one statement with the action; NULL if there is none, and it fails for two. */
static json_t *statement_of(json_t *json, const char *action)
{
    json_t *found = NULL, *statement;
    size_t i;

    json_array_foreach(json_object_get(json, "Statement"), i, statement)
    {
        if (!holds(json_object_get(statement, "Action"), action))
            continue;
        assert_null(found);
        found = statement;
    }
    return found;
}

static void assert_statement(json_t *json, const char *action, const char *resource)
{
    json_t *statement = statement_of(json, action);

    assert_non_null(statement);
    assert_string_equal(json_string_value(json_object_get(statement, "Effect")), "Allow");
    if (!holds(json_object_get(statement, "Resource"), resource))
        fail_msg("%s is not on %s", action, resource);
}

static const char *condition_of(json_t *json, const char *action, const char *operator_name,
                                const char *key)
{
    json_t *condition = json_object_get(statement_of(json, action), "Condition");
    json_t *value = json_object_get(json_object_get(condition, operator_name), key);

    return json_string_value(json_is_array(value) ? json_array_get(value, 0) : value);
}

static bool has_note(const char *text)
{
    for (size_t i = 0; i < policy.note_count; i++)
        if (strstr(policy.notes[i], text) != NULL)
            return true;
    return false;
}

static void make(void)
{
    assert_int_equal(least_policy_make(&facts, &policy), 0);
}

static void test_user_plain(void **state)
{
    static const char *const needed[] = {
        "iam:CreateUser",        "iam:TagUser",          "iam:PutUserPolicy",
        "iam:CreateAccessKey",   "iam:DeleteAccessKey",  "iam:ListAccessKeys",
        "iam:ListGroupsForUser", "iam:ListUserPolicies", "iam:ListAttachedUserPolicies",
        "iam:DeleteUserPolicy",  "iam:DeleteUser"};
    static const char *const unneeded[] = {"iam:AddUserToGroup",   "iam:RemoveUserFromGroup",
                                           "iam:AttachUserPolicy", "iam:DetachUserPolicy",
                                           "iam:ListUsers",        "iam:*"};
    json_t *json;

    (void)state;
    make();
    json = document("manage users", "the management user");
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        assert_statement(json, needed[i], "arn:aws:iam::" ACCOUNT ":user/kms/*");
        assert_null(json_object_get(statement_of(json, needed[i]), "Condition"));
    }
    assert_statement(json, "iam:GetUser", "arn:aws:iam::" ACCOUNT ":user/*");
    for (size_t i = 0; i < sizeof(unneeded) / sizeof(unneeded[0]); i++)
        assert_null(statement_of(json, unneeded[i]));
    json_decref(json);
    assert_int_equal(policy.document_count, 2); /* and the optional one */
    assert_true(policy.documents[1].optional);
    assert_true(has_note("permissions_boundary"));
}

static void test_user_with_everything(void **state)
{
    json_t *json;

    (void)state;
    facts.groups = groups;
    facts.group_count = 2;
    facts.policy_arns = policies;
    facts.policy_arn_count = 1;
    facts.permissions_boundary = BOUNDARY;
    make();
    json = document("manage users", "the management user");
    assert_string_equal(
        condition_of(json, "iam:CreateUser", "StringEquals", "iam:PermissionsBoundary"), BOUNDARY);
    assert_null(json_object_get(statement_of(json, "iam:PutUserPolicy"), "Condition"));
    assert_string_equal(condition_of(json, "iam:AttachUserPolicy", "ArnEquals", "iam:PolicyARN"),
                        policies[0]);
    assert_null(json_object_get(statement_of(json, "iam:DetachUserPolicy"), "Condition"));
    for (int i = 0; i < 2; i++) {
        char arn[200];

        snprintf(arn, sizeof(arn), "arn:aws:iam::" ACCOUNT ":group/%s", groups[i]);
        assert_statement(json, "iam:AddUserToGroup", arn);
        assert_statement(json, "iam:RemoveUserFromGroup", arn);
    }
    json_decref(json);
    assert_true(has_note("groups"));
    assert_false(has_note("permissions_boundary"));
}

static void test_optional(void **state)
{
    json_t *json;

    (void)state;
    facts.manager_arn = "arn:aws:iam::" ACCOUNT ":user/kms-management";
    make();
    json = document("optional", "the management user");
    assert_statement(json, "iam:ListUsers", "*");
    assert_statement(json, "iam:DeleteLoginProfile", "arn:aws:iam::" ACCOUNT ":user/kms/*");
    assert_statement(json, "iam:DeleteVirtualMFADevice", "arn:aws:iam::" ACCOUNT ":mfa/*");
    assert_statement(json, "iam:RemoveUserFromGroup", "arn:aws:iam::" ACCOUNT ":group/*");
    assert_statement(json, "iam:SimulatePrincipalPolicy", facts.manager_arn);
    assert_statement(json, "iam:DetachUserPolicy", "arn:aws:iam::" ACCOUNT ":user/kms/*");
    json_decref(json);
}

static void test_unknown_account(void **state)
{
    json_t *json;

    (void)state;
    facts.account = "";
    facts.partition = "aws-cn";
    make();
    json = document("manage users", "the management user");
    assert_statement(json, "iam:CreateUser", "arn:aws-cn:iam::*:user/kms/*");
    json_decref(json);
    assert_true(has_note("account is not known"));
}

/* A path may hold what a policy reads as a wildcard. */
static void test_path_escaped(void **state)
{
    json_t *json;
    char arn[LEAST_ARN_SIZE];

    (void)state;
    strcpy(recipe.path, "/a*b?c$d/");
    make();
    json = document("manage users", "the management user");
    assert_statement(json, "iam:CreateUser", "arn:aws:iam::" ACCOUNT ":user/a${*}b${?}c${$}d/*");
    json_decref(json);
    least_resource_arn(&facts, LEAST_USERS, 0, "bob", arn);
    assert_string_equal(arn, "arn:aws:iam::" ACCOUNT ":user/a*b?c$d/bob");
}

/* So may the path of a role. */
static void test_role_path_escaped(void **state)
{
    json_t *json;
    char arn[LEAST_ARN_SIZE];

    (void)state;
    with_role(SECRET_ASSUME_ROLE, CREDENTIAL_SESSION);
    facts.role_arn = "arn:aws:iam::" ACCOUNT ":role/a*b?c$d/minter";
    make();
    json = document("assume the role", "base credentials");
    assert_statement(json, "sts:AssumeRole",
                     "arn:aws:iam::" ACCOUNT ":role/a${*}b${?}c${$}d/minter");
    json_decref(json);
    least_resource_arn(&facts, LEAST_ROLE, 0, "x", arn);
    assert_string_equal(arn, facts.role_arn);
}

/* iam:GetRole takes a name: of another account's role it cannot tell. */
static void test_role_of_another_account(void **state)
{
    json_t *json;

    (void)state;
    with_role(SECRET_ASSUME_ROLE, CREDENTIAL_SESSION);
    facts.base_arn = "arn:aws:iam::210987654321:user/base";
    make();
    assert_true(least_role_is_foreign(&facts));
    assert_null(document("optional", "base credentials"));
    least_policy_done(&policy);
    facts.base_arn = "";
    make();
    assert_false(least_role_is_foreign(&facts));
    json = document("optional", "base credentials");
    assert_statement(json, "iam:GetRole", ROLE);
    json_decref(json);
}

static void test_root_path(void **state)
{
    json_t *json;

    (void)state;
    strcpy(recipe.path, "/");
    make();
    json = document("manage users", "the management user");
    assert_statement(json, "iam:DeleteUser", "arn:aws:iam::" ACCOUNT ":user/*");
    json_decref(json);
    assert_true(has_note("every user of the account"));
}

static void test_session_token(void **state)
{
    (void)state;
    recipe.type = CREDENTIAL_SESSION;
    make();
    assert_int_equal(policy.document_count, 0);
    assert_true(has_note("needs no permission"));
}

static void test_assume_role_session(void **state)
{
    json_t *json;

    (void)state;
    with_role(SECRET_ASSUME_ROLE, CREDENTIAL_SESSION);
    facts.external_id = "project-7";
    facts.session_tags = true;
    facts.base_arn = "arn:aws:iam::" ACCOUNT ":user/base";
    make();
    json = document("assume the role", "base credentials");
    assert_statement(json, "sts:AssumeRole", ROLE);
    assert_statement(json, "sts:TagSession", ROLE);
    json_decref(json);
    json = document("trust policy", "the role " ROLE);
    assert_string_equal(condition_of(json, "sts:AssumeRole", "StringEquals", "sts:ExternalId"),
                        "project-7");
    assert_null(json_object_get(statement_of(json, "sts:TagSession"), "Condition"));
    assert_string_equal(
        json_string_value(json_object_get(
            json_object_get(statement_of(json, "sts:AssumeRole"), "Principal"), "AWS")),
        facts.base_arn);
    json_decref(json);
    assert_null(document("manage users", "the role " ROLE));
    json = document("optional", "base credentials");
    assert_statement(json, "iam:GetRole", ROLE);
    json_decref(json);
}

static void test_assume_role_user(void **state)
{
    json_t *json;

    (void)state;
    with_role(SECRET_ASSUME_ROLE, CREDENTIAL_IAM_USER);
    make();
    json = document("manage users", "the role " ROLE);
    assert_statement(json, "iam:CreateUser", "arn:aws:iam::" ACCOUNT ":user/kms/*");
    assert_null(statement_of(json, "sts:AssumeRole"));
    json_decref(json);
    json = document("assume the role", "base credentials");
    assert_statement(json, "sts:AssumeRole", ROLE);
    assert_null(statement_of(json, "sts:TagSession"));
    json_decref(json);
    json = document("trust policy", "the role " ROLE);
    assert_null(json_object_get(statement_of(json, "sts:AssumeRole"), "Condition"));
    assert_string_equal(
        json_string_value(json_object_get(
            json_object_get(statement_of(json, "sts:AssumeRole"), "Principal"), "AWS")),
        "arn:aws:iam::" ACCOUNT ":root");
    json_decref(json);
    assert_true(has_note("base credentials are not known"));
}

static void test_irsa(void **state)
{
    json_t *json;

    (void)state;
    with_role(SECRET_IRSA, CREDENTIAL_IAM_USER);
    facts.issuer = "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC";
    facts.subject = "system:serviceaccount:shop:agent";
    facts.audience = "sts.amazonaws.com";
    make();
    json = document("trust policy", "the role " ROLE);
    assert_string_equal(condition_of(json, "sts:AssumeRoleWithWebIdentity", "StringEquals",
                                     "oidc.eks.eu-west-1.amazonaws.com/id/ABC:sub"),
                        facts.subject);
    assert_string_equal(condition_of(json, "sts:AssumeRoleWithWebIdentity", "StringEquals",
                                     "oidc.eks.eu-west-1.amazonaws.com/id/ABC:aud"),
                        facts.audience);
    assert_string_equal(
        json_string_value(json_object_get(
            json_object_get(statement_of(json, "sts:AssumeRoleWithWebIdentity"), "Principal"),
            "Federated")),
        "arn:aws:iam::" ACCOUNT ":oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC");
    json_decref(json);
    assert_null(document("assume the role", "base credentials"));
}

static void test_irsa_unknown_token(void **state)
{
    (void)state;
    with_role(SECRET_IRSA, CREDENTIAL_SESSION);
    make();
    assert_int_equal(policy.document_count, 2); /* trust, optional iam:GetRole */
    assert_true(has_note("token could not be read"));
    assert_non_null(strstr(policy.documents[0].policy, "OIDC-PROVIDER:sub"));
}

static void assert_rotation(const char *identity, const char *user)
{
    static const char *const actions[] = {"iam:GetUser", "iam:ListAccessKeys",
                                          "iam:CreateAccessKey", "iam:DeleteAccessKey"};
    json_t *json = document(LEAST_ROTATE_TITLE, identity);

    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
        assert_statement(json, actions[i], user);
    assert_int_equal(json_array_size(json_object_get(json, "Statement")), 1);
    json_decref(json);
}

/* A key of the secret's own can be replaced: by the user whose it is, on itself. */
static void test_rotate_root(void **state)
{
    (void)state;
    recipe.type = CREDENTIAL_SESSION;
    strcpy(recipe.access_key_id, "credential:id");
    facts.manager_arn = "arn:aws:iam::" ACCOUNT ":user/a*b/bob";
    make();
    assert_int_equal(policy.document_count, 1);
    assert_true(policy.documents[0].optional);
    assert_int_equal(policy.documents[0].holder, LEAST_FOR_MANAGEMENT);
    assert_rotation("the management user", "arn:aws:iam::" ACCOUNT ":user/a${*}b/bob");
}

static void test_rotate_root_of_base(void **state)
{
    (void)state;
    with_role(SECRET_ASSUME_ROLE, CREDENTIAL_IAM_USER);
    strcpy(recipe.access_key_id, "AKIAIOSFODNN7EXAMPLE");
    make();
    assert_rotation("base credentials", "arn:aws:iam::*:user/USER-NAME");
    assert_true(has_note("USER-NAME"));
    least_policy_done(&policy);
    facts.base_arn = "arn:aws:iam::210987654321:user/base";
    make();
    assert_rotation("base credentials", facts.base_arn);
    assert_false(has_note("USER-NAME"));
}

/* No key of its own, or one that ends by itself. */
static void test_no_rotation(void **state)
{
    (void)state;
    strcpy(recipe.access_key_id, "ASIAIOSFODNN7EXAMPLE");
    make();
    assert_null(document(LEAST_ROTATE_TITLE, "the management user"));
    least_policy_done(&policy);
    recipe.access_key_id[0] = '\0';
    with_role(SECRET_ASSUME_ROLE, CREDENTIAL_IAM_USER);
    make();
    assert_null(document(LEAST_ROTATE_TITLE, "base credentials"));
    assert_false(has_note("USER-NAME"));
}

static void test_holders(void **state)
{
    static const struct {
        const char *title;
        enum least_holder holder;
    } of_role[] = {{"trust policy", LEAST_FOR_TRUST},
                   {"assume the role", LEAST_FOR_MANAGEMENT},
                   {"manage users", LEAST_FOR_ROLE}};

    (void)state;
    make();
    assert_int_equal(policy.documents[0].holder, LEAST_FOR_MANAGEMENT);
    least_policy_done(&policy);
    with_role(SECRET_ASSUME_ROLE, CREDENTIAL_IAM_USER);
    make();
    for (size_t i = 0; i < sizeof(of_role) / sizeof(of_role[0]); i++) {
        assert_string_equal(policy.documents[i].title, of_role[i].title);
        assert_int_equal(policy.documents[i].holder, of_role[i].holder);
    }
}

static void test_size_note(void **state)
{
    static char names[10][129];
    static const char *many[10];

    (void)state;
    for (int i = 0; i < 10; i++) {
        memset(names[i], 'a' + i, 128);
        many[i] = names[i];
    }
    facts.groups = many;
    facts.group_count = 10;
    make();
    assert_true(has_note("managed policy"));
}

static void test_principal_arn(void **state)
{
    char arn[AWS_ARN_MAX + 1];
    bool guessed;

    (void)state;
    assert_int_equal(least_principal_arn("arn:aws:iam::" ACCOUNT ":user/a/bob", arn, &guessed), 0);
    assert_string_equal(arn, "arn:aws:iam::" ACCOUNT ":user/a/bob");
    assert_false(guessed);
    assert_int_equal(
        least_principal_arn("arn:aws-cn:sts::" ACCOUNT ":assumed-role/R/session", arn, &guessed),
        0);
    assert_string_equal(arn, "arn:aws-cn:iam::" ACCOUNT ":role/R");
    assert_true(guessed);
    assert_int_equal(least_principal_arn("arn:aws:iam::" ACCOUNT ":root", arn, &guessed), -1);
    assert_int_equal(least_principal_arn("", arn, &guessed), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_user_plain),
        TEST(test_user_with_everything),
        TEST(test_optional),
        TEST(test_unknown_account),
        TEST(test_path_escaped),
        TEST(test_role_path_escaped),
        TEST(test_role_of_another_account),
        TEST(test_root_path),
        TEST(test_session_token),
        TEST(test_assume_role_session),
        TEST(test_assume_role_user),
        TEST(test_irsa),
        TEST(test_irsa_unknown_token),
        TEST(test_rotate_root),
        TEST(test_rotate_root_of_base),
        TEST(test_no_rotation),
        TEST(test_holders),
        TEST(test_size_note),
        TEST(test_principal_arn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
