/* SPDX-License-Identifier: Apache-2.0 */
/* Loss of power: each write and sync of the store's file is recorded; then for each moment between
 * two of them the file is made as a disk may have it, with any part of what was not synced, and
 * opened. It must be whole: all of the changes that were answered, and of the one in flight all or
 * nothing. */
#define LEASES 40
#include "store_model.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define CHANGES 40
#define DRAWS 3            /* at each moment */
#define SECTOR 512         /* a disk writes it whole or not at all */
#define FILE_MAX (4 << 20) /* that the store's file grows to */
#define EVENTS_MAX 4096

/* ---- the recorder: these take the place of libc's for LMDB too ---- */

enum event_kind { EVENT_WRITE, EVENT_SYNC, EVENT_NAME, EVENT_ANSWER };

struct event {
    enum event_kind kind;
    bool through; /* a write that returns when it is on the disk */
    size_t offset, len;
    uint8_t *bytes;
};

static struct event events[EVENTS_MAX];
static size_t event_count;
static bool recording;
static pthread_mutex_t record_lock = PTHREAD_MUTEX_INITIALIZER;

#define INTERPOSED __attribute__((visibility("default")))
INTERPOSED ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset);
INTERPOSED ssize_t write(int fd, const void *bytes, size_t len);
INTERPOSED ssize_t writev(int fd, const struct iovec *parts, int count);
INTERPOSED int fdatasync(int fd);
INTERPOSED int fsync(int fd);
INTERPOSED int renameat(int from_fd, const char *from, int to_fd, const char *to);

static void record(const struct event *event)
{
    pthread_mutex_lock(&record_lock);
    if (event_count == EVENTS_MAX)
        abort();
    events[event_count++] = *event;
    pthread_mutex_unlock(&record_lock);
}

static bool is_recorded(int fd)
{
    char link[64], path[512] = "";

    if (!recording)
        return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return readlink(link, path, sizeof path - 1) > 0 && strstr(path, "/data.mdb") != NULL;
}

static void record_write(int fd, const void *bytes, size_t len, off_t offset)
{
    struct event event = {.kind = EVENT_WRITE, .offset = (size_t)offset, .len = len};

    if (!is_recorded(fd))
        return;
    if (event.offset + len > FILE_MAX)
        abort();
    event.through = (fcntl(fd, F_GETFL) & O_DSYNC) != 0;
    event.bytes = malloc(len);
    if (event.bytes == NULL)
        abort();
    memcpy(event.bytes, bytes, len);
    record(&event);
}

static void record_sync(int fd)
{
    if (is_recorded(fd))
        record(&(struct event){.kind = EVENT_SYNC});
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    record_write(fd, bytes, len, offset);
    return syscall(SYS_pwrite64, fd, bytes, len, offset);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    record_write(fd, bytes, len, recording ? lseek(fd, 0, SEEK_CUR) : 0);
    return syscall(SYS_write, fd, bytes, len);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    off_t offset = recording ? lseek(fd, 0, SEEK_CUR) : 0;

    for (int i = 0; i < count; i++) {
        record_write(fd, parts[i].iov_base, parts[i].iov_len, offset);
        offset += (off_t)parts[i].iov_len;
    }
    return syscall(SYS_writev, fd, parts, count);
}

int fdatasync(int fd)
{
    record_sync(fd);
    return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    record_sync(fd);
    return (int)syscall(SYS_fsync, fd);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    if (recording)
        record(&(struct event){.kind = EVENT_NAME});
    return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, 0);
}

/* ---- what is recorded ---- */

static struct change changes[CHANGES];

/* The number of audit lines says how many changes a store holds. */
static int apply_and_count(struct store_txn *txn, void *arg, struct err *err)
{
    static const struct audit line = {.time_ms = 1000};
    int rc = apply_change(txn, arg, err);

    return rc != 0 ? rc : store_audit(txn, &line, err);
}

static void record_changes(void)
{
    struct store_options options = fixture_options();
    struct store *store;
    struct err err = {0};

    make_ids();
    recording = true;
    store = fixture_open(&options);
    for (size_t i = 0; i < CHANGES; i++) {
        change_draw(&changes[i]);
        if (store_run(store, apply_and_count, &changes[i], fixture_below(2), &err) != 0)
            fail_msg("%s", err.message);
        record(&(struct event){.kind = EVENT_ANSWER});
        change_keep(&changes[i]);
    }
    store_close(store);
    recording = false;
}

static void forget_changes(void)
{
    for (size_t i = 0; i < LEASES; i++) {
        struct uuid id = model[i].id;

        memset(&model[i], 0, sizeof model[i]);
        model[i].id = id;
    }
}

/* ---- the disk ---- */

struct disk {
    uint8_t bytes[FILE_MAX];
    size_t len;
};

static void disk_write(struct disk *disk, size_t offset, const uint8_t *bytes, size_t len)
{
    memcpy(disk->bytes + offset, bytes, len);
    if (disk->len < offset + len)
        disk->len = offset + len;
}

/* The sectors of a write that come to the disk: each by the toss of a coin, or (odds 0 or 2) none
 * or all. */
static void disk_write_some(struct disk *disk, const struct event *event, uint32_t odds)
{
    for (size_t done = 0, len; done < event->len; done += len) {
        len = SECTOR - (event->offset + done) % SECTOR;
        if (len > event->len - done)
            len = event->len - done;
        if (fixture_below(2) < odds)
            disk_write(disk, event->offset + done, event->bytes + done, len);
    }
}

static void put_file(const struct disk *disk)
{
    char path[320];
    int fd;

    snprintf(path, sizeof path, "%s/lock.mdb", fixture_path);
    unlink(path);
    snprintf(path, sizeof path, "%s/data.mdb", fixture_path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, disk->bytes, disk->len), disk->len);
    close(fd);
}

/* ---- what is left ---- */

static size_t kept; /* changes that the model has */

static void check_image(const struct disk *disk, size_t answered, size_t moment)
{
    struct store_options options = fixture_options();
    struct store *store = NULL;
    struct err err = {0};
    uint64_t there;

    put_file(disk);
    if (store_open(&options, "test-agent", &store, &err) != 0)
        fail_msg("at moment %zu, %zu answered: %s", moment, answered, err.message);
    there = fixture_stats(store).audit_lines;
    if (there != answered && there != answered + 1)
        fail_msg("at moment %zu, %zu answered: %zu are there", moment, answered, (size_t)there);
    for (; kept < there; kept++)
        change_keep(&changes[kept]);
    check_all(store);
    store_close(store);
}

/* The model cannot go back: what has the change in flight is looked at later than what has not. */
static void check_moment(const struct disk *durable, const struct event *pending, size_t count,
                         size_t answered, size_t moment)
{
    static struct disk image;
    static struct lease before[LEASES];
    size_t kept_before;

    for (size_t i = 0; i < answered; i++)
        if (kept <= i)
            change_keep(&changes[kept++]);
    memcpy(before, model, sizeof before);
    kept_before = kept;
    for (uint32_t draw = 0; draw < DRAWS + 2; draw++) {
        image.len = durable->len;
        memcpy(image.bytes, durable->bytes, FILE_MAX);
        for (size_t i = 0; i < count; i++)
            if (pending[i].kind == EVENT_WRITE)
                disk_write_some(&image, &pending[i], draw == 0 ? 0 : draw == 1 ? 2 : 1);
        check_image(&image, answered, moment);
        memcpy(model, before, sizeof before);
        kept = kept_before;
    }
}

static void test_every_moment(void **state)
{
    static struct disk durable;
    size_t answered = 0, since = 0; /* the first write that is not synced */
    bool named = false;             /* before that a start begins anew */

    (void)state;
    record_changes();
    forget_changes();
    assert_true(event_count > 5 * CHANGES);
    for (size_t i = 0; i < event_count; i++) {
        struct event *event = &events[i];

        /* While it is under way, any part of it may be there. */
        named = named || event->kind == EVENT_NAME;
        if (named)
            check_moment(&durable, events + since, i + 1 - since, answered, i);
        answered += event->kind == EVENT_ANSWER;
        if (event->kind == EVENT_WRITE && event->through) {
            disk_write(&durable, event->offset, event->bytes, event->len);
            event->len = 0; /* nothing of it is pending */
        }
        for (; event->kind == EVENT_SYNC && since < i; since++)
            if (events[since].kind == EVENT_WRITE)
                disk_write(&durable, events[since].offset, events[since].bytes, events[since].len);
    }
    assert_int_equal(answered, CHANGES);
    assert_true(named);
    for (size_t i = 0; i < event_count; i++)
        free(events[i].bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_moment, fixture_set_up, fixture_tear_down)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
