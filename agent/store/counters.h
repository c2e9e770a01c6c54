/* SPDX-License-Identifier: Apache-2.0 */
/* Exact counts of live leases, in step with the lease table, so that nothing is ever counted by a
 * scan. Table counter: "s" secret → count, "u" 4-byte big-endian uid → count, "t" → the totals.
 * Counts are 8-byte big-endian; rows of secrets and uids go at 0. */
#ifndef KMS_AGENT_STORE_COUNTERS_H
#define KMS_AGENT_STORE_COUNTERS_H

#include "store/txn.h"

/* Of live leases, by state; stuck ones are in their state too. */
struct counter_totals {
    uint64_t live, issuing, active, revoking, stuck;
};

/* Replaces what a lease counts for; NULL: no lease before, or after. */
int counters_move(struct store_txn *txn, const struct lease *old, const struct record_derived *was,
                  const struct lease *new, const struct record_derived *is,
                  struct err *err) KMS_MUST_CHECK;
int counters_totals(struct store_txn *txn, struct counter_totals *ret,
                    struct err *err) KMS_MUST_CHECK;

#endif
