/* SPDX-License-Identifier: Apache-2.0 */
/* What of a secret decides the permissions of its credentials, as digests: they are frozen into each lease
 * (recipe.grant), since the documents themselves would be too much for its record. Any thread. */
#ifndef KMS_AGENT_CONFIG_GRANT_H
#define KMS_AGENT_CONFIG_GRANT_H

#include "config/config.h"

/* Fills secret->recipe.grant; the order of a list does not count. 0, KMS_ENOMEM or KMS_EINTERNAL. */
int grant_digest(struct secret_config *secret) KMS_MUST_CHECK;

#endif
