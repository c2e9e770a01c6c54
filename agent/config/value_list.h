/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of strings, rules and tags: an array, or one string split at commas. 0, or -1 after a finding. */
#ifndef KMS_AGENT_CONFIG_VALUE_LIST_H
#define KMS_AGENT_CONFIG_VALUE_LIST_H

#include "config/draft.h"

int value_set_list(struct draft *draft, const struct option *option, const struct parsed_value *value);
int value_set_rules(struct draft *draft, const struct option *option, const struct parsed_value *value);
int value_set_tags(struct draft *draft, const struct option *option, const struct parsed_value *value);

#endif
