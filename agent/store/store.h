/* SPDX-License-Identifier: Apache-2.0 */
/* The lease store: one LMDB environment, one writer thread, group commit.
 *
 * Changes are operations: a function run inside a write transaction on the writer thread. All operations queued
 * while the last commit ran share the next one. An operation may run more than once (a batch that LMDB spoils is
 * aborted and replayed one by one, urgent ones first), so it must set all its outputs afresh on each run and touch
 * nothing else. Nothing is reported before the commit is durable. Any EIO is fatal: on_fatal is called, the process
 * must exit and reopen, never retry in place (libraries.md, LMDB).
 */
#ifndef KMS_AGENT_STORE_STORE_H
#define KMS_AGENT_STORE_STORE_H

#include "base/queue.h"
#include "common/err.h"
#include "model/audit.h"
#include "model/due.h"
#include "model/lease.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;
struct store_txn;

struct store_options {
    const char *directory;        /* 0700, owned by us; made if missing */
    uint64_t map_size;            /* bytes */
    bool allow_volatile;          /* accept tmpfs and overlay */
    uint64_t reserve_bytes;       /* free space kept for revocations (space.h): non-urgent ops that add a lease or an
                                     audit line fail with KMS_ESTOREFULL before it; 0: 1/16 of the map, 1 … 64 MiB */
    void (*on_fatal)(const struct err *err, void *arg);  /* writer thread; NULL: abort() */
    void *arg;
    /* test seam: called before each commit that changes something (numbered from 1); non-zero is that commit's result
     * (EIO, ENOSPC, MDB_MAP_FULL …) */
    int (*commit_fault)(uint64_t commit_number, void *arg);
};

/* Opens (exclusive: a second agent gets KMS_ESTORE at once), creates tables, checks the schema version (N reads
 * N−1, refuses N+1), starts the writer thread. agent_id: stored on first open; a differing one is refused. */
int store_open(const struct store_options *options, const char *agent_id, struct store **ret, struct err *err) KMS_MUST_CHECK;
/* Waits for queued operations, stops the writer, closes. NULL is fine. */
void store_close(struct store *store);
/* The store was made by this open. */
bool store_is_new(const struct store *store);
/* The store was new once and store_set_swept() was never called: sweeps by the timer only report. Any thread. */
bool store_is_unswept(const struct store *store);
/* An operator wants sweeps: durable. Workers. */
int store_set_swept(struct store *store, struct err *err) KMS_MUST_CHECK;
/* File system holds no data over a reboot: sessions only unless allowed. */
bool store_is_volatile(const struct store *store);

/* 0, or a KMS_E… that aborts this operation alone (its changes are undone) and is reported in op->rc / op->err. */
typedef int store_apply_fn(struct store_txn *txn, void *arg, struct err *err);

struct store_op {
    struct queue_link link;       /* the store's while queued */
    store_apply_fn *apply;
    void (*done)(struct store_op *op);  /* writer thread, after the commit; must be short; may free op. NULL for store_run */
    void *arg;
    bool urgent;                  /* revocations and deliveries: may use the reserve, replayed first */
    bool lazy;                    /* nobody waits for it: held for a few milliseconds to share another's commit */
    int rc;                       /* result: 0 or KMS_E… */
    struct err err;
};

/* Queues op; never blocks; op belongs to the store until done() runs. Any thread. */
void store_submit(struct store *store, struct store_op *op);
/* Queues and waits for the commit; returns op's result. Workers only. */
int store_run(struct store *store, store_apply_fn *apply, void *arg, bool urgent, struct err *err) KMS_MUST_CHECK;

/* ---- inside an operation (writer thread) ---- */
/* 0, KMS_ENOLEASE, KMS_ESTORE. */
int store_get(struct store_txn *txn, const struct uuid *id, struct lease *ret, struct err *err) KMS_MUST_CHECK;
/* Writes the record and keeps in step: the due index (due_next()), the table of bound leases (ISSUING or ACTIVE and
 * bound), the counters of live leases per secret and uid. A record in state LEASE_NONE is deleted. Fields that a later
 * version stored are kept. 0, KMS_ESTOREFULL (a new lease, not urgent, only the reserve left), KMS_ESTORE. */
int store_put(struct store_txn *txn, const struct lease *lease, struct err *err) KMS_MUST_CHECK;
/* Live leases of a secret, or of a uid. */
int store_count_secret(struct store_txn *txn, const char *secret, uint64_t *ret, struct err *err) KMS_MUST_CHECK;
int store_count_uid(struct store_txn *txn, uint32_t uid, uint64_t *ret, struct err *err) KMS_MUST_CHECK;
/* Appends an audit line; the stored one gets the next sequence. 0, KMS_ESTOREFULL (as store_put), KMS_ESTORE. */
int store_audit(struct store_txn *txn, const struct audit *audit, struct err *err) KMS_MUST_CHECK;
/* Deletes at most limit audit lines older than before_ms, but never the newest one (sequences go on from it). */
int store_audit_prune(struct store_txn *txn, int64_t before_ms, size_t limit, struct err *err) KMS_MUST_CHECK;

struct due_row {
    int64_t at_ms;
    struct uuid id;
    enum due_action action;
};
/* Rows with at_ms ≤ until_ms, oldest first, at most max (≤ 1024) into rows; *ret_count of them; *ret_next_ms is the
 * time of the first row not returned, 0 if there is none (rows left out by skip apart). skip(action) non-zero leaves a row out (it does not count;
 * at most 16 × max rows are looked at). */
int store_due(struct store_txn *txn, int64_t until_ms, struct due_row *rows, size_t max, bool (*skip)(enum due_action action),
              size_t *ret_count, int64_t *ret_next_ms, struct err *err) KMS_MUST_CHECK;

/* The same from from_ms on (recovery at start looks at rows that are not due yet). */
int store_due_range(struct store_txn *txn, int64_t from_ms, int64_t until_ms, struct due_row *rows,
                    size_t max, bool (*skip)(enum due_action action), size_t *ret_count,
                    int64_t *ret_next_ms, struct err *err) KMS_MUST_CHECK;

/* ---- reads outside operations: own short read transaction; workers, or the loop for single warm records ---- */
int store_read(struct store *store, const struct uuid *id, struct lease *ret, struct err *err) KMS_MUST_CHECK;

/* ---- revocations that found no room ---- */
/* A revocation must not wait for space: when the store answers KMS_ESTOREFULL, what its record would say is held in
 * memory. Every read shows it as if it were written; nothing new is issued until all of it is. Gone with the process:
 * the record still has its due row, and revoking again is harmless. All of these from any thread. */
struct store_held_key {
    struct uuid id;
    uint64_t version; /* another one after each change */
};
struct store_held {
    struct store_held_key key;
    bool recorded;  /* the record says REVOKING already: only progress is missing */
    bool has_actor;
    struct lease_owner actor; /* who asked */
};
/* Holds the state, stage, times and retries of a lease that is REVOKING or REVOKED; actor (NULL: the agent) and
 * recorded count the first time. 0, KMS_ENOMEM. */
int store_hold(struct store *store, const struct lease *lease, const struct lease_owner *actor, bool recorded,
               struct err *err) KMS_MUST_CHECK;
size_t store_held_count(struct store *store);
/* False: nothing is held of this lease. */
bool store_held_get(struct store *store, const struct uuid *id, struct store_held *ret);
/* Any of them, at most max; their number. */
size_t store_held_list(struct store *store, struct store_held_key *ret, size_t max);
/* It is written: forgets it, unless it has changed since. */
void store_release(struct store *store, const struct store_held_key *key);

struct lease_filter {
    bool has_uid;
    uint32_t uid;
    const char *secret;       /* NULL: all */
    enum lease_state state;   /* LEASE_NONE: all */
    bool live_only;
};
/* Leases after *cursor (NULL: from the newest), newest first. each() returns false to stop; it must not call the store.
 * At most scan_max records are looked at; *ret_cursor is where to go on, nil at the end. A record that cannot be
 * decoded is KMS_ESTORE naming its id, with *ret_cursor at it, so that the caller can go on behind it. Workers. */
int store_list(struct store *store, const struct lease_filter *filter, const struct uuid *cursor, size_t scan_max,
               bool (*each)(const struct lease *lease, void *arg), void *arg, struct uuid *ret_cursor, struct err *err) KMS_MUST_CHECK;
/* Leases with a due row at until_ms or before, in the order of those rows, at most scan_max (in one transaction); as
 * store_list. Workers; the loop for a few. */
int store_list_due(struct store *store, int64_t until_ms, size_t scan_max,
                   bool (*each)(const struct lease *lease, void *arg), void *arg, struct err *err) KMS_MUST_CHECK;
/* Leases bound to a process (start-up). */
int store_list_bound(struct store *store, bool (*each)(const struct lease *lease, void *arg), void *arg, struct err *err) KMS_MUST_CHECK;
/* Audit lines with sequence < before (0: from the newest), newest first, as store_list. */
int store_list_audit(struct store *store, uint64_t before, size_t scan_max, bool (*each)(const struct audit *audit, void *arg),
                     void *arg, uint64_t *ret_next, struct err *err) KMS_MUST_CHECK;

struct store_stats {
    uint64_t leases, live, issuing, active, revoking, stuck;  /* from the counters, no scan */
    uint64_t audit_lines, commits, operations;
    uint64_t used_bytes, map_bytes, free_bytes;               /* free_bytes: of the file system */
    int64_t next_due_ms;                                      /* AWS time, 0 = none */
    bool issuing_allowed;                                     /* false: the reserve is reached, or something is held */
    uint64_t held;                                            /* revocations that wait for room in memory */
    int reader_pid;                                           /* of the oldest read transaction of another process: */
    uint64_t reader_behind;                                   /* it keeps what so many commits freed; 0, 0: none */
};
int store_stats(struct store *store, struct store_stats *ret, struct err *err) KMS_MUST_CHECK;

#endif
