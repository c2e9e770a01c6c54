/* SPDX-License-Identifier: Apache-2.0 */
/* Given arguments (regions), it prints "region partition iam-url iam-region sts-url sts-region"
 * lines instead, for tests/integration/test_partitions.py, which compares them with botocore's
 * endpoint data. */
#include "model/partition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct row {
    const char *region, *partition, *iam, *iam_region, *sts;
};

/* Source: botocore partitions.json, endpoints.json. */
static const struct row rows[] = {
    {"us-east-1", "aws", "https://iam.amazonaws.com", "us-east-1",
     "https://sts.us-east-1.amazonaws.com"},
    {"eu-west-1", "aws", "https://iam.amazonaws.com", "us-east-1",
     "https://sts.eu-west-1.amazonaws.com"},
    {"il-central-1", "aws", "https://iam.amazonaws.com", "us-east-1",
     "https://sts.il-central-1.amazonaws.com"},
    {"cn-northwest-1", "aws-cn", "https://iam.cn-north-1.amazonaws.com.cn", "cn-north-1",
     "https://sts.cn-northwest-1.amazonaws.com.cn"},
    {"us-gov-east-1", "aws-us-gov", "https://iam.us-gov.amazonaws.com", "us-gov-west-1",
     "https://sts.us-gov-east-1.amazonaws.com"},
    {"us-iso-west-1", "aws-iso", "https://iam.us-iso-east-1.c2s.ic.gov", "us-iso-east-1",
     "https://sts.us-iso-west-1.c2s.ic.gov"},
    {"us-isob-east-1", "aws-iso-b", "https://iam.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1",
     "https://sts.us-isob-east-1.sc2s.sgov.gov"},
    {"eu-isoe-west-1", "aws-iso-e", "https://iam.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1",
     "https://sts.eu-isoe-west-1.cloud.adc-e.uk"},
    {"us-isof-east-1", "aws-iso-f", "https://iam.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1",
     "https://sts.us-isof-east-1.csp.hci.ic.gov"},
    {"eusc-de-east-1", "aws-eusc", "https://iam.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1",
     "https://sts.eusc-de-east-1.amazonaws.eu"},
};

static void table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct recipe recipe = {0};
        struct endpoint iam, sts;

        snprintf(recipe.region, sizeof(recipe.region), "%s", rows[i].region);
        assert_string_equal(partition_of_region(rows[i].region), rows[i].partition);
        assert_int_equal(endpoint_iam(&recipe, &iam), 0);
        assert_string_equal(iam.url, rows[i].iam);
        assert_string_equal(iam.signing_region, rows[i].iam_region);
        assert_int_equal(endpoint_sts(&recipe, &sts), 0);
        assert_string_equal(sts.url, rows[i].sts);
        assert_string_equal(sts.signing_region, rows[i].region);
    }
}

static void no_region(void **state)
{
    static const char *const regions[] = {
        "",
        "-",
        "--1",
        "us",
        "us-east",
        "us-east-",
        "us-east-1a",
        "us--1",
        "-east-1",
        "US-EAST-1",
        "xx-east-1",
        "us-gov-1-1-1",
        "eusc-fr-east-1",
        "eusc-de-1",
        "us-east-1/",
        "us-east-1.evil",
        "aws-global",
        "us gov-east-1",
        "eu ap-x-1",
        " us-east-1",
        "us-east-1 ",
        "us-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-1"};
    struct endpoint endpoint;

    (void)state;
    for (size_t i = 0; i < sizeof(regions) / sizeof(regions[0]); i++) {
        struct recipe recipe = {0};

        if (partition_of_region(regions[i]) != NULL)
            fail_msg("\"%s\" passed", regions[i]);
        snprintf(recipe.region, sizeof(recipe.region), "%.64s", regions[i]);
        assert_int_equal(endpoint_iam(&recipe, &endpoint), -1);
        assert_int_equal(endpoint_sts(&recipe, &endpoint), -1);
    }
}

static void overrides_keep_the_signing_region(void **state)
{
    struct recipe recipe = {.region = "us-gov-east-1",
                            .iam_endpoint = "http://127.0.0.1:5000/",
                            .sts_endpoint = "https://vpce-1.sts.example"};
    struct endpoint endpoint;

    (void)state;
    assert_int_equal(endpoint_iam(&recipe, &endpoint), 0);
    assert_string_equal(endpoint.url, "http://127.0.0.1:5000");
    assert_string_equal(endpoint.signing_region, "us-gov-west-1");
    assert_int_equal(endpoint_sts(&recipe, &endpoint), 0);
    assert_string_equal(endpoint.url, "https://vpce-1.sts.example");
    assert_string_equal(endpoint.signing_region, "us-gov-east-1");
}

static void arn_parts(void **state)
{
    char partition[16], account[AWS_ACCOUNT_MAX + 1];

    (void)state;
    assert_int_equal(arn_partition("arn:aws-cn:iam::123456789012:role/a:b", partition, 16), 0);
    assert_string_equal(partition, "aws-cn");
    assert_int_equal(arn_partition("arn:aws-cn:iam::", partition, 4), 0);
    assert_string_equal(partition, "aws"); /* cut to the size given */
    assert_int_equal(arn_partition("arn::iam::", partition, 16), -1);
    assert_int_equal(arn_partition("arn:aws", partition, 16), -1);
    assert_int_equal(arn_partition("aws:iam", partition, 16), -1);
    assert_int_equal(arn_partition("", partition, 16), -1);
    assert_int_equal(arn_account("arn:aws:iam::123456789012:role/a", account), 0);
    assert_string_equal(account, "123456789012");
    assert_int_equal(arn_account("arn:aws:iam::aws:policy/ReadOnlyAccess", account), -1);
    assert_int_equal(arn_account("arn:aws:iam::12345678901:role/a", account), -1);
    assert_int_equal(arn_account("arn:aws:iam::12345678901x:role/a", account), -1);
    assert_int_equal(arn_account("arn:aws:iam::123456789012", account), -1);
}

static int print_regions(int count, char **regions)
{
    for (int i = 0; i < count; i++) {
        struct recipe recipe = {0};
        struct endpoint iam, sts;

        snprintf(recipe.region, sizeof(recipe.region), "%s", regions[i]);
        if (endpoint_iam(&recipe, &iam) < 0 || endpoint_sts(&recipe, &sts) < 0)
            printf("%s -\n", regions[i]);
        else
            printf("%s %s %s %s %s %s\n", regions[i], partition_of_region(regions[i]), iam.url,
                   iam.signing_region, sts.url, sts.signing_region);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(no_region),
        cmocka_unit_test(overrides_keep_the_signing_region),
        cmocka_unit_test(arn_parts),
    };

    if (argc > 1)
        return print_regions(argc - 1, argv + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
