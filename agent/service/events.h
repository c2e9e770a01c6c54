/* SPDX-License-Identifier: Apache-2.0 */
/* Journal events of requests, with their MESSAGE_ID and fields. Loop thread. */
#ifndef KMS_AGENT_SERVICE_EVENTS_H
#define KMS_AGENT_SERVICE_EVENTS_H

#include "common/log.h"
#include "model/audit.h"
#include "store/store.h"

/* message_id: of base/message_ids.h. lease may be NULL; secret is taken from it then when NULL; call (may be
 * NULL): to AWS, that made it so or failed. */
void events_log(enum log_level level, const char *message_id, const struct lease_owner *actor, const char *secret,
                const struct lease *lease, const struct lease_call *call, const char *message);
/* The call that failed. */
void events_call_of(const struct err *err, struct lease_call *ret);
/* Appends a line to the audit log some time soon; lost if memory or the store fails (the journal has it then). */
void events_audit(struct store *store, const struct audit *audit);

#endif
