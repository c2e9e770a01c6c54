/* SPDX-License-Identifier: Apache-2.0 */
/* store.h in memory, in place of agent/store/: what is committed outlives the agent, all else goes
 * with it. Operations queue up as in the writer's queue and are run by fake_store_write() or by the
 * first one that is waited for. */
#ifndef KMS_TESTS_SIMULATE_FAKE_STORE_H
#define KMS_TESTS_SIMULATE_FAKE_STORE_H

#include "store/store.h"

/* An empty disk. */
void fake_store_reset(void);
/* A new process opens what is committed. */
struct store *fake_store_open(void);
/* Whether operations wait for the writer. */
bool fake_store_pending(void);
/* The writer's turn: all that is queued in one commit. */
void fake_store_write(void);
/* A revocation of the lease waits for room in memory. */
bool fake_store_holds(const struct uuid *id);
/* The committed record; NULL: none. */
const struct lease *fake_store_lease(const struct uuid *id);
const struct lease *fake_store_nth(size_t n); /* NULL: no more */
/* Called for each committed change of a lease; old NULL: new. */
void check_committed(const struct lease *old, const struct lease *new);
/* Called before a revocation is held in memory. What causes it is judged by what is known now, not when there is room
 * to record it. */
void check_held(const struct lease *new);

#endif
