/* SPDX-License-Identifier: Apache-2.0 */
/* Stores that fill up: issuing stops first, revocations are recorded to the last. */
#include "store/store.h"

#include "store_fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

/* ---- a map that fills up ---- */

struct bulk {
    uint32_t first, count;
    enum lease_state state;
};

static int apply_bulk(struct store_txn *txn, void *arg, struct err *err)
{
    const struct bulk *bulk = arg;
    struct lease lease;
    int rc = 0;

    memset(&lease, 0, sizeof lease);
    lease.state = bulk->state;
    lease.created_ms = 1700000000000;
    memset(lease.error, 'e', 300);
    for (uint32_t i = 0; i < bulk->count && rc == 0; i++) {
        lease.id = fixture_id(bulk->first + i);
        rc = store_put(txn, &lease, err);
    }
    return rc;
}

static int put_bulk(struct store *store, uint32_t first, uint32_t count, enum lease_state to,
                    bool urgent, struct err *err)
{
    struct bulk bulk = {first, count, to};

    return store_run(store, apply_bulk, &bulk, urgent, err);
}

/* Puts leases until the store refuses; their number. */
static uint32_t fill(struct store *store, bool urgent, struct err *err)
{
    uint32_t count = 0;

    for (uint32_t step = 10; step > 0; step /= 10) /* first in larger steps */
        while (count < 1000000 && put_bulk(store, count, step, LEASE_ISSUING, urgent, err) == 0)
            count += step;
    assert_true(count > 500 && count < 1000000);
    return count;
}

static void test_the_reserve_is_for_urgent_operations(void **state)
{
    struct store_options opened = fixture_options();
    struct store *store;
    struct err err = {0};
    uint32_t count;

    (void)state;
    opened.map_size = UINT64_C(4) << 20;
    store = fixture_open(&opened);
    count = fill(store, false, &err);
    assert_int_equal(err.code, KMS_ESTOREFULL);
    assert_non_null(strstr(err.message, fixture_path));
    assert_non_null(strstr(err.message, "bytes of its map"));
    assert_false(fixture_stats(store).issuing_allowed);
    assert_int_equal(fixture_stats(store).live, count);
    for (uint32_t i = 0; i + 10 <= count;
         i += 10) /* what is there can be changed, each in a commit */
        assert_int_equal(put_bulk(store, i, 10, LEASE_REVOKING, true, &err), 0);
    for (uint32_t i = 0; i < count; i += 10)
        assert_int_equal(put_bulk(store, i, 10, LEASE_NONE, true, &err),
                         0); /* also some that are not there */
    assert_int_equal(fixture_stats(store).leases, 0);
    assert_int_equal(put_bulk(store, 0, 10, LEASE_ISSUING, false, &err), 0);
    assert_true(fixture_stats(store).issuing_allowed);
    store_close(store);
}

/* A map that is full to the brim: the operation fails, the store goes on, deletions make room. */
static void test_a_full_map_fails_cleanly(void **state)
{
    struct store_options opened = fixture_options();
    struct store *store;
    struct err err = {0};
    uint32_t count;

    (void)state;
    opened.map_size = UINT64_C(2) << 20;
    opened.on_fatal = NULL; /* would abort */
    store = fixture_open(&opened);
    count = fill(store, true, &err);
    assert_int_equal(err.code, KMS_ESTOREFULL);
    assert_int_equal(fixture_stats(store).leases, count);
    assert_int_equal(put_bulk(store, 0, 1, LEASE_NONE, true, &err), 0);
    assert_int_equal(fixture_stats(store).leases, count - 1);
    store_close(store);
    store = fixture_open(&opened);
    assert_int_equal(fixture_stats(store).leases, count - 1);
    store_close(store);
}

#define PINNED_COMMITS 30
struct pinned {
    struct store *store;
    uint32_t count;
};

/* Inside a list's read transaction: pages that are freed now cannot be used again. */
static bool fill_and_revoke(const struct lease *lease, void *arg)
{
    struct pinned *pinned = arg;
    struct err err = {0};

    (void)lease;
    while (put_bulk(pinned->store, pinned->count, 10, LEASE_ISSUING, false, &err) == 0)
        pinned->count += 10;
    FIXTURE_CHECK(err.code == KMS_ESTOREFULL);
    for (uint32_t i = 0; i < PINNED_COMMITS; i++)
        if (put_bulk(pinned->store, 1 + i, 1, LEASE_REVOKING, true, &err) != 0) {
            fprintf(stderr, "revocation %u: %s\n", i, err.message);
            abort();
        }
    return false;
}

static void test_revocations_fit_beside_a_pinned_reader(void **state)
{
    struct store_options opened = fixture_options();
    struct pinned pinned = {.count = 100};
    struct uuid cursor;
    struct err err = {0};

    (void)state;
    opened.map_size = UINT64_C(16) << 20;
    opened.reserve_bytes = UINT64_C(2) << 20;
    pinned.store = fixture_open(&opened);
    assert_int_equal(put_bulk(pinned.store, 0, 100, LEASE_ISSUING, false, &err), 0);
    assert_int_equal(
        store_list(pinned.store, NULL, NULL, 1, fill_and_revoke, &pinned, &cursor, &err), 0);
    assert_true(pinned.count > 500);
    assert_int_equal(fixture_stats(pinned.store).revoking, PINNED_COMMITS);
    store_close(pinned.store);
}

/* ---- what found no room is held in memory ---- */

static bool count_one(const struct lease *lease, void *arg)
{
    size_t *count = arg;

    *count += lease->state == LEASE_REVOKING && lease->stage == REVOKE_CLEANUP;
    return true;
}

static size_t count_revoking(struct store *store)
{
    const struct lease_filter filter = {.state = LEASE_REVOKING};
    struct err err = {0};
    struct uuid cursor;
    size_t count = 0;

    assert_int_equal(store_list(store, &filter, NULL, 1000, count_one, &count, &cursor, &err), 0);
    return count;
}

static void test_held_revocations_are_shown_by_every_read(void **state)
{
    const struct store_options opened = fixture_options();
    struct store *store = fixture_open(&opened);
    struct lease_owner actor = {.uid = 7};
    struct store_held_key keys[4], stale;
    struct store_held held;
    struct err err = {0};
    struct uuid id = fixture_id(1);
    struct lease lease, shown;
    size_t due = 0;

    (void)state;
    assert_int_equal(put_bulk(store, 0, 3, LEASE_ISSUING, false, &err), 0);
    assert_int_equal(store_read(store, &id, &lease, &err), 0);
    assert_false(store_held_get(store, &id, &held));
    lease.state = LEASE_REVOKING;
    lease.reason = REVOKE_EXPIRED;
    assert_int_equal(store_hold(store, &lease, &actor, false, &err), 0);
    assert_true(store_held_get(store, &id, &held));
    stale = held.key;
    lease.stage = REVOKE_CLEANUP;
    lease.attempts = 3;
    assert_int_equal(store_hold(store, &lease, NULL, true, &err), 0); /* progress */
    assert_int_equal(store_held_count(store), 1);
    assert_true(store_held_get(store, &id, &held) && held.has_actor && held.actor.uid == 7);
    assert_false(held.recorded);

    assert_int_equal(store_read(store, &id, &shown, &err), 0);
    assert_true(shown.state == LEASE_REVOKING && shown.stage == REVOKE_CLEANUP);
    assert_true(shown.reason == REVOKE_EXPIRED && shown.attempts == 3);
    assert_int_equal(count_revoking(store), 1);
    assert_int_equal(store_list_due(store, INT64_MAX, 100, count_one, &due, &err), 0);
    assert_int_equal(due, 1);
    assert_int_equal(fixture_stats(store).held, 1);
    assert_int_equal(fixture_stats(store).revoking, 0); /* the record says otherwise */
    assert_false(fixture_stats(store).issuing_allowed);
    assert_int_equal(put_bulk(store, 9, 1, LEASE_ISSUING, false, &err), KMS_ESTOREFULL);
    assert_int_equal(put_bulk(store, 2, 1, LEASE_REVOKING, true, &err), 0);

    store_release(store, &stale); /* it has changed since: stays */
    assert_int_equal(store_held_list(store, keys, 4), 1);
    store_release(store, &keys[0]);
    assert_int_equal(store_held_count(store), 0);
    assert_int_equal(store_read(store, &id, &shown, &err), 0);
    assert_int_equal(shown.state, LEASE_ISSUING);
    assert_int_equal(put_bulk(store, 9, 1, LEASE_ISSUING, false, &err), 0);
    assert_int_equal(store_hold(store, &lease, &actor, false, &err), 0);
    store_close(store); /* frees it */
}

/* ---- a disk that fills up: a small tmpfs of the test's own ---- */

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd >= 0) {
        if (write(fd, text, strlen(text)) < 0)
            perror(path);
        close(fd);
    }
}

static bool mount_small(const char *at)
{
    char map[64];
    uid_t uid = geteuid();
    gid_t gid = getegid();

    if (unshare(CLONE_NEWNS | (uid != 0 ? CLONE_NEWUSER : 0)) != 0)
        return false;
    if (uid != 0) {
        write_file("/proc/self/setgroups", "deny");
        snprintf(map, sizeof map, "0 %u 1", uid);
        write_file("/proc/self/uid_map", map);
        snprintf(map, sizeof map, "0 %u 1", gid);
        write_file("/proc/self/gid_map", map);
    }
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return false;
    return mount("tmpfs", at, "tmpfs", 0, "size=16m,mode=0700") == 0;
}

/* Writes until at most leave bytes are free. */
static void fill_disk(const char *path, uint64_t leave)
{
    static const char block[4096];
    struct statvfs fs;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    FIXTURE_CHECK(fd >= 0);
    while (fstatvfs(fd, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize > leave &&
           write(fd, block, sizeof block) > 0)
        ;
    close(fd);
}

static int check_full_disk(const char *at, uint32_t point)
{
    char store_path[300], filler[300];
    struct store_options opened = fixture_options();
    struct store *store = NULL;
    struct err err = {0};
    uint32_t count = 100;

    snprintf(store_path, sizeof store_path, "%s/store", at);
    snprintf(filler, sizeof filler, "%s/filler", at);
    opened.directory = store_path;
    if (store_open(&opened, "test-agent", &store, &err) != 0)
        return 10;
    if (put_bulk(store, 0, 100, LEASE_ISSUING, false, &err) != 0)
        return 11;
    fill_disk(filler, point * 4096 * 3);
    while (put_bulk(store, count, 10, LEASE_ISSUING, false, &err) == 0 && count < 100000)
        count += 10;
    if (err.code != KMS_ESTOREFULL || fixture_stats(store).issuing_allowed)
        return 12;
    fill_disk(filler, 0); /* the last byte is gone, revocations are recorded all the same */
    for (uint32_t i = 0; i < 50; i++)
        if (put_bulk(store, i, 1, LEASE_REVOKING, true, &err) != 0)
            return 13;
    store_close(store); /* and a restart on the full disk works */
    if (store_open(&opened, "test-agent", &store, &err) != 0)
        return 14;
    if (fixture_stats(store).revoking != 50 ||
        put_bulk(store, 60, 1, LEASE_REVOKING, true, &err) != 0)
        return 15;
    unlink(filler);
    if (put_bulk(store, count, 10, LEASE_ISSUING, false, &err) != 0)
        return 16;
    store_close(store);
    fixture_remove(store_path);
    return 0;
}

static void test_a_full_disk_never_blocks_a_revocation(void **state)
{
    char at[] = "/tmp/kms-disk-XXXXXX";
    int status;
    pid_t child;

    (void)state;
    assert_non_null(mkdtemp(at));
    child = fork();
    if (child == 0) {
        int rc = 0;

        if (!mount_small(at))
            _exit(77);
        for (uint32_t point = 0; point < 5 && rc == 0; point++) {
            char sub[64];

            snprintf(sub, sizeof sub, "%s/p", at);
            mkdir(sub, 0700);
            rc = check_full_disk(sub, point);
        }
        _exit(rc);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    rmdir(at);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip(); /* no right to mount here */
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("status 0x%x", status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_reserve_is_for_urgent_operations),
        TEST(test_a_full_map_fails_cleanly),
        TEST(test_revocations_fit_beside_a_pinned_reader),
        TEST(test_held_revocations_are_shown_by_every_read),
        TEST(test_a_full_disk_never_blocks_a_revocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
