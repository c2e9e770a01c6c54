/* SPDX-License-Identifier: Apache-2.0 */
/* Making and freeing the snapshot of config.h; its references are counted here. */
#ifndef KMS_AGENT_CONFIG_SNAPSHOT_H
#define KMS_AGENT_CONFIG_SNAPSHOT_H

#include "config/config.h"

/* An empty snapshot with one reference and room for secrets; NULL: out of memory. */
struct config *snapshot_new(size_t secret_size);
void snapshot_secret_done(struct secret_config *secret);
void snapshot_agent_done(struct agent_config *agent);
/* Fills secret->digest; 0 or a KMS_E…. */
int snapshot_digest(struct secret_config *secret) KMS_MUST_CHECK;

#endif
