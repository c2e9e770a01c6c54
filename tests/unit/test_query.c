/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "Action=CreateUser&Version=2010-05-08"

static void parameters_in_order(void **state)
{
    struct query query QUERY_CLEANUP;

    (void)state;
    query_init(&query, "CreateUser", "2010-05-08");
    query_add(&query, "UserName", "kms-a");
    query_add(&query, "Path", "/kms/");
    query_add(&query, "Nothing", NULL);
    query_add(&query, "Empty", "");
    query_add_int(&query, "MaxItems", -7);
    query_add_member(&query, "Tags", 1, "Key", "team");
    query_add_member(&query, "Tags", 1, "Value", "");
    query_add_member(&query, "Names", 12, NULL, "x");
    assert_int_equal(query_check(&query, NULL), 0);
    assert_string_equal(query.action, "CreateUser");
    assert_string_equal(query.body, HEAD "&UserName=kms-a&Path=%2Fkms%2F&MaxItems=-7"
                                         "&Tags.member.1.Key=team&Tags.member.1.Value="
                                         "&Names.member.12=x");
    assert_int_equal(query.len, strlen(query.body));
}

/* What strict servers re-encode and compare with what was signed. */
static void encoding(void **state)
{
    static const struct {
        const char *plain, *encoded;
    } rows[] = {
        {"AZaz09-_.~", "AZaz09-_.~"},
        {"a b", "a+b"},
        {"a+b", "a%2Bb"},
        {"*", "%2A"},
        {"'()!", "%27%28%29%21"},
        {"{\"k\":[\"v\"]}", "%7B%22k%22%3A%5B%22v%22%5D%7D"},
        {"a=b&c%d", "a%3Db%26c%25d"},
        {"Größe", "Gr%C3%B6%C3%9Fe"},
        {"日本", "%E6%97%A5%E6%9C%AC"},
        {"\x7f\t\r\n", "%7F%09%0D%0A"},
        {"@,:/?#", "%40%2C%3A%2F%3F%23"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct query query QUERY_CLEANUP;
        char expected[256] = HEAD "&N=";

        query_init(&query, "CreateUser", "2010-05-08");
        query_add(&query, "N", rows[i].plain);
        strcat(expected, rows[i].encoded);
        assert_string_equal(query.body, expected);
    }
}

static void too_large_is_told(void **state)
{
    struct query query QUERY_CLEANUP;
    char *big = malloc(100000);
    struct err err;

    (void)state;
    memset(big, 'a', 99999);
    big[99999] = '\0';
    query_init(&query, "PutUserPolicy", "2010-05-08");
    query_add(&query, "PolicyDocument", big);
    /* Room is taken for the worst case, three bytes a character. */
    assert_int_equal(query_check(&query, &err), KMS_ENOMEM);
    query_add(&query, "More", "x");
    assert_int_equal(query_check(&query, &err), KMS_ENOMEM);
    assert_non_null(strstr(err.message, "PutUserPolicy"));
    free(big);
}

static void large_document_fits(void **state)
{
    struct query query QUERY_CLEANUP;
    char *big = malloc(80001);

    (void)state;
    memset(big, '{', 80000);
    big[80000] = '\0';
    query_init(&query, "PutUserPolicy", "2010-05-08");
    query_add(&query, "PolicyDocument", big);
    assert_int_equal(query_check(&query, NULL), 0);
    assert_true(query.len > 240000);
    free(big);
}

static void member_without_value_is_a_fault(void **state)
{
    struct query query QUERY_CLEANUP;

    (void)state;
    query_init(&query, "CreateUser", "2010-05-08");
    query_add_member(&query, "Tags", 1, "Key", NULL);
    assert_int_not_equal(query_check(&query, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_in_order),
        cmocka_unit_test(encoding),
        cmocka_unit_test(too_large_is_told),
        cmocka_unit_test(large_document_fits),
        cmocka_unit_test(member_without_value_is_a_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
