/* SPDX-License-Identifier: Apache-2.0 */
/* store_get and store_put: the one place where a lease record and all that follows from it change.
 */
#include "store/counters.h"
#include "store/due_index.h"
#include "store/txn.h"
#include "store/unwritten.h"

#include "base/thread_role.h"

#include <string.h>

int store_get(struct store_txn *txn, const struct uuid *id, struct lease *ret, struct err *err)
{
    char text[UUID_TEXT_SIZE];
    MDB_val raw;
    int rc = txn_load(txn, id, ret, NULL, &raw, err);

    ASSERT_ON_STORE();
    if (rc == 0 && raw.mv_data != NULL)
        unwritten_show(txn->env->unwritten, ret);
    if (rc != 0 || raw.mv_data != NULL)
        return rc;
    uuid_format(id, text);
    return err_set(err, KMS_ENOLEASE, "no such lease: %s", text);
}

static struct record_derived derive(const struct lease *lease)
{
    const struct due due = due_next(lease);
    struct record_derived derived = {0};

    derived.due_action = due.action;
    derived.due_ms = due.action == DUE_NONE ? 0 : due.at_ms;
    derived.live = lease_is_live(lease);
    derived.stuck = lease->stuck && derived.live;
    derived.bound = lease->bound && (lease->state == LEASE_ISSUING || lease->state == LEASE_ACTIVE);
    return derived;
}

static int move_bound(struct store_txn *txn, const struct uuid *id, bool was, bool is,
                      struct err *err)
{
    if (was == is)
        return 0;
    if (was)
        return txn_delete(txn, txn->env->bound, id->bytes, sizeof id->bytes, err);
    return txn_put(txn, txn->env->bound, id->bytes, sizeof id->bytes, "", 0, 0, err);
}

/* The stored record that is replaced. */
struct stored {
    struct lease lease;
    struct record_derived derived;
    MDB_val raw; /* mv_data NULL: there is none */
};

static int write_record(struct store_txn *txn, const struct lease *lease,
                        const struct record_derived *derived, const struct stored *old,
                        struct err *err)
{
    size_t len;
    int rc = record_encode_lease(lease, derived, old->raw.mv_data, old->raw.mv_size, txn->scratch,
                                 RECORD_BYTES_MAX, &len, err);

    if (rc == 0 && old->raw.mv_data == NULL)
        rc = txn_claim(txn, len, err);
    if (rc != 0)
        return rc;
    return txn_put(txn, txn->env->lease, lease->id.bytes, sizeof lease->id.bytes, txn->scratch, len,
                   0, err);
}

static int move_derived(struct store_txn *txn, const struct lease *lease,
                        const struct record_derived *derived, const struct stored *old,
                        struct err *err)
{
    const struct lease *before = old->raw.mv_data != NULL ? &old->lease : NULL;
    const struct lease *after = lease->state != LEASE_NONE ? lease : NULL;
    int rc = due_index_move(txn, &lease->id, &old->derived, derived, err);

    if (rc == 0)
        rc = move_bound(txn, &lease->id, old->derived.bound, derived->bound, err);
    if (rc == 0)
        rc = counters_move(txn, before, &old->derived, after, derived, err);
    return rc;
}

int store_put(struct store_txn *txn, const struct lease *lease, struct err *err)
{
    struct record_derived derived = {0};
    struct stored old;
    int rc;

    ASSERT_ON_STORE();
    memset(&old, 0, sizeof old);
    rc = txn_load(txn, &lease->id, &old.lease, &old.derived, &old.raw, err);
    if (rc != 0)
        return rc;
    if (lease->state != LEASE_NONE) {
        derived = derive(lease);
        rc = write_record(txn, lease, &derived, &old, err);
    } else {
        rc = txn_delete(txn, txn->env->lease, lease->id.bytes, sizeof lease->id.bytes, err);
    }
    return rc == 0 ? move_derived(txn, lease, &derived, &old, err) : rc;
}
