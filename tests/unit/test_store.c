/* SPDX-License-Identifier: Apache-2.0 */
/* The store against a plain array: whatever is put, every derived table says the same as the array.
 */
#include "store/store.h"

#include "store/env.h"
#include "store_fixture.h"

#include <sys/stat.h>

#define LEASES 300
#define OPERATIONS 4000
#define SECRETS 5
#define UIDS 4

static int set_up(void **state)
{
    (void)state;
    fixture_directory(fixture_path, true);
    return 0;
}

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

static void change_some(struct store *store)
{
    static struct change change;
    struct err err = {0};
    size_t at[CHANGES_MAX];

    change.count = 1 + fixture_below(CHANGES_MAX);
    change.rc = fixture_below(5) == 0 ? KMS_EREFUSED : 0;
    for (size_t i = 0; i < change.count; i++) {
        at[i] = fixture_below(LEASES);
        memcpy(&change.leases[i], &model[at[i]], sizeof(struct lease));
        randomize(&change.leases[i]);
    }
    if (store_run(store, apply_change, &change, fixture_below(2), &err) != change.rc)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < change.count && change.rc == 0; i++)
        memcpy(&model[at[i]], &change.leases[i], sizeof(struct lease));
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

static void test_tables_stay_in_step(void **state)
{
    struct store_options opened = fixture_options();
    struct store *store = fixture_open(&opened);

    (void)state;
    make_ids();
    check_all(store);
    assert_true(store_is_new(store));
    for (int i = 1; i <= OPERATIONS; i++) {
        change_some(store);
        if (i % 200 == 0)
            check_all(store);
        if (i % 1000 == 0) {
            store_close(store);
            store = fixture_open(&opened);
            assert_false(store_is_new(store));
            check_all(store);
        }
    }
    store_close(store);
}

/* Deleting everything leaves nothing behind: counters too. */
static int delete_all(struct store_txn *txn, void *arg, struct err *err)
{
    (void)arg;
    for (size_t i = 0; i < LEASES; i++) {
        model[i].state = LEASE_NONE;
        FIXTURE_CHECK(store_put(txn, &model[i], err) == 0);
    }
    return 0;
}

static size_t count_table(MDB_env *env, const char *name)
{
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_stat stat;

    assert_int_equal(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, name, 0, &dbi), 0);
    assert_int_equal(mdb_stat(txn, dbi, &stat), 0);
    mdb_txn_abort(txn);
    return stat.ms_entries;
}

static MDB_env *open_raw(void)
{
    MDB_env *env;

    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 8), 0);
    assert_int_equal(mdb_env_set_mapsize(env, FIXTURE_MAP), 0);
    assert_int_equal(mdb_env_open(env, fixture_path, MDB_NOTLS, 0600), 0);
    return env;
}

static void test_nothing_is_left_of_deleted_leases(void **state)
{
    struct store_options opened = fixture_options();
    struct store *store = fixture_open(&opened);
    struct err err = {0};
    MDB_env *env;

    (void)state;
    make_ids();
    for (int i = 0; i < 200; i++)
        change_some(store);
    assert_int_equal(store_run(store, delete_all, NULL, true, &err), 0);
    check_all(store);
    store_close(store);
    env = open_raw();
    assert_int_equal(count_table(env, "lease"), 0);
    assert_int_equal(count_table(env, "due"), 0);
    assert_int_equal(count_table(env, "bound"), 0);
    assert_int_equal(count_table(env, "counter"), 1); /* the totals */
    mdb_env_close(env);
}

/* ---- audit ---- */

static int append_audit(struct store_txn *txn, void *arg, struct err *err)
{
    return store_audit(txn, arg, err);
}

static int prune_audit(struct store_txn *txn, void *arg, struct err *err)
{
    return store_audit_prune(txn, *(int64_t *)arg, 100, err);
}

struct audit_listed {
    uint64_t expect; /* the next sequence */
    size_t seen;
};

static bool check_audit(const struct audit *audit, void *arg)
{
    struct audit_listed *listed = arg;

    assert_int_equal(audit->sequence, listed->expect--);
    assert_int_equal(audit->time_ms, 1000 + (int64_t)audit->sequence);
    assert_string_equal(audit->detail, "a detail");
    listed->seen++;
    return true;
}

static size_t list_audit(struct store *store, uint64_t newest)
{
    struct audit_listed listed = {newest, 0};
    struct err err = {0};
    uint64_t before = 0;

    do
        assert_int_equal(store_list_audit(store, before, 70, check_audit, &listed, &before, &err),
                         0);
    while (before != 0);
    return listed.seen;
}

static void test_audit_log(void **state)
{
    struct store_options opened = fixture_options();
    struct store *store = fixture_open(&opened);
    struct audit audit;
    struct err err = {0};
    int64_t before_ms = 1000 + 51;

    (void)state;
    assert_int_equal(list_audit(store, 0), 0);
    memset(&audit, 0, sizeof audit);
    strcpy(audit.detail, "a detail");
    for (int64_t i = 1; i <= 500; i++) {
        audit.time_ms = 1000 + i;
        assert_int_equal(store_run(store, append_audit, &audit, false, &err), 0);
    }
    assert_int_equal(list_audit(store, 500), 500);
    assert_int_equal(store_run(store, prune_audit, &before_ms, true, &err), 0);
    assert_int_equal(list_audit(store, 500), 450);
    before_ms = INT64_MAX;
    for (int i = 0; i < 6; i++) /* a hundred a call; the newest stays */
        assert_int_equal(store_run(store, prune_audit, &before_ms, true, &err), 0);
    assert_int_equal(list_audit(store, 500), 1);
    store_close(store);
    store = fixture_open(&opened);
    audit.time_ms = 1501;
    assert_int_equal(store_run(store, append_audit, &audit, false, &err), 0);
    assert_int_equal(list_audit(store, 501), 2);
    store_close(store);
}

/* ---- opening ---- */

static void put_raw(const char *table, const void *key, size_t key_len, const void *value,
                    size_t len)
{
    MDB_env *env = open_raw();
    MDB_val mdb_key = {key_len, (void *)(uintptr_t)key}, data = {len, (void *)(uintptr_t)value};
    MDB_txn *txn;
    MDB_dbi dbi;

    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, table, 0, &dbi), 0);
    assert_int_equal(mdb_put(txn, dbi, &mdb_key, &data, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void assert_refused(const struct store_options *opened, const char *agent_id,
                           const char *message)
{
    struct store *store = NULL;
    struct err err = {0};

    assert_int_equal(store_open(opened, agent_id, &store, &err), KMS_ESTORE);
    assert_null(store);
    if (strstr(err.message, message) == NULL || strstr(err.message, fixture_path) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.message, message);
}

static void test_later_schema_is_refused(void **state)
{
    struct store_options opened = fixture_options();
    const uint8_t later[] = {0, 0, 0, ENV_SCHEMA + 1}, zero[] = {0, 0, 0, 0};

    (void)state;
    store_close(fixture_open(&opened));
    put_raw("meta", "schema", 6, later, sizeof later);
    assert_refused(&opened, "test-agent", "has schema 2, this agent knows up to schema 1");
    put_raw("meta", "schema", 6, zero, sizeof zero);
    assert_refused(&opened, "test-agent", "which is not known");
}

static void test_other_agent_id_is_refused(void **state)
{
    struct store_options opened = fixture_options();

    (void)state;
    store_close(fixture_open(&opened));
    assert_refused(&opened, "another", "belongs to agent \"test-agent\", this is \"another\"");
    store_close(fixture_open(&opened));
}

static void test_second_open_is_refused(void **state)
{
    struct store_options opened = fixture_options();
    struct store *store = fixture_open(&opened);

    (void)state;
    assert_refused(&opened, "test-agent", "another agent holds the store");
    store_close(store);
    store_close(fixture_open(&opened));
}

static void test_directory_is_checked(void **state)
{
    struct store_options opened = fixture_options();
    char link_path[300], missing[300], path[256];

    (void)state;
    store_close(fixture_open(&opened));
    assert_int_equal(chmod(fixture_path, 0750), 0);
    assert_refused(&opened, "test-agent", "has mode 0750, it must be 0700");
    assert_int_equal(chmod(fixture_path, 0700), 0);
    snprintf(link_path, sizeof link_path, "%s.link", fixture_path);
    assert_int_equal(symlink(fixture_path, link_path), 0);
    opened.directory = link_path;
    assert_refused(&opened, "test-agent", "not a link");
    unlink(link_path);
    snprintf(missing, sizeof missing, "%s/no/where", fixture_path);
    opened.directory = missing;
    assert_refused(&opened, "test-agent", "No such file or directory");
    opened.directory = "/proc/self/fd";
    snprintf(path, sizeof path, "%s", fixture_path);
    snprintf(fixture_path, sizeof fixture_path, "/proc/self/fd");
    assert_refused(&opened, "test-agent", "/proc/self/fd");
    snprintf(fixture_path, sizeof fixture_path, "%s", path);
}

static void test_volatile_file_system(void **state)
{
    struct store_options opened = fixture_options();
    char parent[] = "/dev/shm/kms-store-XXXXXX", keep[256];
    struct store *store;

    (void)state;
    if (mkdtemp(parent) == NULL) {
        skip();
        return;
    }
    snprintf(keep, sizeof keep, "%s", fixture_path);
    snprintf(fixture_path, sizeof fixture_path, "%s/store", parent);
    opened.allow_volatile = false;
    assert_refused(&opened, "test-agent", "is on tmpfs, where leases would not survive");
    opened.allow_volatile = true;
    store = fixture_open(&opened);
    assert_true(store_is_volatile(store));
    store_close(store);
    fixture_remove(fixture_path);
    snprintf(fixture_path, sizeof fixture_path, "%s", keep);
}

/* No address space is large enough: the map is made smaller, without a word. */
static void test_map_size_is_clamped(void **state)
{
    struct store_options opened = fixture_options();
    struct store_stats stats;
    struct err err = {0};
    struct store *store;

    (void)state;
    opened.map_size = UINT64_C(1) << 60;
    store = fixture_open(&opened);
    assert_int_equal(store_stats(store, &stats, &err), 0);
    assert_true(stats.map_bytes >= FIXTURE_MAP && stats.map_bytes < UINT64_C(1) << 60);
    store_close(store);
}

/* ---- malformed records ---- */

static bool count_lease(const struct lease *lease, void *arg)
{
    (void)lease;
    ++*(size_t *)arg;
    return true;
}

static void test_malformed_record_is_reported(void **state)
{
    struct store_options opened = fixture_options();
    struct store *store = fixture_open(&opened);
    struct change change = {.count = 2};
    struct uuid cursor;
    struct lease lease;
    struct err err = {0};
    char text[UUID_TEXT_SIZE];
    size_t seen = 0;

    (void)state;
    make_ids();
    for (size_t i = 0; i < 2; i++) {
        change.leases[i].id = model[2 * i].id;
        change.leases[i].state = LEASE_ACTIVE;
    }
    assert_int_equal(store_run(store, apply_change, &change, true, &err), 0);
    store_close(store);
    put_raw("lease", model[1].id.bytes, 16, "\x81\x02\x07", 3);
    store = fixture_open(&opened);
    uuid_format(&model[1].id, text);
    assert_int_equal(store_read(store, &model[1].id, &lease, &err), KMS_ESTORE);
    assert_non_null(strstr(err.message, text));
    assert_int_equal(store_list(store, NULL, NULL, 100, count_lease, &seen, &cursor, &err),
                     KMS_ESTORE);
    assert_int_equal(seen, 1);
    assert_non_null(strstr(err.message, text));
    assert_true(uuid_equal(&cursor, &model[1].id));
    assert_int_equal(store_list(store, NULL, &cursor, 100, count_lease, &seen, &cursor, &err), 0);
    assert_int_equal(seen, 2);
    store_close(store);
}

/* Fields of a later version survive a rewrite by this one. */
static int touch_lease(struct store_txn *txn, void *arg, struct err *err)
{
    struct lease lease;
    int rc = store_get(txn, arg, &lease, err);

    lease.attempts++;
    return rc == 0 ? store_put(txn, &lease, err) : rc;
}

static void test_unknown_fields_survive(void **state)
{
    uint8_t record[] = {0x84, 0x01, 0xC4, 16,  0,   0,   0,    0,    0,    0, 0,    0,
                        0,    0,    0,    0,   0,   0,   0,    0,    2,    2, 0xCC, 0xC8,
                        0xA5, 'l',  'a',  't', 'e', 'r', 0xCC, 0xC9, 0xD1, 0, 5};
    struct store_options opened = fixture_options();
    struct store *store = fixture_open(&opened);
    struct err err = {0};
    MDB_val key = {16, NULL}, data;
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;

    (void)state;
    make_ids();
    store_close(store);
    memcpy(record + 4, model[0].id.bytes, 16);
    put_raw("lease", model[0].id.bytes, 16, record, sizeof record);
    store = fixture_open(&opened);
    for (int i = 0; i < 3; i++)
        assert_int_equal(store_run(store, touch_lease, &model[0].id, true, &err), 0);
    store_close(store);
    env = open_raw();
    assert_int_equal(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, "lease", 0, &dbi), 0);
    key.mv_data = model[0].id.bytes;
    assert_int_equal(mdb_get(txn, dbi, &key, &data), 0);
    assert_non_null(memmem(data.mv_data, data.mv_size, record + 22, sizeof record - 22));
    mdb_txn_abort(txn);
    mdb_env_close(env);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_tables_stay_in_step),
        TEST(test_nothing_is_left_of_deleted_leases),
        TEST(test_audit_log),
        TEST(test_later_schema_is_refused),
        TEST(test_other_agent_id_is_refused),
        TEST(test_second_open_is_refused),
        TEST(test_directory_is_checked),
        TEST(test_volatile_file_system),
        TEST(test_map_size_is_clamped),
        TEST(test_malformed_record_is_reported),
        TEST(test_unknown_fields_survive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
