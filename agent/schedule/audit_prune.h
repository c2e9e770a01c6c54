/* SPDX-License-Identifier: Apache-2.0 */
/* Deletes audit lines older than audit_retention, a bounded number at a time. Loop thread. */
#ifndef KMS_AGENT_SCHEDULE_AUDIT_PRUNE_H
#define KMS_AGENT_SCHEDULE_AUDIT_PRUNE_H

#include "store/store.h"

#include <event2/event.h>
#include <stdint.h>

struct audit_prune;

int audit_prune_new(struct event_base *base, struct store *store, int64_t retention_s,
                    struct audit_prune **ret, struct err *err) KMS_MUST_CHECK;
void audit_prune_set_retention(struct audit_prune *prune, int64_t retention_s);
/* Before store_close(); an operation under way is waited for by store_close(). */
void audit_prune_free(struct audit_prune *prune);

#endif
