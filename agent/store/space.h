/* SPDX-License-Identifier: Apache-2.0 */
/* How much room is left, and the reserve that is kept so that a revocation can always be recorded.
 *
 * Two things run out: pages of the map (those past the highest page in use, and freed ones that no
 * reader pins) and blocks of the disk. On file systems that write in place the reserve is real:
 * that much is allocated in the data file beyond its last page, so nobody else can take it. On
 * copy-on-write ones it is only watched. */
#ifndef KMS_AGENT_STORE_SPACE_H
#define KMS_AGENT_STORE_SPACE_H

#include "store/env.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The default reserve: 1/16 of the map within these bounds, and at most a quarter. Beside a pinned
 * reader a commit takes about 12 pages for good, so the smaller one is worth some 20 commits, the
 * larger one more than 1,000. */
#define SPACE_RESERVE_MIN (UINT64_C(1) << 20)
#define SPACE_RESERVE_MAX (UINT64_C(64) << 20)
#define SPACE_STEP (UINT64_C(64) << 10) /* for one row: issuing stops that far before it */
#define SPACE_WATCH_MS 1000             /* figures are used no longer than this … */
#define SPACE_WATCH_COMMITS 64          /* … or this many commits, or one when little is left */

struct space_figures {
    uint64_t map_bytes;        /* size of the map */
    uint64_t end_bytes;        /* end of the highest page ever used */
    uint64_t free_pages_bytes; /* freed pages that can be used again now */
    uint64_t map_free;         /* left in the map */
    uint64_t disk_free;        /* left on the file system for us (statvfs f_bavail) */
    int reader_pid;            /* another process with a read transaction, the oldest; 0: none */
    uint64_t reader_behind;    /* commits since it began: what they freed stays */
};

/* The writer's own, but for what says otherwise. */
struct space {
    const struct env *env;
    uint64_t reserve;
    uint64_t room;                       /* bytes that can be written, at the last measurement */
    uint64_t claimed;                    /* by operations since then */
    atomic_uint_least64_t allocated_end; /* of the data file: blocks up to here are ours */
    bool preallocate;                    /* the file system can */
    int64_t measured_ms;                 /* boot time */
    unsigned commits;                    /* since then */
    struct space_figures figures;
};

/* reserve_bytes 0: the default. Measures at once. */
void space_init(struct space *space, const struct env *env, uint64_t reserve_bytes);
/* Measures again if the figures are old (or force), and keeps the reserve allocated. Writer,
 * outside transactions. */
void space_watch(struct space *space, bool force);
/* After each commit. */
void space_note_commit(struct space *space);
/* An operation will add about bytes; false: only the reserve is left. */
bool space_claim(struct space *space, size_t bytes);
/* Figures as of now, by a short read transaction. Any thread; 0 or an LMDB result. */
int space_measure(const struct env *env, struct space_figures *ret);
/* Whether these figures leave more than the reserve. Any thread. */
bool space_allows(struct space *space, const struct space_figures *figures);

#endif
