/* SPDX-License-Identifier: Apache-2.0 */
#include "model/partition.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* prefixes: what comes before "-WORD-DIGITS" in a region's name, each closed by a blank.
 * iam_host and iam_region NULL: IAM is reached by region, as botocore's default rule does where it
 * has no row for the partition. */
static const struct partition {
    const char *name, *prefixes, *suffix, *iam_host, *iam_region;
} partitions[] = {
    {"aws", "us eu ap sa ca me af il mx ", "amazonaws.com", "iam.amazonaws.com", "us-east-1"},
    {"aws-cn", "cn ", "amazonaws.com.cn", "iam.cn-north-1.amazonaws.com.cn", "cn-north-1"},
    {"aws-us-gov", "us-gov ", "amazonaws.com", "iam.us-gov.amazonaws.com", "us-gov-west-1"},
    {"aws-iso", "us-iso ", "c2s.ic.gov", "iam.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"},
    {"aws-iso-b", "us-isob ", "sc2s.sgov.gov", "iam.us-isob-east-1.sc2s.sgov.gov",
     "us-isob-east-1"},
    {"aws-iso-e", "eu-isoe ", "cloud.adc-e.uk", NULL, NULL},
    {"aws-iso-f", "us-isof ", "csp.hci.ic.gov", "iam.us-isof-south-1.csp.hci.ic.gov",
     "us-isof-south-1"},
    {"aws-eusc", "eusc-de ", "amazonaws.eu", NULL, NULL},
};

static bool word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* Length of what comes before "-WORD-DIGITS", 0 if region has not that shape. */
static size_t prefix_length(const char *region)
{
    size_t i = strlen(region), end = i;

    if (i > AWS_REGION_MAX)
        return 0;
    while (i > 0 && region[i - 1] >= '0' && region[i - 1] <= '9')
        i--;
    if (i == end || i == 0 || region[i - 1] != '-')
        return 0;
    end = --i;
    while (i > 0 && word_char(region[i - 1]))
        i--;
    if (i == end || i < 2 || region[i - 1] != '-')
        return 0;
    return i - 1;
}

static bool has_prefix(const char *prefixes, const char *region, size_t length)
{
    for (const char *p = prefixes, *blank; (blank = strchr(p, ' ')) != NULL; p = blank + 1)
        if ((size_t)(blank - p) == length && memcmp(p, region, length) == 0)
            return true;
    return false;
}

static const struct partition *partition_find(const char *region)
{
    size_t length = prefix_length(region);

    for (size_t i = 0; length > 0 && i < sizeof(partitions) / sizeof(partitions[0]); i++)
        if (has_prefix(partitions[i].prefixes, region, length))
            return &partitions[i];
    return NULL;
}

const char *partition_of_region(const char *region)
{
    const struct partition *partition = partition_find(region);

    return partition == NULL ? NULL : partition->name;
}

/* host NULL: service.region.suffix; override: replaces the URL, not the signing region. */
static int endpoint_fill(struct endpoint *ret, const char *override, const char *service,
                         const struct partition *partition, const char *host, const char *region)
{
    size_t length;

    if (override[0] != '\0')
        snprintf(ret->url, sizeof(ret->url), "%s", override);
    else if (host != NULL)
        snprintf(ret->url, sizeof(ret->url), "https://%s", host);
    else
        snprintf(ret->url, sizeof(ret->url), "https://%s.%s.%s", service, region,
                 partition->suffix);
    for (length = strlen(ret->url); length > 0 && ret->url[length - 1] == '/';)
        ret->url[--length] = '\0';
    snprintf(ret->signing_region, sizeof(ret->signing_region), "%s", region);
    return 0;
}

int endpoint_iam(const struct recipe *recipe, struct endpoint *ret)
{
    const struct partition *partition = partition_find(recipe->region);

    if (partition == NULL)
        return -1;
    return endpoint_fill(ret, recipe->iam_endpoint, "iam", partition, partition->iam_host,
                         partition->iam_region != NULL ? partition->iam_region : recipe->region);
}

int endpoint_sts(const struct recipe *recipe, struct endpoint *ret)
{
    const struct partition *partition = partition_find(recipe->region);

    if (partition == NULL)
        return -1;
    return endpoint_fill(ret, recipe->sts_endpoint, "sts", partition, NULL, recipe->region);
}

/* Start of the nth colon-separated field (from 0) of an ARN and its length, or NULL. */
static const char *arn_field(const char *arn, unsigned n, size_t *ret_length)
{
    if (strncmp(arn, "arn:", 4) != 0)
        return NULL;
    for (; n > 0; n--) {
        arn = strchr(arn, ':');
        if (arn++ == NULL)
            return NULL;
    }
    *ret_length = strcspn(arn, ":");
    return arn[*ret_length] == ':' ? arn : NULL;
}

int arn_partition(const char *arn, char *ret, unsigned long size)
{
    size_t length;
    const char *field = arn_field(arn, 1, &length);

    if (field == NULL || length == 0 || size == 0)
        return -1;
    if (length >= size)
        length = size - 1;
    memcpy(ret, field, length);
    ret[length] = '\0';
    return 0;
}

int arn_account(const char *arn, char ret[AWS_ACCOUNT_MAX + 1])
{
    size_t length;
    const char *field = arn_field(arn, 4, &length);

    if (field == NULL || length != AWS_ACCOUNT_MAX ||
        strspn(field, "0123456789") != AWS_ACCOUNT_MAX)
        return -1;
    memcpy(ret, field, AWS_ACCOUNT_MAX);
    ret[AWS_ACCOUNT_MAX] = '\0';
    return 0;
}
