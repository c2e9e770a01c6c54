/* SPDX-License-Identifier: Apache-2.0 */
#include "model/fence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ARN "arn:aws:iam::123456789012:user/kms/kms-a-1"
#define END_MS 1767323045999LL /* 2026-01-02T03:04:05.999Z: rounded down */
#define DATED                                                                                      \
    "{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\",\"Condition\":"                      \
    "{\"DateGreaterThanEquals\":{\"aws:CurrentTime\":\"2026-01-02T03:04:05Z\"}}}"
#define HEAD "{\"Version\":\"2012-10-17\",\"Statement\":["
#define ALLOW "{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}"

static void user_fence(void **state)
{
    char *document = NULL;

    (void)state;
    assert_int_equal(fence_user_document(ARN, END_MS, false, &document), 0);
    assert_string_equal(document, HEAD DATED ",{\"Effect\":\"Deny\",\"Action\":\"iam:*\","
                                             "\"Resource\":\"" ARN "\"}]}");
    free(document);
}

static void user_fence_denies_role_hops(void **state)
{
    char *document = NULL;

    (void)state;
    assert_int_equal(fence_user_document(ARN, END_MS, true, &document), 0);
    assert_string_equal(document,
                        HEAD DATED ",{\"Effect\":\"Deny\",\"Action\":\"iam:*\",\"Resource\":\"" ARN
                                   "\"},{\"Effect\":\"Deny\",\"Action\":[\"sts:AssumeRole\","
                                   "\"sts:GetFederationToken\",\"sts:GetSessionToken\"],"
                                   "\"Resource\":\"*\"}]}");
    free(document);
}

/* "${" in a path would start a policy variable and the Deny would miss the user. */
static void dollar_in_path_is_no_variable(void **state)
{
    char *document = NULL;

    (void)state;
    assert_int_equal(fence_user_document("arn:aws:iam::1:user/a${b}/x", END_MS, false, &document),
                     0);
    assert_non_null(strstr(document, "\"arn:aws:iam::1:user/a${$}{b}/x\""));
    free(document);
}

static void deny_now(void **state)
{
    char *document = NULL;

    (void)state;
    assert_int_equal(fence_deny_now_document(&document), 0);
    assert_string_equal(document,
                        HEAD "{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\"}]}");
    free(document);
}

static void session_without_policies(void **state)
{
    char *document = NULL;
    struct err err;

    (void)state;
    assert_int_equal(fence_session_document(NULL, false, END_MS, &document, &err), 0);
    assert_string_equal(document, HEAD ALLOW "," DATED "]}");
    free(document);
}

static void session_with_arns_only(void **state)
{
    char *document = NULL;
    struct err err;

    (void)state;
    assert_int_equal(fence_session_document(NULL, true, END_MS, &document, &err), 0);
    assert_string_equal(document, HEAD DATED "]}");
    free(document);
}

#define S3 "{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\"}"

static void session_with_document(void **state)
{
    static const char *const documents[] = {HEAD S3 "]}",
                                            "{\"Version\":\"2012-10-17\",\"Statement\":" S3 "}"};
    struct err err;

    (void)state;
    for (int arns = 0; arns < 2; arns++)
        for (int i = 0; i < 2; i++) {
            char *document = NULL;

            assert_int_equal(fence_session_document(documents[i], arns, END_MS, &document, &err),
                             0);
            assert_string_equal(document, HEAD S3 "," DATED "]}");
            free(document);
        }
}

static void session_document_refused(void **state)
{
    char *document = NULL;
    struct err err;

    (void)state;
    assert_int_equal(fence_session_document("{\"Version\":", false, END_MS, &document, &err),
                     KMS_EINVALID);
    assert_non_null(strstr(err.message, "the session policy is not valid JSON: "));
    assert_int_equal(fence_session_document("{\"a\":1,\"a\":2}", false, END_MS, &document, &err),
                     KMS_EINVALID);
    assert_int_equal(fence_session_document("{}", false, END_MS, &document, &err), KMS_EINVALID);
    assert_string_equal(err.message, "the session policy has no \"Statement\"");
    assert_null(document);
}

static void size_counts_characters_not_blanks(void **state)
{
    (void)state;
    assert_int_equal(fence_policy_size(""), 0);
    assert_int_equal(fence_policy_size(" \t\r\n"), 0);
    assert_int_equal(fence_policy_size("{ \"a\" : 1 }\n"), 7);
    assert_int_equal(fence_policy_size("\xc3\xa9"), 1); /* e acute: one character */
}

static void size_max_is_the_size_of_the_longest(void **state)
{
    char arn[256], *document = NULL;
    char name[65];

    (void)state;
    memset(name, 'n', 64);
    name[64] = '\0';
    for (int hop = 0; hop < 2; hop++) {
        snprintf(arn, sizeof(arn), "arn:aws-us-gov:iam::210987654321:user/kms/team/%s", name);
        assert_int_equal(fence_user_document(arn, END_MS, hop, &document), 0);
        assert_int_equal(fence_user_size_max("aws-us-gov", "/kms/team/", hop),
                         fence_policy_size(document));
        free(document);
    }
    assert_true(fence_user_size_max("aws", "/", true) < 512);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(user_fence),
        cmocka_unit_test(user_fence_denies_role_hops),
        cmocka_unit_test(dollar_in_path_is_no_variable),
        cmocka_unit_test(deny_now),
        cmocka_unit_test(session_without_policies),
        cmocka_unit_test(session_with_arns_only),
        cmocka_unit_test(session_with_document),
        cmocka_unit_test(session_document_refused),
        cmocka_unit_test(size_counts_characters_not_blanks),
        cmocka_unit_test(size_max_is_the_size_of_the_longest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
