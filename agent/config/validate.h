/* SPDX-License-Identifier: Apache-2.0 */
/* Tags and sizes: what AWS would refuse is refused at load. Sources: IAM and STS quotas. */
#ifndef KMS_AGENT_CONFIG_VALIDATE_H
#define KMS_AGENT_CONFIG_VALIDATE_H

#include "config/config.h"
#include "config/draft.h"

/* Keys are unique without regard to case and none is the agent's; 0, or -1 after a finding. */
int validate_tags(struct draft *draft, const char *option, const struct tag *tags, size_t count);
/* Inline policies and fence within what AWS takes for one user; session policies with the dated Deny for one session. */
void validate_sizes(struct draft *draft, const struct secret_config *secret);

#endif
