/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/cache.h"

#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ENTRIES_MAX 128
#define WAIT_MS 45000      /* longer than any fetch takes */
#define WAIT_AGAIN_MS 1000 /* after the one before came to nothing without an answer */
#define RECHECK_MS                                                                                 \
    60000 /* a source that hands out a nearly ended session is not asked more often */
#define KEEP_MS                                                                                    \
    30000 /* after a failed fetch the old session is used this long before the next try */
#define STILL_VALID_MS 60000

struct entry {
    struct entry *next;
    char *key;
    struct aws_credential credential;
    bool filled, busy;
    unsigned waiters;
    unsigned long outcome;   /* counts fetches */
    int64_t began_boot_ms;   /* the fetch under way */
    int64_t recheck_boot_ms; /* the credential is good at least until then */
    int64_t used_boot_ms;
    int rc;       /* what the last fetch came to */
    int fetch_rc; /* its own: an old credential that is still good makes up for a failure */
    struct err err;
};

struct source_cache {
    pthread_mutex_t lock;
    pthread_cond_t fetched;
    struct entry *entries;
    size_t count;
};

int source_cache_new(struct source_cache **ret, struct err *err)
{
    struct source_cache *cache = calloc(1, sizeof(*cache));
    pthread_condattr_t attributes;

    if (cache == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    pthread_mutex_init(&cache->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&cache->fetched, &attributes);
    pthread_condattr_destroy(&attributes);
    *ret = cache;
    return 0;
}

static void entry_free(struct entry *entry)
{
    aws_credential_done(&entry->credential);
    free(entry->key);
    free(entry);
}

void source_cache_free(struct source_cache *cache)
{
    struct entry *entry, *next;

    if (cache == NULL)
        return;
    for (entry = cache->entries; entry != NULL; entry = next) {
        next = entry->next;
        entry_free(entry);
    }
    pthread_cond_destroy(&cache->fetched);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

/* Makes room: the entry unused for longest goes, one that somebody is at never. */
static void evict(struct source_cache *cache)
{
    struct entry **oldest = NULL, *gone;

    for (struct entry **at = &cache->entries; *at != NULL; at = &(*at)->next)
        if (!(*at)->busy && (*at)->waiters == 0 &&
            (oldest == NULL || (*at)->used_boot_ms < (*oldest)->used_boot_ms))
            oldest = at;
    if (oldest == NULL)
        return;
    gone = *oldest;
    *oldest = gone->next;
    entry_free(gone);
    cache->count--;
}

static struct entry *find(struct source_cache *cache, const char *key)
{
    struct entry *entry;

    for (entry = cache->entries; entry != NULL; entry = entry->next)
        if (strcmp(entry->key, key) == 0)
            return entry;
    if (cache->count >= ENTRIES_MAX)
        evict(cache);
    if (cache->count >= ENTRIES_MAX || (entry = calloc(1, sizeof(*entry))) == NULL)
        return NULL;
    if ((entry->key = strdup(key)) == NULL) {
        free(entry);
        return NULL;
    }
    entry->next = cache->entries;
    cache->entries = entry;
    cache->count++;
    return entry;
}

static int64_t left_ms(const struct aws_credential *credential)
{
    return credential->expires_ms == 0 ? INT64_MAX : credential->expires_ms - clock_aws_ms();
}

static bool is_fresh(const struct entry *entry, int64_t now_ms)
{
    if (!entry->filled)
        return false;
    if (entry->credential.expires_ms != 0 && left_ms(&entry->credential) >= SOURCE_SPARE_MS)
        return true;
    return now_ms < entry->recheck_boot_ms && left_ms(&entry->credential) > STILL_VALID_MS;
}

/* Good for a call now, though a new one is being fetched. */
static bool is_usable(const struct entry *entry)
{
    return entry->filled && entry->credential.expires_ms != 0 &&
           left_ms(&entry->credential) > STILL_VALID_MS;
}

static int copy_out(const struct entry *entry, struct aws_credential *ret, struct err *err)
{
    if (aws_credential_copy(&entry->credential, ret) == 0)
        return 0;
    return err_set(err, KMS_ENOMEM, "no locked memory left for a management credential");
}

static bool was_unanswered(const struct entry *entry)
{
    return entry->outcome > 0 &&
           (entry->fetch_rc == KMS_EAWSDOWN || entry->fetch_rc == KMS_ETIMEOUT);
}

/* A source that hangs holds up one thread, not all that come: after a fetch without an answer the
 * next one has a second to do better. */
static struct timespec wait_until(const struct entry *entry)
{
    int64_t wait_ms = WAIT_MS;
    struct timespec until;

    if (was_unanswered(entry))
        wait_ms = entry->began_boot_ms + WAIT_AGAIN_MS - clock_boot_ms();
    if (wait_ms < 0)
        wait_ms = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return until;
}

static int wait_for_outcome(struct source_cache *cache, struct entry *entry,
                            struct aws_credential *ret, struct err *err)
{
    unsigned long before = entry->outcome;
    struct timespec until = wait_until(entry);
    int rc = 0;

    entry->waiters++;
    while (entry->outcome == before && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&cache->fetched, &cache->lock, &until);
    entry->waiters--;
    if (entry->outcome == before && !was_unanswered(entry))
        return err_set(err, KMS_ETIMEOUT, "the management credentials took too long to fetch");
    if (entry->outcome != before && entry->rc == 0)
        return copy_out(entry, ret, err);
    if (err != NULL)
        *err = entry->err;
    return entry->outcome != before ? entry->rc : entry->fetch_rc;
}

/* Called with the lock held; gives it up while fetching. */
static int fetch_into(struct source_cache *cache, struct entry *entry, bool force,
                      source_fetch_fn *fetch, void *arg)
{
    AWS_CREDENTIAL_CLEANUP struct aws_credential fetched = {0};
    struct err err;
    int rc;

    err_clear(&err);
    entry->busy = true;
    entry->began_boot_ms = clock_boot_ms();
    pthread_mutex_unlock(&cache->lock);
    rc = fetch(arg, &fetched, &err);
    pthread_mutex_lock(&cache->lock);
    entry->fetch_rc = rc;
    if (rc == 0) {
        aws_credential_done(&entry->credential);
        entry->credential = fetched;
        fetched = (struct aws_credential){0};
        entry->filled = true;
        entry->recheck_boot_ms =
            clock_boot_ms() + (entry->credential.expires_ms == 0 ? SOURCE_STATIC_MS : RECHECK_MS);
    } else if (!force && is_usable(entry)) {
        entry->recheck_boot_ms = clock_boot_ms() + KEEP_MS;
        rc = 0;
    }
    entry->busy = false;
    entry->outcome++;
    entry->rc = rc;
    entry->err = err;
    pthread_cond_broadcast(&cache->fetched);
    return rc;
}

static int get_locked(struct source_cache *cache, struct entry *entry, bool force,
                      source_fetch_fn *fetch, void *arg, struct aws_credential *ret,
                      struct err *err)
{
    int rc;

    entry->used_boot_ms = clock_boot_ms();
    if (!force && is_fresh(entry, entry->used_boot_ms))
        return copy_out(entry, ret, err);
    if (entry->busy && !force && is_usable(entry))
        return copy_out(entry, ret, err);
    if (entry->busy)
        return wait_for_outcome(cache, entry, ret, err);
    rc = fetch_into(cache, entry, force, fetch, arg);
    if (rc == 0)
        return copy_out(entry, ret, err);
    if (err != NULL)
        *err = entry->err;
    return rc;
}

int source_cache_get(struct source_cache *cache, const char *key, bool force,
                     source_fetch_fn *fetch, void *arg, struct aws_credential *ret, struct err *err)
{
    struct entry *entry;
    int rc;

    pthread_mutex_lock(&cache->lock);
    entry = find(cache, key);
    if (entry == NULL)
        rc = err_set(err, KMS_ENOMEM, "no room for a management credential");
    else
        rc = get_locked(cache, entry, force, fetch, arg, ret, err);
    pthread_mutex_unlock(&cache->lock);
    return rc;
}
