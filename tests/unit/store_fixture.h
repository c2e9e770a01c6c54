/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of agent/store/ share: a scratch directory, a seeded generator, filled records. */
#ifndef KMS_TESTS_UNIT_STORE_FIXTURE_H
#define KMS_TESTS_UNIT_STORE_FIXTURE_H

#include "store/record_fields.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define FIXTURE_MAP (UINT64_C(64) << 20)

/* xorshift64*: the same numbers on each run and machine. */
static uint64_t fixture_seed = 88172645463325252u;

static inline uint64_t fixture_random(void)
{
    fixture_seed ^= fixture_seed >> 12;
    fixture_seed ^= fixture_seed << 25;
    fixture_seed ^= fixture_seed >> 27;
    return fixture_seed * 2685821657736338717u;
}

static inline uint32_t fixture_below(uint32_t bound)
{
    return (uint32_t)((fixture_random() >> 32) % bound);
}

/* cmocka's assertions jump, which only the test's own thread may: operations run on the writer
 * thread. */
#define FIXTURE_CHECK(condition)                                                                   \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* A directory that is not there yet, inside a fresh one under $TMPDIR or /tmp; fast: in memory,
 * where there is. */
static inline void fixture_directory(char ret[256], bool fast)
{
    const char *base = getenv("TMPDIR");
    char parent[200];

    if (base == NULL)
        base = fast && access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(parent, sizeof parent, "%s/kms-store-XXXXXX", base);
    assert_non_null(mkdtemp(parent));
    snprintf(ret, 256, "%s/store", parent);
}

static inline void fixture_remove(const char *directory)
{
    static const char *const names[] = {"data.mdb", "lock.mdb", "lock.agent"};
    char path[320];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        unlink(path);
    }
    rmdir(directory);
    snprintf(path, sizeof path, "%s", directory);
    *strrchr(path, '/') = 0;
    rmdir(path);
}

static inline struct store *fixture_open(const struct store_options *options)
{
    struct store *store = NULL;
    struct err err = {0};

    if (store_open(options, "test-agent", &store, &err) != 0)
        fail_msg("store_open: %s", err.message);
    return store;
}

/* Random text of len characters. */
static inline void fixture_text(char *ret, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ret[i] = (char)('!' + fixture_below(94));
    ret[len] = 0;
}

static inline void fixture_groups(uint32_t count, uint8_t *value)
{
    struct lease_groups groups = {.count = count};

    for (uint32_t i = 0; i < count && i < LEASE_GROUPS_MAX; i++)
        groups.ids[i] = (uint32_t)fixture_random();
    memcpy(value, &groups, sizeof groups);
}

static inline void fixture_fill_field(const struct record_field *field, uint8_t *value, bool full)
{
    uint64_t number = fixture_random();

    switch ((enum record_kind)field->kind) {
    case RECORD_BOOL:
        *value = 1;
        break;
    case RECORD_UNSIGNED:
        if (field->max != UINT64_MAX)
            number = full ? field->max : 1 + number % field->max;
        if (field->size == 4)
            memcpy(value, &(uint32_t){(uint32_t)number}, 4);
        else
            memcpy(value, &number, 8);
        break;
    case RECORD_SIGNED:
        if (field->size == 4)
            memcpy(value, &(int32_t){(int32_t)(number | 1)}, 4);
        else
            memcpy(value, &(int64_t){(int64_t)(number | 1)}, 8);
        break;
    case RECORD_TEXT:
        fixture_text((char *)value, full ? field->size - 1 : 1 + fixture_below(field->size - 1));
        break;
    case RECORD_UUID:
        for (size_t i = 0; i < field->size; i++)
            value[i] = (uint8_t)(1 + fixture_below(255));
        break;
    case RECORD_GROUPS:
        fixture_groups(full ? UINT32_MAX : 1 + (uint32_t)fixture_below(2 * LEASE_GROUPS_MAX),
                       value);
        break;
    }
}

/* Fills each field with something that is not zero; full: with the most it takes. Bytes that no
 * field covers become 0. */
static inline void fixture_fill(const struct record_table *table, void *base, size_t size,
                                bool full)
{
    memset(base, 0, size);
    for (size_t i = 0; i < table->count; i++)
        fixture_fill_field(&table->fields[i], (uint8_t *)base + table->fields[i].offset, full);
}

/* A directory on disk for each test of a group. */
static char fixture_path[256];

static inline int fixture_set_up(void **state)
{
    (void)state;
    fixture_directory(fixture_path, false);
    return 0;
}

static inline int fixture_tear_down(void **state)
{
    (void)state;
    fixture_remove(fixture_path);
    return 0;
}

static inline struct store_options fixture_options(void)
{
    return (struct store_options){
        .directory = fixture_path, .map_size = FIXTURE_MAP, .allow_volatile = true};
}

static inline struct store_stats fixture_stats(struct store *store)
{
    struct store_stats stats;
    struct err err = {0};

    if (store_stats(store, &stats, &err) != 0)
        fail_msg("%s", err.message);
    return stats;
}

/* Ids that ascend with their numbers. */
static inline struct uuid fixture_id(uint32_t number)
{
    uint8_t random[10] = {0};

    memcpy(random + 4, &number, sizeof number);
    return uuid7_make(1700000000000 + number, random);
}

#endif
