/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the transition files of lease/. Writer thread. */
#ifndef KMS_AGENT_LEASE_LEASE_TXN_PRIVATE_H
#define KMS_AGENT_LEASE_LEASE_TXN_PRIVATE_H

#include "store/store.h"

/* Puts the record and its audit line; actor NULL: the lease's owner; cause NULL: no error. */
int txn_put_and_audit(struct store_txn *txn, const struct lease *lease, enum audit_event event,
                      const struct lease_owner *actor, const struct err *cause,
                      struct err *err) KMS_MUST_CHECK;

#endif
