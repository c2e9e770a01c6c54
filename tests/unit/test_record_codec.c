/* SPDX-License-Identifier: Apache-2.0 */
/* The record codec: every field travels, unknown ones are kept, hostile bytes are refused. */
#include "store/record_codec.h"

#include "store_fixture.h"

#include <limits.h>

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static uint8_t buf[RECORD_BYTES_MAX];

/* Each byte of the struct that is no padding must belong to a field: a member that was added to the
 * struct and not to the table fails here. */
static void check_covered(const struct record_table *table, const uint8_t *object, size_t size,
                          const char *name)
{
    uint8_t *covered = calloc(1, size);

    for (size_t i = 0; i < table->count; i++) {
        const struct record_field *field = &table->fields[i];

        for (size_t at = field->offset; at < field->offset + field->size; at++) {
            if (covered[at])
                fail_msg("%s: byte %zu is in two fields", name, at);
            covered[at] = 1;
        }
    }
    for (size_t at = 0; at < size; at++)
        if (object[at] != 0 && !covered[at])
            fail_msg("%s: byte %zu is in no field of the table", name, at);
        else if (object[at] == 0 && covered[at])
            fail_msg("%s: field byte %zu is padding", name, at);
    free(covered);
}

static void test_every_member_has_a_field(void **state)
{
    struct lease lease;
    struct audit audit;
    struct record_derived derived;

    (void)state;
    memset(&lease, 0xFF, sizeof lease);
    memset(&audit, 0xFF, sizeof audit);
    memset(&derived, 0xFF, sizeof derived);
    __builtin_clear_padding(&lease);
    __builtin_clear_padding(&audit);
    __builtin_clear_padding(&derived);
    check_covered(&record_lease_table, (uint8_t *)&lease, sizeof lease, "lease");
    check_covered(&record_audit_table, (uint8_t *)&audit, sizeof audit, "audit");
    check_covered(&record_derived_table, (uint8_t *)&derived, sizeof derived, "derived");
}

static void check_table(const struct record_table *table, uint32_t *last)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct record_field *field = &table->fields[i];

        assert_true(field->id > *last && field->id <= RECORD_ID_MAX);
        *last = field->id;
        if (field->kind == RECORD_BOOL)
            assert_int_equal(field->size, sizeof(bool));
        else if (field->kind == RECORD_UUID)
            assert_int_equal(field->size, sizeof(struct uuid));
        else if (field->kind == RECORD_GROUPS)
            assert_int_equal(field->size, sizeof(struct lease_groups));
        else if (field->kind != RECORD_TEXT)
            assert_true(field->size == 4 || field->size == 8);
    }
}

static void test_ids_ascend_and_sizes_fit_kinds(void **state)
{
    uint32_t last = 0;

    (void)state;
    check_table(&record_lease_table, &last);
    check_table(&record_derived_table, &last);
    last = 0;
    check_table(&record_audit_table, &last);
}

static void check_lease_round_trip(const struct lease *lease, const struct record_derived *derived)
{
    struct lease back;
    struct record_derived derived_back;
    struct err err = {0};
    size_t len;

    memset(&back, 0xAA, sizeof back);
    memset(&derived_back, 0xAA, sizeof derived_back);
    if (record_encode_lease(lease, derived, NULL, 0, buf, sizeof buf, &len, &err) != 0 ||
        record_decode_lease(buf, len, &back, &derived_back, &err) != 0)
        fail_msg("%s", err.message);
    assert_memory_equal(lease, &back, sizeof back);
    assert_memory_equal(derived, &derived_back, sizeof derived_back);
}

static void check_audit_round_trip(const struct audit *audit)
{
    struct audit back;
    struct err err = {0};
    size_t len;

    memset(&back, 0xAA, sizeof back);
    if (record_encode_audit(audit, buf, sizeof buf, &len, &err) != 0 ||
        record_decode_audit(buf, len, &back, &err) != 0)
        fail_msg("%s", err.message);
    assert_memory_equal(audit, &back, sizeof back);
}

static void test_round_trip_filled(void **state)
{
    struct lease lease;
    struct record_derived derived;
    struct audit audit;

    (void)state;
    for (int i = 0; i < 500; i++) {
        fixture_fill(&record_lease_table, &lease, sizeof lease, i == 0);
        fixture_fill(&record_derived_table, &derived, sizeof derived, i == 0);
        fixture_fill(&record_audit_table, &audit, sizeof audit, i == 0);
        check_lease_round_trip(&lease, &derived);
        check_audit_round_trip(&audit);
    }
}

static void test_round_trip_each_field_alone(void **state)
{
    struct lease lease;
    struct record_derived derived;
    struct audit audit;

    (void)state;
    memset(&derived, 0, sizeof derived);
    for (size_t i = 0; i < record_lease_table.count; i++) {
        const struct record_field *field = &record_lease_table.fields[i];

        memset(&lease, 0, sizeof lease);
        fixture_fill_field(field, (uint8_t *)&lease + field->offset, true);
        check_lease_round_trip(&lease, &derived);
    }
    for (size_t i = 0; i < record_audit_table.count; i++) {
        const struct record_field *field = &record_audit_table.fields[i];

        memset(&audit, 0, sizeof audit);
        fixture_fill_field(field, (uint8_t *)&audit + field->offset, true);
        check_audit_round_trip(&audit);
    }
}

static void test_extreme_numbers(void **state)
{
    struct lease lease;
    struct record_derived derived;

    (void)state;
    memset(&lease, 0, sizeof lease);
    memset(&derived, 0, sizeof derived);
    lease.created_ms = INT64_MIN;
    lease.expires_ms = INT64_MAX;
    lease.owner.pid = INT32_MIN;
    lease.process.pid = INT32_MAX;
    lease.owner.uid = UINT32_MAX;
    lease.process.start_time = UINT64_MAX;
    derived.due_ms = -1;
    check_lease_round_trip(&lease, &derived);
}

/* Bytes that were written once must be read for ever: ids and kinds do not move. */
static void test_golden_record(void **state)
{
    static const uint8_t golden[] = {
        0x87,                                                            /* map of 7 */
        0x01, 0xC4, 16,   1,    2,   3,    4,   5,   6,                  /* 1: id */
        7,    8,    9,    10,   11,  12,   13,  14,  15, 16, 0x02, 0x02, /* 2: ACTIVE */
        0x03, 0xC3,                                                      /* 3: delivered */
        0x0B, 0xA6, 'd',  'e',  'p', 'l',  'o', 'y',                     /* 11: secret */
        0x15, 0xCF, 0,    0,    1,   0x90, 0,   0,   0,  1,              /* 21: expires_ms */
        0x28, 0xCD, 0x03, 0xE8,                                          /* 40: uid 1000 */
        0x2A, 0xFF,                                                      /* 42: pid -1 */
    };
    struct record_derived derived;
    struct lease lease;
    struct err err = {0};
    size_t len;

    (void)state;
    assert_int_equal(record_decode_lease(golden, sizeof golden, &lease, &derived, &err), 0);
    assert_int_equal(lease.id.bytes[15], 16);
    assert_int_equal(lease.state, LEASE_ACTIVE);
    assert_true(lease.delivered);
    assert_string_equal(lease.secret, "deploy");
    assert_true(lease.expires_ms == (INT64_C(0x190) << 32) + 1);
    assert_int_equal(lease.owner.uid, 1000);
    assert_int_equal(lease.owner.pid, -1);
    assert_int_equal(record_encode_lease(&lease, &derived, NULL, 0, buf, sizeof buf, &len, &err),
                     0);
    assert_int_equal(len, sizeof golden);
    assert_memory_equal(buf, golden, len);
}

/* Pairs of a later version: nested, ext, float, bin, and an integer that is longer than it must be.
 */
static const uint8_t later_pairs[] = {
    0xCC, 200,  0x82, 0xA1, 'a', 0x93, 1,    2,    3,    0xA1, 'b',
    0xC0,                                                            /* 200: {a: [1,2,3], b: nil} */
    0xCC, 201,  0xCF, 0,    0,   0,    0,    0,    0,    0,    7,    /* 201: 7 in nine bytes */
    0xCD, 0x03, 0xFF, 0xC7, 3,   5,    1,    2,    3,                /* 1023: ext */
    0xCC, 202,  0xCB, 0x40, 9,   0x21, 0xFB, 0x54, 0x44, 0x2D, 0x18, /* 202: float */
    0xCC, 203,  0xC4, 2,    0,   1,                                  /* 203: bin */
};
#define LATER_PAIRS 5

static void test_unknown_fields_are_kept_byte_for_byte(void **state)
{
    static const uint8_t head[] = {0x80 + 2 + LATER_PAIRS, 0x02, 0x01, 0x0B, 0xA1, 'x'};
    uint8_t old[sizeof head + sizeof later_pairs], again[RECORD_BYTES_MAX];
    struct record_derived derived;
    struct lease lease;
    struct err err = {0};
    size_t len, len_again;

    (void)state;
    memcpy(old, head, sizeof head);
    memcpy(old + sizeof head, later_pairs, sizeof later_pairs);
    assert_int_equal(record_decode_lease(old, sizeof old, &lease, &derived, &err), 0);
    assert_int_equal(lease.state, LEASE_ISSUING);
    lease.state = LEASE_REVOKING;
    lease.attempts = 3;
    assert_int_equal(
        record_encode_lease(&lease, &derived, old, sizeof old, buf, sizeof buf, &len, &err), 0);
    assert_memory_equal(buf + len - sizeof later_pairs, later_pairs, sizeof later_pairs);
    assert_int_equal(record_decode_lease(buf, len, &lease, &derived, &err), 0);
    assert_int_equal(lease.attempts, 3);
    assert_int_equal(
        record_encode_lease(&lease, &derived, buf, len, again, sizeof again, &len_again, &err), 0);
    assert_int_equal(len_again, len);
    assert_memory_equal(again, buf, len);
}

static void test_every_truncation_is_refused(void **state)
{
    struct record_derived derived;
    struct lease lease;
    struct audit audit;
    struct err err;
    size_t len;

    (void)state;
    fixture_fill(&record_lease_table, &lease, sizeof lease, false);
    fixture_fill(&record_derived_table, &derived, sizeof derived, false);
    assert_int_equal(record_encode_lease(&lease, &derived, NULL, 0, buf, sizeof buf, &len, &err),
                     0);
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *exact = malloc(cut + 1); /* so that a read beyond the end is seen */

        memcpy(exact, buf, cut);
        memset(&err, 0, sizeof err);
        assert_int_equal(record_decode_lease(exact, cut, &lease, &derived, &err), KMS_ESTORE);
        assert_true(err.message[0] != 0);
        free(exact);
    }
    fixture_fill(&record_audit_table, &audit, sizeof audit, false);
    assert_int_equal(record_encode_audit(&audit, buf, sizeof buf, &len, &err), 0);
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(record_decode_audit(buf, cut, &audit, &err), KMS_ESTORE);
    assert_int_equal(record_decode_audit(buf, len + 1, &audit, &err), KMS_ESTORE);
}

static const struct malformed {
    const char *name, *message;
    const uint8_t *bytes;
    size_t len;
} malformed[] = {
    {"nil", "not a map", BYTES(0xC0)},
    {"array", "not a map", BYTES(0x91, 0x01)},
    {"four billion pairs", "", BYTES(0xDF, 0xFF, 0xFF, 0xFF, 0xFF)},
    {"four billion elements", "", BYTES(0x81, 0x05, 0xDD, 0xFF, 0xFF, 0xFF, 0xFF)},
    {"string of 4 GiB", "", BYTES(0x81, 0x0B, 0xDB, 0xFF, 0xFF, 0xFF, 0xFF)},
    {"nested 9 deep", "",
     BYTES(0x81, 0x05, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x00)},
    {"byte that is never used", "", BYTES(0x81, 0x05, 0xC1)},
    {"bytes after the end", "after its end", BYTES(0x80, 0x00)},
    {"key 0", "not a field id", BYTES(0x81, 0x00, 0x01)},
    {"key 1024", "not a field id", BYTES(0x81, 0xCD, 0x04, 0x00, 0x01)},
    {"key -1", "not a field id", BYTES(0x81, 0xFF, 0x01)},
    {"text key", "not a field id", BYTES(0x81, 0xA1, '2', 0x01)},
    {"known field twice", "field 2 comes twice", BYTES(0x82, 0x02, 0x01, 0x02, 0x02)},
    {"unknown field twice", "field 100 comes twice", BYTES(0x82, 0x64, 0x01, 0x64, 0x01)},
    {"state 5", "field 2 is out of range", BYTES(0x81, 0x02, 0x05)},
    {"state -1", "field 2 has the wrong type", BYTES(0x81, 0x02, 0xFF)},
    {"state text", "field 2 has the wrong type", BYTES(0x81, 0x02, 0xA1, '1')},
    {"bool 1", "field 3 has the wrong type", BYTES(0x81, 0x03, 0x01)},
    {"id of 15", "field 1 has the wrong type",
     BYTES(0x81, 0x01, 0xC4, 15, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)},
    {"id as text", "field 1 has the wrong type",
     BYTES(0x81, 0x01, 0xB0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)},
    {"account of 13", "field 15 is too long",
     BYTES(0x81, 0x0F, 0xAD, '1', '2', '3', '4', '5', '6', '7', '8', '9', '0', '1', '2', '3')},
    {"NUL inside", "field 11 has a NUL inside", BYTES(0x81, 0x0B, 0xA3, 'a', 0, 'b')},
    {"text as number", "field 11 has the wrong type", BYTES(0x81, 0x0B, 0x05)},
    {"text as bin", "field 11 has the wrong type", BYTES(0x81, 0x0B, 0xC4, 1, 'a')},
    {"time above INT64_MAX", "field 21 is out of range",
     BYTES(0x81, 0x15, 0xCF, 0x80, 0, 0, 0, 0, 0, 0, 0)},
    {"time as float", "field 21 has the wrong type",
     BYTES(0x81, 0x15, 0xCB, 0x40, 9, 0x21, 0xFB, 0x54, 0x44, 0x2D, 0x18)},
    {"uid above 32 bits", "field 40 is out of range",
     BYTES(0x81, 0x28, 0xCF, 0, 0, 0, 1, 0, 0, 0, 0)},
    {"pid above INT32_MAX", "field 42 is out of range", BYTES(0x81, 0x2A, 0xCE, 0x80, 0, 0, 0)},
    {"pid below INT32_MIN", "field 42 is out of range",
     BYTES(0x81, 0x2A, 0xD3, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF)},
    {"no groups, not even how many", "field 124 has the wrong type", BYTES(0x81, 0x7C, 0x90)},
    {"groups as number", "field 124 has the wrong type", BYTES(0x81, 0x7C, 0x01)},
    {"a group as text", "field 124 has the wrong type", BYTES(0x81, 0x7C, 0x92, 0x01, 0xA1, '1')},
    {"fewer groups than said", "field 124 is out of range", BYTES(0x81, 0x7C, 0x92, 0x02, 0x01)},
    {"a group above 32 bits", "field 124 is out of range",
     BYTES(0x81, 0x7C, 0x92, 0x01, 0xCF, 0, 0, 0, 1, 0, 0, 0, 0)},
    {"more groups than are kept", "field 124 is out of range",
     BYTES(0x81, 0x7C, 0xDC, 0, 34, 33, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
           1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)},
    {"method 3", "field 80 is out of range", BYTES(0x81, 0x50, 0x03)},
    {"type 2", "field 81 is out of range", BYTES(0x81, 0x51, 0x02)},
};

static void test_malformed_records_are_refused(void **state)
{
    struct lease lease, before;
    struct err err;

    (void)state;
    memset(&before, 0x55, sizeof before);
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        memset(&err, 0, sizeof err);
        memcpy(&lease, &before, sizeof lease);
        if (record_decode_lease(malformed[i].bytes, malformed[i].len, &lease, NULL, &err) !=
            KMS_ESTORE)
            fail_msg("%s was not refused", malformed[i].name);
        if (strstr(err.message, malformed[i].message) == NULL)
            fail_msg("%s: \"%s\"", malformed[i].name, err.message);
        assert_memory_equal(&lease, &before, sizeof lease); /* untouched on failure */
    }
}

static void test_values_that_could_not_be_read_are_not_written(void **state)
{
    struct record_derived derived;
    struct lease lease;
    struct err err = {0};
    size_t len = 77;

    (void)state;
    memset(&derived, 0, sizeof derived);
    memset(&lease, 0, sizeof lease);
    lease.state = (enum lease_state)5;
    assert_int_equal(record_encode_lease(&lease, &derived, NULL, 0, buf, sizeof buf, &len, &err),
                     KMS_EINTERNAL);
    lease.state = LEASE_ACTIVE;
    memset(lease.secret, 'x', sizeof lease.secret);
    assert_int_equal(record_encode_lease(&lease, &derived, NULL, 0, buf, sizeof buf, &len, &err),
                     KMS_EINTERNAL);
    lease.secret[3] = 0;
    assert_int_not_equal(record_encode_lease(&lease, &derived, NULL, 0, buf, 7, &len, &err), 0);
    assert_int_equal(len, 77);
}

/* Any bytes: refused, or a record that survives the way back and forth. */
static void test_mutated_records(void **state)
{
    static uint8_t mutated[RECORD_BYTES_MAX], encoded[RECORD_BYTES_MAX];
    struct record_derived derived;
    struct lease lease, again;
    struct err err;
    size_t len, accepted = 0;

    (void)state;
    fixture_fill(&record_lease_table, &lease, sizeof lease, false);
    fixture_fill(&record_derived_table, &derived, sizeof derived, false);
    assert_int_equal(record_encode_lease(&lease, &derived, NULL, 0, buf, sizeof buf, &len, &err),
                     0);
    for (int i = 0; i < 20000; i++) {
        size_t encoded_len;

        memcpy(mutated, buf, len);
        for (uint32_t flips = 1 + fixture_below(3); flips > 0; flips--)
            mutated[fixture_below((uint32_t)len)] = (uint8_t)fixture_random();
        if (record_decode_lease(mutated, len, &lease, &derived, &err) != 0)
            continue;
        accepted++;
        assert_int_equal(record_encode_lease(&lease, &derived, mutated, len, encoded,
                                             sizeof encoded, &encoded_len, &err),
                         0);
        assert_int_equal(record_decode_lease(encoded, encoded_len, &again, NULL, &err), 0);
        assert_memory_equal(&again, &lease, sizeof lease);
    }
    assert_true(accepted > 100 && accepted < 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_member_has_a_field),
        cmocka_unit_test(test_ids_ascend_and_sizes_fit_kinds),
        cmocka_unit_test(test_round_trip_filled),
        cmocka_unit_test(test_round_trip_each_field_alone),
        cmocka_unit_test(test_extreme_numbers),
        cmocka_unit_test(test_golden_record),
        cmocka_unit_test(test_unknown_fields_are_kept_byte_for_byte),
        cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_malformed_records_are_refused),
        cmocka_unit_test(test_values_that_could_not_be_read_are_not_written),
        cmocka_unit_test(test_mutated_records),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
