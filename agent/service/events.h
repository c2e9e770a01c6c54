/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of the audit log that are nobody's transaction. Loop thread. */
#ifndef KMS_AGENT_SERVICE_EVENTS_H
#define KMS_AGENT_SERVICE_EVENTS_H

#include "model/audit.h"
#include "store/store.h"

/* The call that failed. */
void events_call_of(const struct err *err, struct lease_call *ret);
/* Appends a line to the audit log some time soon; lost if memory or the store fails (the journal has it then). */
void events_audit(struct store *store, const struct audit *audit);

#endif
