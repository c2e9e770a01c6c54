/* SPDX-License-Identifier: Apache-2.0 */
/* AWS partitions and endpoints. Pure. Source: botocore partitions.json and endpoints.json. */
#ifndef KMS_AGENT_MODEL_PARTITION_H
#define KMS_AGENT_MODEL_PARTITION_H

#include "model/recipe.h"

struct endpoint {
    char url[RECIPE_URL_MAX + 1];            /* "https://sts.eu-west-1.amazonaws.com", no trailing slash */
    char signing_region[AWS_REGION_MAX + 1]; /* region of the credential scope */
};

/* Partition name of a region ("aws-cn"), NULL if no partition has it. */
const char *partition_of_region(const char *region);
/* Endpoint of a service for a region, with the recipe's override when it has one. 0 or -1 (unknown region). */
int endpoint_iam(const struct recipe *recipe, struct endpoint *ret);
int endpoint_sts(const struct recipe *recipe, struct endpoint *ret);
/* Partition part of an ARN into ret (cut to size); 0 or -1 if it is no ARN. */
int arn_partition(const char *arn, char *ret, unsigned long size);
/* Account part of an ARN (12 digits) into ret; 0 or -1. */
int arn_account(const char *arn, char ret[AWS_ACCOUNT_MAX + 1]);

#endif
