/* SPDX-License-Identifier: Apache-2.0 */
/* Records of replaced management keys: their rules, their table, and what sources/ hands out. */
#include "sources/replaced.h"
#include "store/record_codec.h"
#include "store/root_keys.h"
#include "store_fixture.h"

#define BEGUN INT64_C(1800000000000)

static struct root_key full_record(const char *configured_id)
{
    struct root_key record;

    fixture_fill(&record_root_key_table, &record, sizeof record, true);
    record.stage = ROOT_KEY_PROVEN;
    memset(record.configured_id, 0, sizeof record.configured_id);
    snprintf(record.configured_id, sizeof record.configured_id, "%s", configured_id);
    return record;
}

/* ---- the rules ---- */

static void settles(void **state)
{
    struct root_key record = full_record("AKIACONFIGURED"), before = record;

    (void)state;
    root_key_settle(&record);
    assert_int_equal(record.stage, ROOT_KEY_SETTLED);
    assert_string_equal(record.current_id, before.next_id);
    assert_string_equal(record.current_seal, before.next_seal);
    assert_string_equal(record.next_id, "");
    assert_string_equal(record.next_seal, "");
    assert_string_equal(record.configured_id, "AKIACONFIGURED");
    assert_int_equal(record.begun_ms, 0);
    assert_false(root_key_is_pending(&record));
}

static void abandons(void **state)
{
    struct root_key record = full_record("AKIACONFIGURED"), before = record;

    (void)state;
    record.stage = ROOT_KEY_INTENT;
    assert_true(root_key_is_pending(&record));
    root_key_abandon(&record);
    assert_int_equal(record.stage, ROOT_KEY_SETTLED);
    assert_string_equal(record.current_id, before.current_id);
    assert_string_equal(record.current_seal, before.current_seal);
    record.stage = ROOT_KEY_INTENT;
    record.current_seal[0] = '\0'; /* the configured key itself: nothing to remember */
    root_key_abandon(&record);
    assert_int_equal(record.stage, ROOT_KEY_NONE);
}

static void leftovers(void **state)
{
    struct root_key record = {.stage = ROOT_KEY_INTENT,
                              .configured_id = "AKIACONFIGURED",
                              .current_id = "AKIACURRENT",
                              .known_id = "AKIAKNOWN",
                              .begun_ms = BEGUN};

    (void)state;
    assert_true(root_key_is_leftover(&record, "AKIAOTHER", BEGUN));
    assert_true(root_key_is_leftover(&record, "AKIAOTHER", BEGUN - ROOT_KEY_BEFORE_MS));
    assert_true(root_key_is_leftover(&record, "AKIAOTHER", BEGUN + ROOT_KEY_AFTER_MS));
    assert_false(root_key_is_leftover(&record, "AKIAOTHER", BEGUN - ROOT_KEY_BEFORE_MS - 1));
    assert_false(root_key_is_leftover(&record, "AKIAOTHER", BEGUN + ROOT_KEY_AFTER_MS + 1));
    assert_false(root_key_is_leftover(&record, "AKIACONFIGURED", BEGUN));
    assert_false(root_key_is_leftover(&record, "AKIACURRENT", BEGUN));
    assert_false(root_key_is_leftover(&record, "AKIAKNOWN", BEGUN));
    record.stage = ROOT_KEY_SEALED;
    assert_false(root_key_is_leftover(&record, "AKIAOTHER", BEGUN));
}

/* ---- the table ---- */

static int apply_put(struct store_txn *txn, void *arg, struct err *err)
{
    return store_root_key_put(txn, arg, err);
}

static void put(struct store *store, struct root_key *record)
{
    struct err err = {0};

    if (store_run(store, apply_put, record, false, &err) != 0)
        fail_msg("%s", err.message);
}

static void kept_over_a_restart(void **state)
{
    const struct store_options options = fixture_options();
    struct store *store = fixture_open(&options);
    struct root_key records[3] = {full_record("AKIAB"), full_record("AKIAA"), full_record("AKIAC")};
    struct root_key read, list[4];
    struct err err = {0};
    size_t count = 9;

    (void)state;
    assert_int_equal(store_root_keys_list(store, list, 4, &count, &err), 0);
    assert_int_equal(count, 0);
    for (size_t i = 0; i < 3; i++)
        put(store, &records[i]);
    store_close(store);
    store = fixture_open(&options);
    assert_int_equal(store_root_key_read(store, "AKIAA", &read, &err), 0);
    assert_memory_equal(&read, &records[1], sizeof read);
    assert_int_equal(store_root_keys_list(store, list, 4, &count, &err), 0);
    assert_int_equal(count, 3);
    assert_memory_equal(&list[0], &records[1], sizeof list[0]);
    assert_memory_equal(&list[1], &records[0], sizeof list[1]);
    assert_memory_equal(&list[2], &records[2], sizeof list[2]);
    assert_int_equal(store_root_keys_list(store, list, 2, &count, &err), 0);
    assert_int_equal(count, 2);
    store_close(store);
}

static void replaced_and_deleted(void **state)
{
    const struct store_options options = fixture_options();
    struct store *store = fixture_open(&options);
    struct root_key record = full_record("AKIAA"), read;
    struct err err = {0};

    (void)state;
    put(store, &record);
    root_key_settle(&record);
    put(store, &record);
    assert_int_equal(store_root_key_read(store, "AKIAA", &read, &err), 0);
    assert_memory_equal(&read, &record, sizeof read);
    record.stage = ROOT_KEY_NONE;
    put(store, &record);
    assert_int_equal(store_root_key_read(store, "AKIAA", &read, &err), 0);
    assert_int_equal(read.stage, ROOT_KEY_NONE);
    put(store, &record); /* nothing to delete */
    record.configured_id[0] = '\0';
    assert_int_equal(store_run(store, apply_put, &record, false, &err), KMS_EINTERNAL);
    store_close(store);
}

/* Any one byte that is changed is noticed or gives another record, never another key's. */
static void codec_refuses(void **state)
{
    struct root_key record = full_record("AKIAA"), again;
    uint8_t bytes[RECORD_BYTES_MAX];
    struct err err = {0};
    size_t len;

    (void)state;
    assert_int_equal(record_encode_root_key(&record, NULL, 0, bytes, sizeof bytes, &len, &err), 0);
    assert_int_equal(record_decode_root_key(bytes, len, &again, &err), 0);
    assert_memory_equal(&again, &record, sizeof again);
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(record_decode_root_key(bytes, cut, &again, &err), KMS_ESTORE);
    record.stage = (enum root_key_stage)(ROOT_KEY_SETTLED + 1); /* of a later version */
    assert_int_equal(record_encode_root_key(&record, NULL, 0, bytes, sizeof bytes, &len, &err),
                     KMS_EINTERNAL);
}

/* ---- what is handed out ---- */

static struct aws_credential key_of(const char *id, const char *secret)
{
    struct aws_credential key = {0};

    snprintf(key.access_key_id, sizeof key.access_key_id, "%s", id);
    assert_int_equal(secret_set(&key.secret_access_key, secret, strlen(secret)), 0);
    return key;
}

static void assert_becomes(struct replaced_keys *keys, const char *id, const char *wanted_id,
                           const char *wanted_secret)
{
    AWS_CREDENTIAL_CLEANUP struct aws_credential key = key_of(id, "as configured");
    struct err err = {0};

    assert_int_equal(replaced_keys_apply(keys, &key, &err), 0);
    assert_string_equal(key.access_key_id, wanted_id);
    assert_string_equal(secret_text(&key.secret_access_key), wanted_secret);
}

static void stands_for(void **state)
{
    AWS_CREDENTIAL_CLEANUP struct aws_credential one = key_of("AKIA1", "one"),
                                                 two = key_of("AKIA2", "two");
    struct replaced_keys keys;
    struct err err = {0};

    (void)state;
    replaced_keys_init(&keys);
    assert_becomes(&keys, "AKIAOLD", "AKIAOLD", "as configured");
    assert_int_equal(replaced_keys_set(&keys, "AKIAOLD", &one, NULL, &err), 0);
    assert_int_equal(replaced_keys_set(&keys, "AKIAOTHER", &two, NULL, &err), 0);
    assert_becomes(&keys, "AKIAOLD", "AKIA1", "one");
    assert_becomes(&keys, "AKIAOTHER", "AKIA2", "two");
    assert_becomes(&keys, "AKIA1", "AKIA1",
                   "as configured"); /* no chains: the record has the end */
    assert_int_equal(replaced_keys_set(&keys, "AKIAOLD", &two, NULL, &err), 0);
    assert_becomes(&keys, "AKIAOLD", "AKIA2", "two");
    replaced_keys_remove(&keys, "AKIAOLD");
    replaced_keys_remove(&keys, "AKIAOLD");
    assert_becomes(&keys, "AKIAOLD", "AKIAOLD", "as configured");
    assert_becomes(&keys, "AKIAOTHER", "AKIA2", "two");
    replaced_keys_done(&keys);
}

static void fault_is_told(void **state)
{
    AWS_CREDENTIAL_CLEANUP struct aws_credential key = key_of("AKIAOLD", "as configured"),
                                                 one = key_of("AKIA1", "one");
    struct replaced_keys keys;
    struct err fault = {0}, err = {0};

    (void)state;
    replaced_keys_init(&keys);
    err_set(&fault, KMS_ESOURCE, "it does not open");
    err_hint(&fault, "open it");
    assert_int_equal(replaced_keys_set(&keys, "AKIAOLD", NULL, &fault, &err), 0);
    assert_int_equal(replaced_keys_apply(&keys, &key, &err), KMS_ESOURCE);
    assert_string_equal(err.message, "it does not open");
    assert_string_equal(err.hint, "open it");
    assert_int_equal(replaced_keys_set(&keys, "AKIAOLD", &one, NULL, &err), 0);
    assert_becomes(&keys, "AKIAOLD", "AKIA1", "one");
    replaced_keys_done(&keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settles),
        cmocka_unit_test(abandons),
        cmocka_unit_test(leftovers),
        cmocka_unit_test_setup_teardown(kept_over_a_restart, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(replaced_and_deleted, fixture_set_up, fixture_tear_down),
        cmocka_unit_test(codec_refuses),
        cmocka_unit_test(stands_for),
        cmocka_unit_test(fault_is_told),
    };
    struct err err = {0};

    if (secret_heap_init(&err) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
