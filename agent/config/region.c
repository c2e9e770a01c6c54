/* SPDX-License-Identifier: Apache-2.0 */
#include "config/region.h"

#include "config/suggest.h"

#include <string.h>

#define TYPO_MAX 2 /* letters */

/* clang-format off */
static const char *const regions[] = {
    "us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "ca-west-1", "mx-central-1", "sa-east-1",
    "eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2",
    "ap-east-1", "ap-east-2", "ap-south-1", "ap-south-2", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3",
    "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6",
    "ap-southeast-7", "af-south-1", "il-central-1", "me-central-1", "me-south-1",
    "cn-north-1", "cn-northwest-1", "us-gov-east-1", "us-gov-west-1", "us-iso-east-1", "us-iso-west-1",
    "us-isob-east-1", "us-isob-west-1", "eu-isoe-west-1", "us-isof-east-1", "us-isof-south-1", "eusc-de-east-1",
};
/* clang-format on */
#define REGIONS (sizeof(regions) / sizeof(regions[0]))

bool region_is_known(const char *region)
{
    for (size_t i = 0; i < REGIONS; i++)
        if (strcmp(regions[i], region) == 0)
            return true;
    return false;
}

const char *region_suggest(const char *region)
{
    size_t best = TYPO_MAX + 1;
    const char *guess = NULL;

    for (size_t i = 0; i < REGIONS; i++) {
        size_t distance = suggest_distance(region, regions[i]);

        if (distance < best) {
            best = distance;
            guess = regions[i];
        }
    }
    return guess;
}
