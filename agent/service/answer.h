/* SPDX-License-Identifier: Apache-2.0 */
/* The maps of answers (PROTOCOL.md). Pure; any thread. */
#ifndef KMS_AGENT_SERVICE_ANSWER_H
#define KMS_AGENT_SERVICE_ANSWER_H

#include "aws/credential.h"
#include "config/config.h"
#include "model/audit.h"
#include "model/lease.h"
#include "service/wire.h"

/* A page of a list ends when it is this long: 16 of them in flight stay a few MiB. */
#define ANSWER_PAGE_BYTES 131072

/* lease.issue and lease.renew: pairs into the open map. credential may be NULL or empty (no keys are given then);
 * region may be empty. */
struct answer_credential {
    const struct lease *lease;
    const struct aws_credential *credential;
    const char *region;
};
void answer_put_credential(struct wire_writer *writer, const struct answer_credential *answer);
/* Its two parts: what is the same for all requests that a session is handed to, and what is not. */
void answer_put_session(struct wire_writer *writer, const struct answer_credential *answer);
void answer_put_region(struct wire_writer *writer, const struct lease *lease, const char *region);
/* lease.get and a row of lease.list: a map. key as for wire_open_map(). */
void answer_put_lease(struct wire_writer *writer, const struct lease *lease);
/* {lease_id, state, ends_at?}, as pairs: into the open map. */
void answer_put_revoked(struct wire_writer *writer, const struct lease *lease);
/* secret.get and a row of secret.list: pairs into the open map. */
void answer_put_secret_config(struct wire_writer *writer, const struct secret_config *secret, uint64_t live_leases);
/* A row of audit.list: a map. */
void answer_put_audit(struct wire_writer *writer, const struct audit *audit);
/* When a session that is no longer handed out ends by itself; 0: it does not apply. */
int64_t answer_ends_ms(const struct lease *lease);

#endif
