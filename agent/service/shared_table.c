/* SPDX-License-Identifier: Apache-2.0 */
/* The sessions that are kept: a table of fixed size, searched from end to end (a thousand integers
 * are compared faster than a request is read). */
#include "base/clock.h"
#include "base/random.h"
#include "service/answer.h"
#include "service/shared_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAITERS_FIRST 16

struct shared_entry *shared_find(const struct shared *shared, const struct shared_key *key)
{
    for (size_t i = 0; i < shared->count; i++) {
        struct shared_entry *entry = shared->entries[i];

        if (entry->uid == key->uid && strcmp(entry->digest, key->digest) == 0 &&
            strcmp(entry->secret, key->secret) == 0 && strcmp(entry->unit, key->unit) == 0)
            return entry;
    }
    return NULL;
}

struct shared_entry *shared_find_lease(const struct shared *shared, const struct uuid *lease_id)
{
    for (size_t i = 0; i < shared->count; i++) {
        struct shared_entry *entry = shared->entries[i];

        if (entry->live && uuid_equal(&entry->lease.id, lease_id))
            return entry;
    }
    return NULL;
}

void shared_entry_free(struct shared_entry *entry)
{
    shared_audit_write(entry);
    shared_forget(entry);
    free(entry->waiters);
    free(entry);
}

void shared_drop(struct shared_entry *entry)
{
    struct shared *shared = entry->shared;

    for (size_t i = 0; i < shared->count; i++)
        if (shared->entries[i] == entry) {
            shared->entries[i] = shared->entries[--shared->count];
            break;
        }
    entry->detached = true;
    if (entry->job == NULL)
        shared_entry_free(entry);
}

/* The entry not asked for longest, of those that wait for nothing; NULL: none. */
static struct shared_entry *oldest(const struct shared *shared, const struct shared_entry *but)
{
    struct shared_entry *found = NULL;

    for (size_t i = 0; i < shared->count; i++) {
        struct shared_entry *entry = shared->entries[i];

        if (entry != but && entry->job == NULL &&
            (found == NULL || entry->used_ms < found->used_ms))
            found = entry;
    }
    return found;
}

struct shared_entry *shared_add(struct shared *shared, const struct shared_key *key)
{
    struct shared_entry *entry;

    if (shared->count == SHARED_MAX) {
        entry = oldest(shared, NULL);
        if (entry == NULL)
            return NULL;
        shared_drop(entry);
    }
    entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    entry->shared = shared;
    snprintf(entry->secret, sizeof entry->secret, "%s", key->secret);
    entry->uid = key->uid;
    snprintf(entry->unit, sizeof entry->unit, "%s", key->unit);
    snprintf(entry->digest, sizeof entry->digest, "%s", key->digest);
    entry->used_ms = clock_boot_ms();
    shared->entries[shared->count++] = entry;
    return entry;
}

/* ---- the session of an entry ---- */

/* The secure heap hands out powers of two. */
static size_t heap_size(const struct secret *secret)
{
    size_t size = 32;

    while (size < secret->len + 1)
        size *= 2;
    return size;
}

/* When it is no longer handed out, and a random while before that when it is minted anew: sessions
 * minted together are not refreshed together. */
static void set_times(struct shared_entry *entry)
{
    int64_t now = clock_aws_ms(), life = entry->lease.expires_ms - now;
    int64_t spare = life / 2 < SHARED_BORDER_MS ? life / 2 : SHARED_BORDER_MS;
    int64_t ahead = (life - spare) / 4;

    if (ahead > SHARED_AHEAD_MAX_MS)
        ahead = SHARED_AHEAD_MAX_MS;
    if (ahead < 0)
        ahead = 0;
    entry->border_ms = entry->lease.expires_ms - spare;
    entry->refresh_ms =
        entry->border_ms - ahead / 2 - (int64_t)random_below((uint64_t)(ahead / 2) + 1);
}

/* The answer to every request that the session is handed to. */
static int encode(const struct lease *lease, const struct aws_credential *credential,
                  struct secret *ret, uint16_t *ret_pairs)
{
    const struct answer_credential answer = {.lease = lease, .credential = credential};
    struct wire_writer writer = {0};
    int rc;

    wire_open_map(&writer, NULL);
    answer_put_session(&writer, &answer);
    rc = wire_keep_pairs(&writer, ret, ret_pairs);
    wire_done(&writer);
    return rc;
}

/* One session gives way to `entry`; false: there is none that could. */
static bool give_way(const struct shared_entry *entry)
{
    struct shared_entry *other = oldest(entry->shared, entry);

    if (other != NULL)
        shared_drop(other);
    return other != NULL;
}

int shared_keep(struct shared_entry *entry, const struct lease *lease,
                const struct aws_credential *credential, struct err *err)
{
    struct secret answer = {0};
    uint16_t pairs;
    int rc;

    do
        rc = encode(lease, credential, &answer, &pairs);
    while (rc == KMS_ENOMEM && give_way(entry));
    if (rc != 0)
        return err_set(err, rc, "there is no room to keep a shared session");
    shared_forget(entry);
    entry->lease = *lease;
    secret_take(&answer, &entry->answer);
    entry->answer_pairs = pairs;
    entry->heap_bytes = heap_size(&entry->answer);
    entry->shared->heap_bytes += entry->heap_bytes;
    entry->live = true;
    entry->used = false;
    set_times(entry);
    while (entry->shared->heap_bytes > SHARED_HEAP_MAX && give_way(entry))
        ;
    return 0;
}

void shared_forget(struct shared_entry *entry)
{
    entry->shared->heap_bytes -= entry->heap_bytes;
    entry->heap_bytes = 0;
    secret_done(&entry->answer);
    entry->live = false;
}

/* ---- who waits ---- */

/* Requests whose client is gone make room. */
static void reap(struct shared_entry *entry)
{
    const struct err nobody = {.code = KMS_ECANCELED};
    size_t kept = 0;

    for (size_t i = 0; i < entry->waiter_count; i++) {
        struct request *request = entry->waiters[i];

        if (request->gone)
            request_fail(request, KMS_ECANCELED, &nobody);
        else
            entry->waiters[kept++] = request;
    }
    entry->waiter_count = kept;
}

int shared_wait(struct shared_entry *entry, struct request *request, struct err *err)
{
    struct request **waiters;
    size_t size = entry->waiter_size == 0 ? WAITERS_FIRST : entry->waiter_size * 2;

    if (entry->waiter_count == SHARED_WAITERS_MAX)
        reap(entry);
    if (entry->waiter_count == SHARED_WAITERS_MAX) {
        err->retry_after_ms = 1000;
        return err_set(err, KMS_EBUSY, "%d requests wait for the session of secret \"%s\"",
                       SHARED_WAITERS_MAX, entry->secret);
    }
    if (entry->waiter_count == entry->waiter_size) {
        waiters = reallocarray(entry->waiters, size, sizeof(struct request *));
        if (waiters == NULL)
            return err_set(err, KMS_ENOMEM, "out of memory");
        entry->waiters = waiters;
        entry->waiter_size = size;
    }
    entry->waiters[entry->waiter_count++] = request;
    return 0;
}
