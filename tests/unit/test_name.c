/* SPDX-License-Identifier: Apache-2.0 */
#include "model/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define HEX "0190163d8694739bab3d7a2f3bbd2a4f"

struct check_row {
    const char *text;
    int lease_mandatory;
    const char *error; /* NULL: fine */
};

static const struct check_row checks[] = {
    {NAME_DEFAULT_USER_TEMPLATE, 1, NULL},
    {NAME_DEFAULT_SESSION_TEMPLATE, 0, NULL},
    {"{lease}", 1, NULL},
    {"a+=,.@-_{uid}-{pid}", 0, NULL},
    {"ab", 0, NULL},
    {"{secret}-{uid}", 1, "{lease} is missing: user names must be unique"},
    {"", 1, "{lease} is missing: user names must be unique"},
    {"", 0, "it can give 0 characters, AWS wants at least 2"},
    {"{uid}", 0, "it can give 1 characters, AWS wants at least 2"},
    {"kms {lease}", 1,
     "character 4 is not one that IAM takes in a name (letters, digits and _+=,.@-)"},
    {"kms/{lease}", 1,
     "character 4 is not one that IAM takes in a name (letters, digits and _+=,.@-)"},
    {"k\xc3\xa9{lease}", 1,
     "character 2 is not one that IAM takes in a name (letters, digits and _+=,.@-)"},
    {"{lease}}", 1,
     "character 8 is not one that IAM takes in a name (letters, digits and _+=,.@-)"},
    {"{Lease}", 1,
     "unknown placeholder at \"{Lease}\" (there are {secret}, {lease}, {uid} and {pid})"},
    {"{lease", 1,
     "unknown placeholder at \"{lease\" (there are {secret}, {lease}, {uid} and {pid})"},
    {"{lease}{lease}", 1, NULL},
    {"{lease}-{lease}", 1, "it can give 65 characters, IAM takes 64"},
    {"0123456789012345678901234567890{lease}{secret}", 1, NULL},
    {"01234567890123456789012345678901{lease}{secret}", 1,
     "it can give 65 characters, IAM takes 64"},
    {"{uid}{pid}{uid}{pid}{uid}{pid}{uid}", 0, "it can give 70 characters, IAM takes 64"},
};

static void check_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        struct err err = {0};
        int rc = name_template_check(checks[i].text, checks[i].lease_mandatory, &err);

        print_message("%s\n", checks[i].text);
        assert_int_equal(rc, checks[i].error == NULL ? 0 : KMS_ECONFIG);
        if (checks[i].error != NULL)
            assert_string_equal(err.message, checks[i].error);
    }
}

static void expect(const char *text, const char *secret, const char *name)
{
    struct name_facts facts = {.secret = secret, .uid = 4294967294u, .pid = 2147483647};
    char ret[IAM_USER_NAME_MAX + 1];

    assert_int_equal(uuid_parse(HEX, &facts.lease_id), 0);
    name_render(text, &facts, ret);
    assert_string_equal(ret, name);
}

static void render(void **state)
{
    static const char long_name[] =
        "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg";

    (void)state;
    expect(NAME_DEFAULT_USER_TEMPLATE, "deploy", "kms-deploy-" HEX);
    /* the secret's name is cut, the unique part never */
    expect(NAME_DEFAULT_USER_TEMPLATE, long_name, "kms-aaaaaaaaaabbbbbbbbbbccccccc-" HEX);
    expect("{secret}{secret}{lease}", long_name, "aaaaaaaaaabbbbbbaaaaaaaaaabbbbbb" HEX);
    expect("0123456789012345678901234567890{lease}{secret}", long_name,
           "0123456789012345678901234567890" HEX "a");
    expect("{uid}.{pid}", "x", "4294967294.2147483647");
    expect("k{secret}", "a b/c\xc3\xa9*", "ka_b_c___");
    expect("{lease}{lease}", "x", HEX HEX);
}

static void two_leases_never_share_a_name(void **state)
{
    struct name_facts a = {.secret = "s"}, b = {.secret = "s"};
    char name_a[IAM_USER_NAME_MAX + 1], name_b[IAM_USER_NAME_MAX + 1];

    (void)state;
    b.lease_id.bytes[15] = 1;
    name_render(NAME_DEFAULT_USER_TEMPLATE, &a, name_a);
    name_render(NAME_DEFAULT_USER_TEMPLATE, &b, name_b);
    assert_string_not_equal(name_a, name_b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_table),
        cmocka_unit_test(render),
        cmocka_unit_test(two_leases_never_share_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
