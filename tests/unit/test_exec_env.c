/* SPDX-License-Identifier: Apache-2.0 */
#include "client/exec_env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SLICE(literal)                                                                             \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

static const struct grant session = {
    .lease_id = SLICE("0190e4f2-1111-7abc-8def-0123456789ab"),
    .secret = SLICE("app"),
    .credential_type = SLICE("temporary-credentials"),
    .access_key_id = SLICE("ASIAIOSFODNN7EXAMPLE"),
    .secret_access_key = SLICE("wJalrXUtnFEMI/secret"),
    .session_token = SLICE("token=="),
    .account_id = SLICE("123456789012"),
    .region = SLICE("eu-west-1"),
    .expires_at = SLICE("2026-01-02T03:04:05Z"),
};

static struct grant iam_user(void)
{
    struct grant grant = session;

    grant.credential_type = (struct slice)SLICE("iam-user");
    grant.access_key_id = (struct slice)SLICE("AKIAIOSFODNN7EXAMPLE");
    grant.session_token = (struct slice){0};
    return grant;
}

static unsigned count_of(char *const *entries, const char *name)
{
    unsigned count = 0;
    size_t len = strlen(name);

    for (; *entries; entries++)
        count += strncmp(*entries, name, len) == 0 &&
                 ((*entries)[len] == '=' || (*entries)[len] == '\0');
    return count;
}

struct built {
    char *entries[128];
    char text[4096];
};

static void build(const struct grant *grant, char *const *inherited, struct built *ret)
{
    struct exec_env_plan plan;
    struct err err;

    exec_env_plan(grant, &plan);
    assert_true(exec_env_entries(inherited) <= 128);
    assert_int_equal(
        exec_env_build(&plan, inherited, ret->entries, ret->text, sizeof ret->text, &err), 0);
}

static void assert_value(const struct built *built, const char *name, const char *value)
{
    assert_int_equal(count_of(built->entries, name), value ? 1 : 0);
    if (value)
        assert_string_equal(exec_env_get(built->entries, name), value);
}

static void session_sets(void **state)
{
    char *inherited[] = {NULL};
    struct built built;
    (void)state;

    build(&session, inherited, &built);
    assert_value(&built, "AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE");
    assert_value(&built, "AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/secret");
    assert_value(&built, "AWS_SESSION_TOKEN", "token==");
    assert_value(&built, "AWS_REGION", "eu-west-1");
    assert_value(&built, "AWS_DEFAULT_REGION", "eu-west-1");
    assert_value(&built, "AWS_CREDENTIAL_EXPIRATION", "2026-01-02T03:04:05Z");
    assert_value(&built, "AWS_SESSION_EXPIRATION", "2026-01-02T03:04:05Z");
    assert_value(&built, "AWS_ACCOUNT_ID", "123456789012");
    assert_value(&built, "AWS_EC2_METADATA_DISABLED", "true");
    assert_value(&built, "KMS_LEASE_ID", "0190e4f2-1111-7abc-8def-0123456789ab");
    assert_null(built.entries[10]);
}

/* Every copy of every name, with and without "=", and what only resembles them stays. */
static void hygiene(void **state)
{
    char *inherited[] = {
        "PATH=/bin",
        "AWS_PROFILE=dev",
        "AWS_PROFILE=again",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE=x",
        "AWS_SECURITY_TOKEN=stale",
        "AWS_SESSION_TOKEN=stale",
        "AWS_SESSION_TOKEN=stale2",
        "AWS_CREDENTIAL_EXPIRATION=2001-01-01T00:00:00Z",
        "AWS_SESSION_EXPIRATION=2001-01-01T00:00:00Z",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/x",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1/x",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN=t",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/t",
        "AWS_WEB_IDENTITY_TOKEN_FILE=/t",
        "AWS_ROLE_ARN=arn",
        "AWS_ROLE_SESSION_NAME=n",
        "AWS_ACCOUNT_ID=999999999999",
        "AWS_ACCESS_KEY_ID=AKIAOLD",
        "AWS_ACCESS_KEY_ID=AKIAOLDER",
        "AWS_SECRET_ACCESS_KEY=old",
        "AWS_REGION=us-east-1",
        "AWS_DEFAULT_REGION=us-east-1",
        "AWS_EC2_METADATA_DISABLED=false",
        "KMS_LEASE_ID=old",
        "AWS_PROFILES=kept",
        "AWS_CA_BUNDLE=/kept",
        "AWS_ENDPOINT_URL=http://kept",
        "KMS_AGENT_SOCKET=/kept",
        "KMS_SECRET=kept",
        "odd entry",
        "PATH=/second",
        NULL,
    };
    const struct grant grant = iam_user();
    struct built built;
    (void)state;

    build(&grant, inherited, &built);
    static const char *const gone[] = {"AWS_PROFILE",
                                       "AWS_DEFAULT_PROFILE",
                                       "AWS_SECURITY_TOKEN",
                                       "AWS_SESSION_TOKEN",
                                       "AWS_CREDENTIAL_EXPIRATION",
                                       "AWS_SESSION_EXPIRATION",
                                       "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                       "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                       "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                                       "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                                       "AWS_WEB_IDENTITY_TOKEN_FILE",
                                       "AWS_ROLE_ARN",
                                       "AWS_ROLE_SESSION_NAME"};

    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++)
        assert_value(&built, gone[i], NULL);
    assert_value(&built, "AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
    assert_value(&built, "AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/secret");
    assert_value(&built, "AWS_ACCOUNT_ID", "123456789012");
    assert_value(&built, "AWS_REGION", "eu-west-1");
    assert_value(&built, "AWS_EC2_METADATA_DISABLED", "true");
    assert_value(&built, "KMS_LEASE_ID", "0190e4f2-1111-7abc-8def-0123456789ab");
    assert_value(&built, "AWS_PROFILES", "kept");
    assert_value(&built, "KMS_AGENT_SOCKET", "/kept");
    assert_value(&built, "KMS_SECRET", "kept");
    assert_int_equal(count_of(built.entries, "odd entry"), 1);
    /* the order is kept, and duplicates of what is not ours are not our business */
    assert_string_equal(built.entries[0], "PATH=/bin");
    assert_ptr_equal(built.entries[0], inherited[0]);
    assert_int_equal(count_of(built.entries, "PATH"), 2);
    assert_string_equal(exec_env_get(built.entries, "PATH"), "/bin");
}

static void absent_account_is_removed(void **state)
{
    char *inherited[] = {"AWS_ACCOUNT_ID=999999999999", "AWS_REGION=us-east-1", NULL};
    struct grant grant = session;
    struct built built;
    (void)state;

    grant.account_id = grant.region = (struct slice){0};
    build(&grant, inherited, &built);
    assert_value(&built, "AWS_ACCOUNT_ID", NULL);
    assert_value(&built, "AWS_REGION", "us-east-1");
}

static void text_is_bounded(void **state)
{
    char *inherited[] = {NULL}, *entries[EXEC_ENV_SET_MAX + 1];
    struct exec_env_plan plan;
    struct err err;
    char text[600];
    size_t need = 0;
    (void)state;

    exec_env_plan(&session, &plan);
    for (size_t i = 0; i < plan.set_count; i++)
        need += strlen(plan.set[i].name) + plan.set[i].value.len + 2;
    assert_true(need < sizeof text);
    memset(text, 0x55, sizeof text);
    assert_int_equal(exec_env_build(&plan, inherited, entries, text, need, &err), 0);
    assert_int_equal(text[need], 0x55);
    assert_int_equal(exec_env_build(&plan, inherited, entries, text, need - 1, &err), KMS_ETOOBIG);
}

static void get(void **state)
{
    char *entries[] = {"PATHX=1", "PATH", "PATH=2", "PATH=3", NULL};
    (void)state;

    assert_string_equal(exec_env_get(entries, "PATH"), "2");
    assert_null(exec_env_get(entries, "PAT"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(session_sets),
        cmocka_unit_test(hygiene),
        cmocka_unit_test(absent_account_is_removed),
        cmocka_unit_test(text_is_bounded),
        cmocka_unit_test(get),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
