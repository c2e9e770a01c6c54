/* SPDX-License-Identifier: Apache-2.0 */
/* Between the shared*.c files. Loop thread. */
#ifndef KMS_AGENT_SERVICE_SHARED_PRIVATE_H
#define KMS_AGENT_SERVICE_SHARED_PRIVATE_H

#include "lease/issue.h"
#include "service/shared.h"

#define SHARED_MAX 1024            /* sessions kept; beyond, the one not asked for longest goes */
#define SHARED_HEAP_MAX (1u << 20) /* bytes of the locked heap that they may fill: half of it */
#define SHARED_WAITERS_MAX 1024    /* requests that wait for one mint */
#define SHARED_BORDER_MS                                                                           \
    1200000                 /* handed out while this is left, or half its life if that is less */
#define SHARED_LAST_MS 1000 /* nothing is handed out below this */
#define SHARED_AHEAD_MAX_MS 900000 /* a refresh begins at most this long before the border */
#define SHARED_UNDELIVERED_MS                                                                      \
    60000 /* nobody took it: given up well before the due row of the lease */
#define SHARED_RETRY_BASE_MS 1000
#define SHARED_RETRY_CAP_MS 60000
#define SHARED_LINE_EVERY_MS 60000 /* audit lines of one entry */

struct shared_entry {
    struct shared *shared;
    /* The key. */
    char secret[SECRET_NAME_MAX + 1];
    uint32_t uid;
    char unit[LEASE_RULE_MAX + 1]; /* text of the unit rule that matched, else empty */
    char digest[65];
    /* What is handed out. */
    bool live;      /* there is a session: the fields of this paragraph hold */
    bool delivered; /* an answer with it went out whole */
    bool used;      /* handed out since it was minted */
    struct lease lease;
    struct secret answer; /* encoded once for all requests, all but the region */
    uint16_t answer_pairs;
    size_t heap_bytes;             /* of the locked heap */
    int64_t border_ms, refresh_ms; /* AWS time */
    /* The mint or renewal under way. */
    struct job *job; /* NULL: none */
    bool detached;   /* not in the table any more: goes when its job is done */
    struct request **waiters;
    size_t waiter_count, waiter_size;
    unsigned failures; /* refreshes that failed in a row */
    int64_t retry_ms;  /* boot clock: the next one not before */
    /* Who asked last, and what was not written to the audit log yet. */
    struct lease_owner actor;
    uint32_t hits;
    int64_t line_ms; /* boot clock, 0: none yet */
    int64_t used_ms; /* boot clock */
};

struct shared {
    struct service *service;
    struct shared_entry *entries[SHARED_MAX];
    size_t count, heap_bytes;
};

/* ---- the table: shared_table.c ---- */

struct shared_key {
    const char *secret;
    uint32_t uid;
    const char *unit, *digest;
};

struct shared_entry *shared_find(const struct shared *shared, const struct shared_key *key);
/* The entry whose session has this lease. */
struct shared_entry *shared_find_lease(const struct shared *shared, const struct uuid *lease_id);
/* A new entry, another one gives way if need be; NULL: all are busy, or out of memory. */
struct shared_entry *shared_add(struct shared *shared, const struct shared_key *key);
/* Out of the table; freed now, or when its job is done. */
void shared_drop(struct shared_entry *entry);
/* Frees an entry that is in no table and waits for nothing. */
void shared_entry_free(struct shared_entry *entry);
/* Puts a session into the entry, others give way if need be. KMS_ENOMEM: there is no room in the
 * locked heap, and what was there stays. */
int shared_keep(struct shared_entry *entry, const struct lease *lease,
                const struct aws_credential *credential, struct err *err) KMS_MUST_CHECK;
/* Wipes the session. */
void shared_forget(struct shared_entry *entry);
/* KMS_EBUSY (too many wait already) or KMS_ENOMEM: the request stays the caller's. */
int shared_wait(struct shared_entry *entry, struct request *request,
                struct err *err) KMS_MUST_CHECK;

/* ---- minting: shared_mint.c ---- */

/* Begins a renewal, or an issue where that cannot give a full TTL. On failure nothing is under way.
 */
int shared_mint_start(struct shared_entry *entry, struct err *err) KMS_MUST_CHECK;

/* ---- answering: shared.c ---- */

/* Milliseconds that the session has left; 0 or less: none, or not worth handing out. */
int64_t shared_left_ms(const struct shared_entry *entry, int64_t now_ms);
/* All that wait are answered: with the session, or with the error when there is none. */
void shared_answer_waiters(struct shared_entry *entry, int rc, const struct err *err);

/* ---- time: shared_change.c ---- */

/* A session that has ended goes, and one that nobody took, before the due row revokes its lease. */
void shared_review(struct shared_entry *entry, int64_t now_ms);
/* Begins a refresh in the background if it is time and the session is in use. */
void shared_refresh_ahead(struct shared_entry *entry, int64_t now_ms);

/* ---- audit lines: shared_audit.c ---- */

void shared_audit_write(struct shared_entry *entry);

#endif
