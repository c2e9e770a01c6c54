/* SPDX-License-Identifier: Apache-2.0 */
/* Values by type: from what was parsed into the configuration. */
#ifndef KMS_AGENT_CONFIG_VALUE_H
#define KMS_AGENT_CONFIG_VALUE_H

#include "config/draft.h"

/* Checks the value against its row and stores it in draft->target; 0, or -1 after a finding. */
int value_set(struct draft *draft, const struct option *option, const struct parsed_value *value);
/* Stores the row's default, nothing when it has none. */
void value_set_default(struct draft *draft, const struct option *option);

/* For the value_*.c files. The field of draft->target that the row stores in: */
void *value_field(const struct draft *draft, const struct option *option);
/* Report "wants WHAT" or "out of memory"; -1. */
int value_wants(struct draft *draft, const struct option *option, const char *what);
int value_out_of_memory(struct draft *draft, const struct option *option);
/* A string that is not empty, clean and of the row's shape; 0, or -1 after a finding. */
int value_text_check(struct draft *draft, const struct option *option, const char *text);

#endif
