/* SPDX-License-Identifier: Apache-2.0 */
/* Durations, numbers, sizes, modes and named choices. 0, or -1 after a finding. */
#ifndef KMS_AGENT_CONFIG_VALUE_NUMBER_H
#define KMS_AGENT_CONFIG_VALUE_NUMBER_H

#include "config/draft.h"

int value_set_number(struct draft *draft, const struct option *option, const struct parsed_value *value);

#endif
