/* SPDX-License-Identifier: Apache-2.0 */
/* The store against a plain array: whatever is put, every derived table says the same as the array.
 */
#include "store/store.h"

#include "store/env.h"
#include "store_model.h"

#include <sys/stat.h>

#define OPERATIONS 4000

static int set_up(void **state)
{
    (void)state;
    fixture_directory(fixture_path, true);
    return 0;
}

static void change_some(struct store *store)
{
    static struct change change;
    struct err err = {0};

    change_draw(&change);
    change.rc = fixture_below(5) == 0 ? KMS_EREFUSED : 0;
    if (store_run(store, apply_change, &change, fixture_below(2), &err) != change.rc)
        fail_msg("%s", err.message);
    change_keep(&change);
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
