/* SPDX-License-Identifier: Apache-2.0 */
/* Policy documents: JSON in place or "@FILE", never split at commas. 0, or -1 after a finding. */
#ifndef KMS_AGENT_CONFIG_VALUE_DOCUMENT_H
#define KMS_AGENT_CONFIG_VALUE_DOCUMENT_H

#include "config/draft.h"

int value_set_document(struct draft *draft, const struct option *option, const struct parsed_value *value);
int value_set_documents(struct draft *draft, const struct option *option, const struct parsed_value *value);

#endif
