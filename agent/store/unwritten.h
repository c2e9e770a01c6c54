/* SPDX-License-Identifier: Apache-2.0 */
/* What a full store could not write of its leases' revocations, until it can: as many entries as
 * there are leases, some 100 bytes each, 500 with the one who asked. Any thread. */
#ifndef KMS_AGENT_STORE_UNWRITTEN_H
#define KMS_AGENT_STORE_UNWRITTEN_H

#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>

#define UNWRITTEN_BUCKETS 4096

struct unwritten;

struct unwritten_set {
    pthread_mutex_t mutex; /* of all but count's reading */
    atomic_size_t count;
    uint64_t version; /* of the last change */
    struct unwritten *buckets[UNWRITTEN_BUCKETS];
};

void unwritten_init(struct unwritten_set *set);
void unwritten_done(struct unwritten_set *set);
/* As store_hold(). 0, KMS_ENOMEM. */
int unwritten_put(struct unwritten_set *set, const struct lease *lease,
                  const struct lease_owner *actor, bool recorded, struct err *err) KMS_MUST_CHECK;
/* Changes a lease that was read from its record into what the record would say. */
void unwritten_show(struct unwritten_set *set, struct lease *lease);
/* As store_held_get(), store_held_list(), store_release(). */
bool unwritten_get(struct unwritten_set *set, const struct uuid *id, struct store_held *ret);
size_t unwritten_list(struct unwritten_set *set, struct store_held_key *ret, size_t max);
void unwritten_drop(struct unwritten_set *set, const struct store_held_key *key);

#endif
