/* SPDX-License-Identifier: Apache-2.0 */
/* Checks that look at several options, and defaults that hang on others. Reads the environment (irsa). */
#ifndef KMS_AGENT_CONFIG_CROSS_H
#define KMS_AGENT_CONFIG_CROSS_H

#include "config/config.h"
#include "config/draft.h"

/* After draft_fill() of a secret: options that do not apply, what the method needs, AWS's limits of combinations.
 * agent: the agent section's defaults, or NULL. What is wrong is reported to the draft. */
void cross_check_secret(struct draft *draft, struct secret_config *secret, const struct agent_config *agent);

#endif
