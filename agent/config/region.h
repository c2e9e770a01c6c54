/* SPDX-License-Identifier: Apache-2.0 */
/* The regions of AWS, to find typos: one that is not here may be new. Pure, any thread. Source:
 * botocore partitions.json and endpoints.json. */
#ifndef KMS_AGENT_CONFIG_REGION_H
#define KMS_AGENT_CONFIG_REGION_H

#include <stdbool.h>

bool region_is_known(const char *region);
/* The known region that it was probably meant to be, or NULL. */
const char *region_suggest(const char *region);

#endif
