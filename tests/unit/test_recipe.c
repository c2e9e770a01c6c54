/* SPDX-License-Identifier: Apache-2.0 */
/* May a lease be renewed although the configuration is another by now? */
#include "model/recipe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct recipe made(void)
{
    return (struct recipe){
        .method = SECRET_ASSUME_ROLE,
        .type = CREDENTIAL_IAM_USER,
        .access_key_id = "credential:id",
        .secret_access_key = "credential:secret",
        .role_arn = "arn:aws:iam::123456789012:role/minter",
        .external_id = "x",
        .web_identity_token_file = "/token",
        .region = "eu-west-1",
        .path = "/kms/",
        .default_ttl_s = 60,
        .max_ttl_s = 600,
        .grant = "groups:aa policy_arns:bb",
    };
}

static void expect(const struct recipe *today, const char *option)
{
    const struct recipe frozen = made();
    const char *found = recipe_difference(&frozen, today),
               *back = recipe_difference(today, &frozen);

    if (option == NULL) {
        assert_null(found);
        assert_null(back);
        return;
    }
    assert_non_null(found);
    assert_string_equal(found, option);
    assert_string_equal(back, option);
}

#define DIFFERS(option, field, ...)                                                                \
    do {                                                                                           \
        struct recipe today = made();                                                              \
        today.field = __VA_ARGS__;                                                                 \
        expect(&today, option);                                                                    \
    } while (0)
#define TEXT_DIFFERS(option, field, text)                                                          \
    do {                                                                                           \
        struct recipe today = made();                                                              \
        snprintf(today.field, sizeof today.field, "%s", text);                                     \
        expect(&today, option);                                                                    \
    } while (0)

static void what_makes_another_credential(void **state)
{
    (void)state;
    DIFFERS("method", method, SECRET_IRSA);
    DIFFERS("credential_type", type, CREDENTIAL_SESSION);
    TEXT_DIFFERS("role_arn", role_arn, "arn:aws:iam::123456789012:role/other");
    TEXT_DIFFERS("access_key_id", access_key_id, "AKIAIOSFODNN7EXAMPLE");
    TEXT_DIFFERS("access_key_id", access_key_id, "");
    TEXT_DIFFERS("web_identity_token_file", web_identity_token_file, "/other");
    TEXT_DIFFERS("external_id", external_id, "");
    TEXT_DIFFERS("region", region, "cn-north-1");
    TEXT_DIFFERS("region", region, "mars-north-1");
    TEXT_DIFFERS("path", path, "/kms/x/");
}

static void what_does_not(void **state)
{
    const struct recipe same = made();

    (void)state;
    expect(&same, NULL);
    TEXT_DIFFERS(NULL, region, "us-east-1");
    TEXT_DIFFERS(NULL, secret_access_key, "file:/secret");
    TEXT_DIFFERS(NULL, iam_endpoint, "https://iam.example");
    TEXT_DIFFERS(NULL, sts_endpoint, "https://sts.example");
    TEXT_DIFFERS(NULL, imds_endpoint, "http://127.0.0.1:1");
    TEXT_DIFFERS(NULL, ca_file, "/ca.pem");
    DIFFERS(NULL, default_ttl_s, 61);
    DIFFERS(NULL, max_ttl_s, 601);
    DIFFERS(NULL, deny_role_hop, true); /* the fence of a renewal denies what either says */
}

static void permissions(void **state)
{
    static const struct {
        const char *grant, *option;
    } rows[] = {
        {"policy_arns:bb groups:aa", NULL},
        {"", NULL}, /* a record of an earlier version */
        {"groups:aa policy_arns:bc", "policy_arns"},
        {"groups:aaa policy_arns:bb", "groups"},
        {"groups:aa", "policy_arns"},
        {"groups:aa policy_arns:bb policy_documents:cc", "policy_documents"},
        {"groups:aa policy_arns:bb permissions_boundary:dd", "permissions_boundary"},
        {"groups:aa policy_arns:bb session_policy_arns:ee", "session_policy_arns"},
        {"groups:aa policy_arns:bb session_policy_document:ff", "session_policy_document"},
        {"groups:aa policy_arns:bb something_later:00", NULL},
        {RECIPE_GRANT_NONE, "groups"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        print_message("%s\n", rows[i].grant);
        TEXT_DIFFERS(rows[i].option, grant, rows[i].grant);
    }
}

/* Whose AWS is asked and what the lease is stay frozen; only the credentials are today's. */
static void stand_in(void **state)
{
    const struct recipe frozen = made();
    struct recipe today = made(), found;

    (void)state;
    snprintf(today.path, sizeof today.path, "/new/");
    snprintf(today.iam_endpoint, sizeof today.iam_endpoint, "https://iam.example");
    snprintf(today.sts_endpoint, sizeof today.sts_endpoint, "https://sts.example");
    snprintf(today.region, sizeof today.region, "us-east-1");
    snprintf(today.ca_file, sizeof today.ca_file, "/ca.pem");
    snprintf(today.role_arn, sizeof today.role_arn, "arn:aws:iam::123456789012:role/other");
    snprintf(today.external_id, sizeof today.external_id, "y");
    assert_false(recipe_stand_in(&frozen, &today, &found)); /* the frozen role stays */
    snprintf(today.access_key_id, sizeof today.access_key_id, "credential:new");
    assert_true(recipe_stand_in(&frozen, &today, &found));
    assert_string_equal(found.access_key_id, "credential:new");
    snprintf(found.access_key_id, sizeof found.access_key_id, "%s", frozen.access_key_id);
    assert_memory_equal(&found, &frozen, sizeof found);
    today.method = SECRET_IRSA;
    assert_true(recipe_stand_in(&frozen, &today, &found));
    assert_string_equal(found.role_arn, today.role_arn);
    assert_string_equal(found.external_id, "y");
    assert_string_equal(found.path, "/kms/");
    assert_string_equal(found.region, "eu-west-1");
    assert_string_equal(found.iam_endpoint, "");
}

/* ---- where calls go ---- */

static void ways_of_recipes(void **state)
{
    struct recipe recipe = {.method = SECRET_ASSUME_ROLE, .region = "eu-west-1"}, other = recipe;

    (void)state;
    assert_true(recipe_way(&recipe) != 0 && recipe_iam_way(&recipe) != 0);
    /* IAM has one endpoint a partition, STS one a region. */
    strcpy(other.region, "us-east-1");
    assert_int_equal(recipe_iam_way(&recipe), recipe_iam_way(&other));
    assert_int_not_equal(recipe_way(&recipe), recipe_way(&other));
    strcpy(other.region, "cn-north-1");
    assert_int_not_equal(recipe_iam_way(&recipe), recipe_iam_way(&other));
    /* Who hangs together by an endpoint does so whoever it is; the source is one for each. */
    other = recipe;
    strcpy(other.role_arn, "arn:aws:iam::123456789012:role/other");
    assert_int_equal(recipe_way(&recipe), recipe_way(&other));
    assert_int_not_equal(recipe_source_way(&recipe), recipe_source_way(&other));
    strcpy(other.iam_endpoint, "http://127.0.0.1:1");
    assert_int_not_equal(recipe_way(&recipe), recipe_way(&other));
    assert_int_not_equal(recipe_iam_way(&recipe), recipe_iam_way(&other));
    /* A metadata service that hangs is nothing to those with a key of their own. */
    other = recipe;
    strcpy(other.access_key_id, "env:ID");
    assert_int_not_equal(recipe_way(&recipe), recipe_way(&other));
    other.method = SECRET_ACCESS_KEY;
    recipe = other;
    strcpy(other.sts_endpoint, "http://127.0.0.1:1");
    assert_int_equal(recipe_way(&recipe), recipe_way(&other)); /* nor STS to IAM users by key */
    recipe.type = other.type = CREDENTIAL_SESSION;
    assert_int_not_equal(recipe_way(&recipe), recipe_way(&other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_makes_another_credential),
        cmocka_unit_test(what_does_not),
        cmocka_unit_test(permissions),
        cmocka_unit_test(stand_in),
        cmocka_unit_test(ways_of_recipes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
