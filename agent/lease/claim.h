/* SPDX-License-Identifier: Apache-2.0 */
/* Taking due rows: one write transaction reads the rows that are due, decides each transition on
 * the stored record (ACTIVE past its end becomes REVOKING, durably) and moves the row ahead, so
 * that a crash loses nothing and a second look does not find it again at once. The jobs follow on
 * the loop. */
#ifndef KMS_AGENT_LEASE_CLAIM_H
#define KMS_AGENT_LEASE_CLAIM_H

#include "lease/lease_env.h"
#include "store/store.h"

#define CLAIM_MAX 64
#define CLAIM_AHEAD_MS 120000 /* a claimed row comes back after this if its job never reported */

struct claim_row {
    struct uuid id;
    enum due_action
        action; /* DUE_REVOKE, DUE_RENEW, DUE_FENCE: to do now; the rest was done in the transaction */
    bool slow;  /* a stuck lease */
    bool cleanup; /* phase one is over: the key is dead */
    bool early;   /* no fence stops the key yet: it ends before its time */
    uint32_t way; /* recipe_way() */
};

struct claim {
    struct store_op op; /* submit with lease_claim() */
    struct lease_env *env;
    int64_t now_ms;     /* AWS time; the writer takes it anew once it is known */
    bool hold_expiries; /* the clock is in doubt: leave rows that only a time makes due */
    bool recover; /* first claim after start: RECOVER, UNDELIVERED, REVOKE, FENCE rows ahead of time
                     are taken too */
    /* The clock went back, or may have: revocations that lie further ahead than any wait, and what
     * an earlier process left unfinished, are pulled to now, a part of the index at a time, from
     * revive_ms on, 0: its beginning; revive_next_ms is where to go on, 0 at the end. */
    bool revive;
    int64_t revive_ms, revive_next_ms;
    /* A way that was silent answers: revocations put off for it are pulled to now, in parts, as
     * above. */
    bool release;
    uint32_t release_way;
    int64_t release_ms, release_next_ms;
    bool release_done; /* the part was the last one */
    size_t max; /* ≤ CLAIM_MAX */
    struct claim_row rows[CLAIM_MAX];
    size_t count;
    int64_t next_ms;                          /* time of the next row, 0 = none */
    bool more;                                /* there are more rows due now */
    /* The store has no room: nothing is written, what is due is begun in memory (held.h). */
    bool unrecorded;
    struct store_held_key written[CLAIM_MAX]; /* of held revocations; for held_written() */
    size_t written_count;
    struct uuid ended[2 * CLAIM_MAX]; /* sessions that are over; for claim_tell_ended() */
    size_t ended_count;
};

/* Submits claim (op.done must be set by the caller; it runs on the writer thread). Any thread;
 * never blocks. */
void lease_claim(struct claim *claim);
/* After a claim that is durable: the journal hears of the sessions that ended. Loop thread. */
void claim_tell_ended(const struct claim *claim);

#endif
