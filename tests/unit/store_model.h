/* SPDX-License-Identifier: Apache-2.0 */
/* A plain array of leases that are changed at random, and what a store says, against what the array
 * says. LEASES may be set before. */
#ifndef KMS_TESTS_UNIT_STORE_MODEL_H
#define KMS_TESTS_UNIT_STORE_MODEL_H

#include "store_fixture.h"

#ifndef LEASES
#define LEASES 300
#endif
#define SECRETS 5
#define UIDS 4

/* ---- the model ---- */

static struct lease model[LEASES]; /* state NONE: not stored; ids ascend */

static void make_ids(void)
{
    uint8_t random[10];

    memset(model, 0, sizeof model);
    for (size_t i = 0; i < LEASES; i++) {
        for (size_t j = 0; j < sizeof random; j++)
            random[j] = (uint8_t)fixture_random();
        model[i].id = uuid7_make(1700000000000 + (int64_t)i, random);
    }
}

/* A random record; times from a small range, so that due rows of different leases meet. */
static void randomize(struct lease *lease)
{
    struct uuid id = lease->id;

    memset(lease, 0, sizeof *lease);
    lease->id = id;
    lease->state = (enum lease_state)fixture_below(LEASE_STATE_COUNT);
    lease->delivered = fixture_below(2);
    lease->stuck = fixture_below(4) == 0;
    lease->bound = fixture_below(3) == 0;
    lease->owner.uid = 1000 + fixture_below(UIDS);
    snprintf(lease->secret, sizeof lease->secret, "secret-%u", fixture_below(SECRETS));
    lease->created_ms = 1000000 + fixture_below(50);
    lease->expires_ms = lease->created_ms + fixture_below(50) * 1000;
    lease->granted_ttl_s = 100;
    lease->last_end_ms = lease->expires_ms + 1000;
    lease->revoking_ms = fixture_below(2) ? 1000000 + fixture_below(50) : 0;
    lease->retry_ms = fixture_below(2) ? 1000000 + fixture_below(50) : 0;
    lease->revoked_ms = 1000000 + fixture_below(50);
    fixture_text(lease->error, fixture_below(sizeof lease->error));
}

#define CHANGES_MAX 6
struct change {
    struct lease leases[CHANGES_MAX];
    size_t at[CHANGES_MAX]; /* … of the model */
    size_t count;
    int rc; /* what the operation answers after all its puts */
};

static int apply_change(struct store_txn *txn, void *arg, struct err *err)
{
    struct change *change = arg;

    for (size_t i = 0; i < change->count; i++) {
        int rc = store_put(txn, &change->leases[i], err);

        if (rc != 0)
            return rc;
    }
    return change->rc;
}

/* Changes that are not in the model yet. */
static void change_draw(struct change *change)
{
    change->count = 1 + fixture_below(CHANGES_MAX);
    change->rc = 0;
    for (size_t i = 0; i < change->count; i++) {
        change->at[i] = fixture_below(LEASES);
        memcpy(&change->leases[i], &model[change->at[i]], sizeof(struct lease));
        randomize(&change->leases[i]);
    }
}

static void change_keep(const struct change *change)
{
    for (size_t i = 0; i < change->count && change->rc == 0; i++)
        memcpy(&model[change->at[i]], &change->leases[i], sizeof(struct lease));
}

/* ---- what the store says, against what the array says ---- */

static int check_counts(struct store_txn *txn, void *arg, struct err *err)
{
    uint64_t by_secret[SECRETS] = {0}, by_uid[UIDS] = {0}, got = 99;
    char name[32];

    (void)arg;
    for (size_t i = 0; i < LEASES; i++)
        if (lease_is_live(&model[i])) {
            by_secret[model[i].secret[7] - '0']++;
            by_uid[model[i].owner.uid - 1000]++;
        }
    for (uint32_t i = 0; i < SECRETS; i++) {
        snprintf(name, sizeof name, "secret-%u", i);
        FIXTURE_CHECK(store_count_secret(txn, name, &got, err) == 0);
        FIXTURE_CHECK(got == by_secret[i]);
    }
    for (uint32_t i = 0; i < UIDS; i++) {
        FIXTURE_CHECK(store_count_uid(txn, 1000 + i, &got, err) == 0);
        FIXTURE_CHECK(got == by_uid[i]);
    }
    FIXTURE_CHECK(store_count_secret(txn, "nobody's", &got, err) == 0);
    FIXTURE_CHECK(got == 0);
    return 0;
}

static int compare_rows(const void *a, const void *b)
{
    const struct due_row *x = a, *y = b;

    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    return memcmp(x->id.bytes, y->id.bytes, sizeof x->id.bytes);
}

static size_t expected_rows(struct due_row rows[LEASES])
{
    size_t count = 0;

    for (size_t i = 0; i < LEASES; i++) {
        struct due due = due_next(&model[i]);

        if (due.action == DUE_NONE)
            continue;
        rows[count++] = (struct due_row){due.at_ms < 1 ? 1 : due.at_ms, model[i].id, due.action};
    }
    qsort(rows, count, sizeof rows[0], compare_rows);
    return count;
}

static void assert_row_equal(const struct due_row *a, const struct due_row *b)
{
    FIXTURE_CHECK(a->at_ms == b->at_ms);
    FIXTURE_CHECK(uuid_equal(&a->id, &b->id));
    FIXTURE_CHECK(a->action == b->action);
}

static bool skip_prune(enum due_action action)
{
    return action == DUE_PRUNE;
}

static int check_due(struct store_txn *txn, void *arg, struct err *err)
{
    static struct due_row expected[LEASES], rows[LEASES + 1];
    size_t count = expected_rows(expected), got = 0, half = count / 2, kept = 0;
    int64_t next_ms = -1;

    (void)arg;
    FIXTURE_CHECK(store_due(txn, INT64_MAX, rows, LEASES + 1, NULL, &got, &next_ms, err) == 0);
    FIXTURE_CHECK(got == count);
    FIXTURE_CHECK(next_ms == 0);
    for (size_t i = 0; i < count; i++)
        assert_row_equal(&rows[i], &expected[i]);
    if (half == 0)
        return 0;
    FIXTURE_CHECK(store_due(txn, INT64_MAX, rows, half, NULL, &got, &next_ms, err) == 0);
    FIXTURE_CHECK(got == half);
    FIXTURE_CHECK(next_ms == expected[half].at_ms);
    FIXTURE_CHECK(
        store_due(txn, expected[half].at_ms - 1, rows, LEASES, NULL, &got, &next_ms, err) == 0);
    FIXTURE_CHECK(got <= half && next_ms == expected[half].at_ms);
    FIXTURE_CHECK(store_due_range(txn, expected[half].at_ms, INT64_MAX, rows, LEASES, NULL, &got,
                                  &next_ms, err) == 0);
    FIXTURE_CHECK(got >= count - half);
    assert_row_equal(&rows[got - 1], &expected[count - 1]);
    FIXTURE_CHECK(rows[0].at_ms == expected[half].at_ms);
    FIXTURE_CHECK(store_due(txn, INT64_MAX, rows, LEASES, skip_prune, &got, &next_ms, err) == 0);
    for (size_t i = 0; i < count; i++)
        if (expected[i].action != DUE_PRUNE)
            assert_row_equal(&rows[kept++], &expected[i]);
    FIXTURE_CHECK(got == kept);
    return 0;
}

struct listed {
    const struct lease_filter *filter;
    size_t at; /* index into the model, downwards; LEASES: before the newest */
    size_t seen;
};

static bool matches(const struct lease *lease, const struct lease_filter *filter)
{
    return lease->state != LEASE_NONE && (!filter->has_uid || lease->owner.uid == filter->uid) &&
           (filter->secret == NULL || strcmp(filter->secret, lease->secret) == 0) &&
           (filter->state == LEASE_NONE || filter->state == lease->state) &&
           (!filter->live_only || lease_is_live(lease));
}

static bool check_listed(const struct lease *lease, void *arg)
{
    struct listed *listed = arg;

    do
        assert_true(listed->at > 0);
    while (!matches(&model[--listed->at], listed->filter));
    assert_memory_equal(lease, &model[listed->at], sizeof *lease);
    listed->seen++;
    return fixture_below(20) != 0;
}

static void check_list(struct store *store, const struct lease_filter *filter)
{
    struct listed listed = {filter, LEASES, 0};
    struct uuid cursor = {{0}};
    struct err err = {0};
    size_t expected = 0;

    if (fixture_below(2)) /* a place behind the newest is as good */
        memset(cursor.bytes, 0xFF, sizeof cursor.bytes);
    for (size_t i = 0; i < LEASES; i++)
        expected += matches(&model[i], filter);
    do
        assert_int_equal(store_list(store, filter, &cursor, 1 + fixture_below(100), check_listed,
                                    &listed, &cursor, &err),
                         0);
    while (!uuid_is_nil(&cursor));
    assert_int_equal(listed.seen, expected);
}

static bool count_bound(const struct lease *lease, void *arg)
{
    assert_true(lease->bound && (lease->state == LEASE_ISSUING || lease->state == LEASE_ACTIVE));
    ++*(size_t *)arg;
    return true;
}

static void check_bound(struct store *store)
{
    struct err err = {0};
    size_t expected = 0, got = 0;

    for (size_t i = 0; i < LEASES; i++)
        expected +=
            model[i].bound && (model[i].state == LEASE_ISSUING || model[i].state == LEASE_ACTIVE);
    assert_int_equal(store_list_bound(store, count_bound, &got, &err), 0);
    assert_int_equal(got, expected);
}

static void check_reads(struct store *store)
{
    struct lease lease;
    struct err err = {0};

    for (size_t i = 0; i < LEASES; i++) {
        int rc = store_read(store, &model[i].id, &lease, &err);

        assert_int_equal(rc, model[i].state == LEASE_NONE ? KMS_ENOLEASE : 0);
        if (rc == 0)
            assert_memory_equal(&lease, &model[i], sizeof lease);
    }
}

static void check_stats(struct store *store)
{
    static struct due_row rows[LEASES];
    struct store_stats expected = {0}, got;
    struct err err = {0};

    for (size_t i = 0; i < LEASES; i++) {
        expected.leases += model[i].state != LEASE_NONE;
        expected.live += lease_is_live(&model[i]);
        expected.issuing += model[i].state == LEASE_ISSUING;
        expected.active += model[i].state == LEASE_ACTIVE;
        expected.revoking += model[i].state == LEASE_REVOKING;
        expected.stuck += model[i].stuck && lease_is_live(&model[i]);
    }
    assert_int_equal(store_stats(store, &got, &err), 0);
    assert_int_equal(got.leases, expected.leases);
    assert_int_equal(got.live, expected.live);
    assert_int_equal(got.issuing, expected.issuing);
    assert_int_equal(got.active, expected.active);
    assert_int_equal(got.revoking, expected.revoking);
    assert_int_equal(got.stuck, expected.stuck);
    assert_true(got.next_due_ms == (expected_rows(rows) > 0 ? rows[0].at_ms : 0));
    assert_true(got.map_bytes == FIXTURE_MAP && got.used_bytes < got.map_bytes);
    assert_true(got.issuing_allowed && got.free_bytes > 0);
}

static void check_all(struct store *store)
{
    const struct lease_filter filters[] = {
        {0},
        {.has_uid = true, .uid = 1001},
        {.secret = "secret-2"},
        {.state = LEASE_REVOKING},
        {.live_only = true, .secret = "secret-0", .has_uid = true, .uid = 1000},
    };
    struct err err = {0};

    assert_int_equal(store_run(store, check_counts, NULL, false, &err), 0);
    assert_int_equal(store_run(store, check_due, NULL, false, &err), 0);
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++)
        check_list(store, &filters[i]);
    check_bound(store);
    check_reads(store);
    check_stats(store);
}

#endif
