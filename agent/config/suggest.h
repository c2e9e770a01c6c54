/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean …?" Pure, any thread. */
#ifndef KMS_AGENT_CONFIG_SUGGEST_H
#define KMS_AGENT_CONFIG_SUGGEST_H

#include <stddef.h>

/* How many letters were inserted, lost, wrong or swapped with the next one (optimal string
 * alignment); SIZE_MAX for names of more than 32 characters. */
size_t suggest_distance(const char *a, const char *b);

#endif
