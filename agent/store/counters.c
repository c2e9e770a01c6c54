/* SPDX-License-Identifier: Apache-2.0 */
#include "store/counters.h"

#include "base/thread_role.h"
#include "store/key.h"

#include <string.h>

#define KEY_MAX (1 + SECRET_NAME_MAX)
#define TOTALS 5

struct counter_key {
    uint8_t bytes[KEY_MAX];
    size_t len;
};

static struct counter_key secret_key(const char *secret)
{
    struct counter_key key = {.bytes = {'s'}};
    size_t len = strnlen(secret, SECRET_NAME_MAX);

    memcpy(key.bytes + 1, secret, len);
    key.len = 1 + len;
    return key;
}

static struct counter_key uid_key(uint32_t uid)
{
    struct counter_key key = {.bytes = {'u'}, .len = 5};

    key_put_u32(key.bytes + 1, uid);
    return key;
}

static int read_count(struct store_txn *txn, const struct counter_key *key, uint64_t *ret,
                      struct err *err)
{
    MDB_val data;
    int rc = txn_get(txn, txn->env->counter, key->bytes, key->len, &data, err);

    if (rc != 0)
        return rc;
    if (data.mv_data != NULL && data.mv_size != 8)
        return err_set(err, KMS_ESTORE, "the lease store in %s: a counter is malformed",
                       txn->env->directory.path);
    *ret = data.mv_data == NULL ? 0 : key_get_u64(data.mv_data);
    return 0;
}

/* A count never goes below 0: one that was wrong must not keep a revocation from being recorded. */
static int add(struct store_txn *txn, const struct counter_key *key, int delta, struct err *err)
{
    uint8_t value[8];
    uint64_t count;
    int rc = read_count(txn, key, &count, err);

    if (rc != 0)
        return rc;
    if (delta < 0)
        count -= count > 0;
    else
        count++;
    if (count == 0)
        return txn_delete(txn, txn->env->counter, key->bytes, key->len, err);
    key_put_u64(value, count);
    return txn_put(txn, txn->env->counter, key->bytes, key->len, value, sizeof value, 0, err);
}

static int load_totals(struct store_txn *txn, uint64_t ret[TOTALS], struct err *err)
{
    MDB_val data;
    int rc = txn_get(txn, txn->env->counter, "t", 1, &data, err);

    if (rc != 0)
        return rc;
    memset(ret, 0, TOTALS * sizeof ret[0]);
    if (data.mv_data == NULL)
        return 0;
    if (data.mv_size != 8 * TOTALS)
        return err_set(err, KMS_ESTORE, "the lease store in %s: the totals are malformed",
                       txn->env->directory.path);
    for (size_t i = 0; i < TOTALS; i++)
        ret[i] = key_get_u64((const uint8_t *)data.mv_data + 8 * i);
    return 0;
}

/* What one lease adds to the totals, in the order of struct counter_totals. */
static void weigh(const struct lease *lease, const struct record_derived *derived, int ret[TOTALS])
{
    memset(ret, 0, TOTALS * sizeof ret[0]);
    if (lease == NULL || !derived->live)
        return;
    ret[0] = 1;
    ret[1] = lease->state == LEASE_ISSUING;
    ret[2] = lease->state == LEASE_ACTIVE;
    ret[3] = lease->state == LEASE_REVOKING;
    ret[4] = derived->stuck;
}

static int move_totals(struct store_txn *txn, const int before[TOTALS], const int after[TOTALS],
                       struct err *err)
{
    uint64_t totals[TOTALS];
    uint8_t value[8 * TOTALS];
    int rc;

    if (memcmp(before, after, TOTALS * sizeof before[0]) == 0)
        return 0;
    rc = load_totals(txn, totals, err);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < TOTALS; i++) {
        if (before[i] > after[i] && totals[i] > 0)
            totals[i]--;
        else if (before[i] < after[i])
            totals[i]++;
        key_put_u64(value + 8 * i, totals[i]);
    }
    return txn_put(txn, txn->env->counter, "t", 1, value, sizeof value, 0, err);
}

/* The counts of one lease's secret and uid. */
static int add_owner(struct store_txn *txn, const struct lease *lease, int delta, struct err *err)
{
    const struct counter_key secret = secret_key(lease->secret), uid = uid_key(lease->owner.uid);
    int rc = add(txn, &secret, delta, err);

    return rc == 0 ? add(txn, &uid, delta, err) : rc;
}

int counters_move(struct store_txn *txn, const struct lease *old, const struct record_derived *was,
                  const struct lease *new, const struct record_derived *is, struct err *err)
{
    bool counted = old != NULL && was->live, counts = new != NULL && is->live;
    int before[TOTALS], after[TOTALS];
    int rc = 0;

    weigh(old, was, before);
    weigh(new, is, after);
    if (!counted || !counts || strcmp(old->secret, new->secret) != 0 ||
        old->owner.uid != new->owner.uid) {
        if (counted)
            rc = add_owner(txn, old, -1, err);
        if (rc == 0 && counts)
            rc = add_owner(txn, new, 1, err);
    }
    return rc == 0 ? move_totals(txn, before, after, err) : rc;
}

int counters_totals(struct store_txn *txn, struct counter_totals *ret, struct err *err)
{
    uint64_t totals[TOTALS];
    int rc = load_totals(txn, totals, err);

    if (rc == 0)
        *ret = (struct counter_totals){totals[0], totals[1], totals[2], totals[3], totals[4]};
    return rc;
}

int store_count_secret(struct store_txn *txn, const char *secret, uint64_t *ret, struct err *err)
{
    const struct counter_key key = secret_key(secret);

    ASSERT_ON_STORE();
    return read_count(txn, &key, ret, err);
}

int store_count_uid(struct store_txn *txn, uint32_t uid, uint64_t *ret, struct err *err)
{
    const struct counter_key key = uid_key(uid);

    ASSERT_ON_STORE();
    return read_count(txn, &key, ret, err);
}
