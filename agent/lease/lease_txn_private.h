/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the transition files of lease/. Writer thread. */
#ifndef KMS_AGENT_LEASE_LEASE_TXN_PRIVATE_H
#define KMS_AGENT_LEASE_LEASE_TXN_PRIVATE_H

#include "store/store.h"

/* What an audit line says beside the record; each may be NULL. */
struct audit_facts {
    const struct lease_owner *actor; /* NULL: the lease's owner */
    const struct err *cause;
    const struct lease_call *call; /* that made it so */
};

/* A renewal is recorded: its fence stands, unless something earlier may yet move it. */
void txn_fence_acknowledge(struct lease *lease);

/* Puts the record and its audit line. */
int txn_put_and_audit(struct store_txn *txn, const struct lease *lease, enum audit_event event,
                      const struct audit_facts *facts, struct err *err) KMS_MUST_CHECK;

#endif
