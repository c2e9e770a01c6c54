/* SPDX-License-Identifier: Apache-2.0 */
/* Leases that have ended and whose credential may still work: read from the due index, so that it
 * is right whatever the agent is doing, and right after a start. */
#ifndef KMS_AGENT_LEASE_OVERDUE_H
#define KMS_AGENT_LEASE_OVERDUE_H

#include "store/store.h"

struct overdue {
    uint64_t count;    /* IAM users past the end of their lease (or revoked) with a live key */
    int64_t oldest_ms; /* since the oldest of them had to end, 0 = none */
};

/* Looks at scan_max due rows at most. 0 or KMS_ESTORE. Workers; the loop for a few hundred. */
int overdue_read(struct store *store, size_t scan_max, struct overdue *ret,
                 struct err *err) KMS_MUST_CHECK;

#endif
