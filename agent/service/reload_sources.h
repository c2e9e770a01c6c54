/* SPDX-License-Identifier: Apache-2.0 */
/* What a reload means for leases that live: which of them were made with credentials that the new
 * configuration does not name. */
#ifndef KMS_AGENT_SERVICE_RELOAD_SOURCES_H
#define KMS_AGENT_SERVICE_RELOAD_SOURCES_H

#include "config/value_format.h"
#include "store/store.h"

/* Adds a sentence to notes for each secret of IAM users with live leases whose management
 * credentials are others, or that is gone. Without memory or store there are fewer. Workers. */
void reload_sources_note(struct store *store, const struct config *old, const struct config *new,
                         struct string_list *notes);

#endif
