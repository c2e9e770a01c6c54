/* SPDX-License-Identifier: Apache-2.0 */
/* What is allowed but worth a word. Pure. */
#ifndef KMS_AGENT_CONFIG_WARN_H
#define KMS_AGENT_CONFIG_WARN_H

#include "config/config.h"

/* Appends one sentence each to config->warnings; 0 or KMS_ENOMEM. */
int warn_collect(struct config *config) KMS_MUST_CHECK;

#endif
