/* SPDX-License-Identifier: Apache-2.0 */
/* Revocations without a record: when the store has no room (disk or map full), keys die on time all
 * the same. The transition is made on a copy and held in memory (store_hold()); phase one goes on,
 * for it may be done twice without harm, and the durable record, still with its due row, has it
 * done again after a restart. Clean-up waits for the record. The scheduler writes what is held
 * every second, before anything else. */
#ifndef KMS_AGENT_LEASE_HELD_H
#define KMS_AGENT_LEASE_HELD_H

#include "lease/claim.h"
#include "lease/lease_txn.h"

/* Begins a revocation in memory, as lease_txn_begin_revoke() does in the store; err is cleared. Any
 * thread. 0 with *ret, KMS_ENOLEASE, KMS_EREFUSED, KMS_ENOMEM, KMS_ESTORE. */
int held_begin(struct lease_env *env, const struct revoke_begin *begin, struct lease *ret,
               struct err *err) KMS_MUST_CHECK;
/* Holds the progress of a revocation; recorded: its record says REVOKING already. Clears err. */
int held_keep(struct lease_env *env, const struct lease *lease, bool recorded,
              struct err *err) KMS_MUST_CHECK;
/* Writes what is held of a lease. 0 (also when nothing is), KMS_ESTOREFULL … Workers. */
int held_write(struct lease_env *env, const struct uuid *id, struct err *err) KMS_MUST_CHECK;

/* ---- in a claim ---- */
/* Writes what is held, at most claim->max, into claim->written. Writer thread. */
int held_apply(struct store_txn *txn, struct claim *claim, struct err *err) KMS_MUST_CHECK;
/* The claim was committed: forgets what it wrote. Any thread. */
void held_written(struct claim *claim);
/* Takes what is due without writing: each row's revocation is begun in memory. Writer thread. */
int held_claim(struct claim *claim, struct err *err) KMS_MUST_CHECK;

#endif
