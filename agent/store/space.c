/* SPDX-License-Identifier: Apache-2.0 */
#include "store/space.h"

#include "base/clock.h"
#include "store/key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FREE_LIST_DBI                                                                              \
    0 /* LMDB's own table: transaction → count, page numbers (mdb_stat -f reads it too) */
#define FREE_LISTS_MAX 65536 /* entries looked at; more are taken as not free */

/* The oldest read transactions: of anybody, and of another process. */
struct readers {
    size_t oldest, foreign;
    int foreign_pid; /* 0: none */
};

/* One line of mdb_reader_list(): pid, thread, transaction, "-" for a slot at rest. */
static int note_reader(const char *line, void *arg)
{
    struct readers *readers = arg;
    size_t txnid;
    int pid;

    if (sscanf(line, "%d %*x %zu", &pid, &txnid) != 2)
        return 0;
    if (txnid < readers->oldest)
        readers->oldest = txnid;
    if (pid != getpid() && (readers->foreign_pid == 0 || txnid < readers->foreign)) {
        readers->foreign = txnid;
        readers->foreign_pid = pid;
    }
    return 0;
}

/* Pages freed by transactions that no reader can see any more: only these will be used again. */
static size_t count_free_pages(MDB_txn *txn, size_t oldest)
{
    MDB_cursor *cursor;
    MDB_val key, data;
    size_t pages = 0, id;
    int rc;

    if (mdb_cursor_open(txn, FREE_LIST_DBI, &cursor) != 0)
        return 0;
    rc = mdb_cursor_get(cursor, &key, &data, MDB_FIRST);
    for (int i = 0; i < FREE_LISTS_MAX && rc == 0; i++) {
        size_t count = 0;

        memcpy(&id, key.mv_data, sizeof id);
        if (id >= oldest)
            break;
        memcpy(&count, data.mv_data, sizeof count);
        pages += count;
        rc = mdb_cursor_get(cursor, &key, &data, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return pages;
}

int space_measure(const struct env *env, struct space_figures *ret)
{
    struct space_figures figures = {0};
    struct readers readers = {0};
    struct statvfs fs;
    MDB_envinfo info;
    MDB_stat stat;
    MDB_txn *txn;
    int rc = mdb_txn_begin(env->mdb, NULL, MDB_RDONLY, &txn);

    if (rc != 0)
        return rc;
    mdb_env_info(env->mdb, &info);
    mdb_env_stat(env->mdb, &stat);
    figures.map_bytes = info.me_mapsize;
    figures.end_bytes = (info.me_last_pgno + 1) * stat.ms_psize;
    readers.oldest = mdb_txn_id(txn);
    mdb_reader_list(env->mdb, note_reader, &readers);
    figures.free_pages_bytes = count_free_pages(txn, readers.oldest) * stat.ms_psize;
    figures.reader_pid = readers.foreign_pid;
    if (readers.foreign_pid != 0 && readers.foreign < mdb_txn_id(txn))
        figures.reader_behind = mdb_txn_id(txn) - readers.foreign;
    mdb_txn_abort(txn);
    figures.map_free = figures.free_pages_bytes;
    if (figures.map_bytes > figures.end_bytes)
        figures.map_free += figures.map_bytes - figures.end_bytes;
    if (fstatvfs(env->directory.fd, &fs) == 0)
        figures.disk_free = (uint64_t)fs.f_bavail * fs.f_frsize;
    *ret = figures;
    return 0;
}

/* Bytes that can be written before something runs out. */
static uint64_t room_of(struct space *space, const struct space_figures *figures)
{
    uint64_t disk = figures->disk_free, allocated_end = atomic_load(&space->allocated_end);

    if (!space->env->directory.copy_on_write) {
        disk += figures->free_pages_bytes;
        if (allocated_end > figures->end_bytes)
            disk += allocated_end - figures->end_bytes;
    }
    return disk < figures->map_free ? disk : figures->map_free;
}

bool space_allows(struct space *space, const struct space_figures *figures)
{
    return room_of(space, figures) >= space->reserve + SPACE_STEP;
}

/* Allocates want bytes beyond the last page; true when they are there. */
static bool allocate_ahead(struct space *space, uint64_t want)
{
    uint64_t end = space->figures.end_bytes + want;
    int fd;

    if (end > space->figures.map_bytes)
        end = space->figures.map_bytes;
    if (end <= space->allocated_end || end <= space->figures.end_bytes)
        return true;
    if (mdb_env_get_fd(space->env->mdb, &fd) != 0)
        return false;
    /* KEEP_SIZE: LMDB takes the size of the file for data. */
    if (fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)space->figures.end_bytes,
                  (off_t)(end - space->figures.end_bytes)) == 0) {
        atomic_store(&space->allocated_end, end);
        return true;
    }
    if (errno == EOPNOTSUPP || errno == ENOSYS)
        space->preallocate = false;
    return false;
}

static void keep_reserve(struct space *space)
{
    const uint64_t slack = space->reserve / 4;

    if (!space->preallocate ||
        space->allocated_end >= space->figures.end_bytes + space->reserve + slack / 2)
        return;
    /* A disk that fills up gives the reserve and no more. */
    if (space->figures.disk_free > 4 * space->reserve &&
        allocate_ahead(space, space->reserve + slack))
        return;
    (void)allocate_ahead(space, space->reserve);
}

void space_watch(struct space *space, bool force)
{
    int64_t now_ms = clock_boot_ms();

    bool scarce = space->room < 4 * space->reserve;
    int dead = 0;

    if (!force && space->commits < (scarce ? 1 : SPACE_WATCH_COMMITS) &&
        now_ms - space->measured_ms < SPACE_WATCH_MS)
        return;
    if (scarce) /* a tool that was killed pins pages until somebody looks */
        (void)mdb_reader_check(space->env->mdb, &dead);
    if (space_measure(space->env, &space->figures) != 0)
        return; /* keep the old figures; a commit will say what is wrong */
    keep_reserve(space);
    (void)space_measure(space->env, &space->figures);
    space->room = room_of(space, &space->figures);
    space->measured_ms = now_ms;
    space->claimed = 0;
    space->commits = 0;
}

void space_init(struct space *space, const struct env *env, uint64_t reserve_bytes)
{
    MDB_envinfo info;

    memset(space, 0, sizeof *space);
    space->env = env;
    space->preallocate = !env->directory.copy_on_write;
    mdb_env_info(env->mdb, &info);
    space->reserve = reserve_bytes;
    if (reserve_bytes == 0) {
        space->reserve = info.me_mapsize / 16;
        if (space->reserve > SPACE_RESERVE_MAX)
            space->reserve = SPACE_RESERVE_MAX;
        if (space->reserve < SPACE_RESERVE_MIN)
            space->reserve = SPACE_RESERVE_MIN;
        if (space->reserve > info.me_mapsize / 4)
            space->reserve = info.me_mapsize / 4;
    }
    space_watch(space, true);
}

void space_note_commit(struct space *space)
{
    space->commits++;
}

bool space_claim(struct space *space, size_t bytes)
{
    bool fits = space->room >= space->reserve + SPACE_STEP + space->claimed;

    /* Twice: pages are about two thirds full, and each new row has its rows in the derived tables.
     */
    space->claimed += 2 * (uint64_t)bytes;
    if (!fits)
        space->commits = SPACE_WATCH_COMMITS; /* look again before the next batch */
    return fits;
}
