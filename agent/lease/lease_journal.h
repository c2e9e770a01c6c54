/* SPDX-License-Identifier: Apache-2.0 */
/* Journal events about leases, with their MESSAGE_ID and fields. Any thread. */
#ifndef KMS_AGENT_LEASE_LEASE_JOURNAL_H
#define KMS_AGENT_LEASE_LEASE_JOURNAL_H

#include "common/log.h"
#include "model/lease.h"

/* message_id: of base/message_ids.h. lease may be NULL; secret is taken from it then when NULL; call (may be
 * NULL): to AWS, that made it so or failed. */
void lease_journal(enum log_level level, const char *message_id, const struct lease_owner *actor, const char *secret,
                   const struct lease *lease, const struct lease_call *call, const char *message);
/* The key is dead, or a session is no longer handed out, and nobody asked for it: a request has a line of its own. */
void lease_journal_end(const struct lease *lease);

#endif
