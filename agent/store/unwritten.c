/* SPDX-License-Identifier: Apache-2.0 */
#include "store/unwritten.h"

#include <stdlib.h>

struct unwritten {
    struct unwritten *next;
    struct store_held_key key;
    bool recorded;
    struct lease_owner *actor; /* NULL: the agent */
    enum lease_state state;
    enum revoke_stage stage;
    enum revoke_reason reason;
    bool early, stuck, user_gone;
    uint32_t attempts;
    int64_t retry_ms, revoking_ms, revoked_ms;
};

void unwritten_init(struct unwritten_set *set)
{
    pthread_mutex_init(&set->mutex, NULL);
    atomic_init(&set->count, 0);
}

static void entry_free(struct unwritten *entry)
{
    free(entry->actor);
    free(entry);
}

void unwritten_done(struct unwritten_set *set)
{
    for (size_t i = 0; i < UNWRITTEN_BUCKETS; i++)
        while (set->buckets[i] != NULL) {
            struct unwritten *entry = set->buckets[i];

            set->buckets[i] = entry->next;
            entry_free(entry);
        }
    atomic_store(&set->count, 0);
    pthread_mutex_destroy(&set->mutex);
}

/* The link to the entry, or to where it would be. The tail of a UUIDv7 is random. */
static struct unwritten **find(struct unwritten_set *set, const struct uuid *id)
{
    size_t at = ((size_t)id->bytes[14] << 8 | id->bytes[15]) % UNWRITTEN_BUCKETS;
    struct unwritten **link = &set->buckets[at];

    while (*link != NULL && !uuid_equal(&(*link)->key.id, id))
        link = &(*link)->next;
    return link;
}

static struct unwritten *entry_new(const struct lease *lease, const struct lease_owner *actor,
                                   bool recorded)
{
    struct unwritten *entry = calloc(1, sizeof *entry);

    if (entry == NULL)
        return NULL;
    entry->key.id = lease->id;
    entry->recorded = recorded;
    if (actor == NULL)
        return entry;
    entry->actor = malloc(sizeof *entry->actor);
    if (entry->actor == NULL) {
        free(entry);
        return NULL;
    }
    *entry->actor = *actor;
    return entry;
}

int unwritten_put(struct unwritten_set *set, const struct lease *lease,
                  const struct lease_owner *actor, bool recorded, struct err *err)
{
    struct unwritten **link, *entry;

    pthread_mutex_lock(&set->mutex);
    link = find(set, &lease->id);
    entry = *link;
    if (entry == NULL) {
        entry = entry_new(lease, actor, recorded);
        if (entry == NULL) {
            pthread_mutex_unlock(&set->mutex);
            return err_set(err, KMS_ENOMEM, "out of memory");
        }
        *link = entry;
        atomic_fetch_add(&set->count, 1);
    }
    entry->key.version = ++set->version;
    entry->state = lease->state;
    entry->stage = lease->stage;
    entry->reason = lease->reason;
    entry->early = lease->early;
    entry->stuck = lease->stuck;
    entry->user_gone = lease->user_gone;
    entry->attempts = lease->attempts;
    entry->retry_ms = lease->retry_ms;
    entry->revoking_ms = lease->revoking_ms;
    entry->revoked_ms = lease->revoked_ms;
    pthread_mutex_unlock(&set->mutex);
    return 0;
}

void unwritten_show(struct unwritten_set *set, struct lease *lease)
{
    const struct unwritten *entry;

    if (atomic_load(&set->count) == 0 || lease->state == LEASE_REVOKED)
        return;
    pthread_mutex_lock(&set->mutex);
    entry = *find(set, &lease->id);
    if (entry != NULL) {
        lease->state = entry->state;
        lease->stage = entry->stage;
        lease->reason = entry->reason;
        lease->early = entry->early;
        lease->stuck = entry->stuck;
        lease->user_gone = entry->user_gone;
        lease->attempts = entry->attempts;
        lease->retry_ms = entry->retry_ms;
        lease->revoking_ms = entry->revoking_ms;
        lease->revoked_ms = entry->revoked_ms;
    }
    pthread_mutex_unlock(&set->mutex);
}

bool unwritten_get(struct unwritten_set *set, const struct uuid *id, struct store_held *ret)
{
    const struct unwritten *entry;

    if (atomic_load(&set->count) == 0)
        return false;
    pthread_mutex_lock(&set->mutex);
    entry = *find(set, id);
    if (entry != NULL) {
        *ret = (struct store_held){.key = entry->key, .recorded = entry->recorded};
        ret->has_actor = entry->actor != NULL;
        if (ret->has_actor)
            ret->actor = *entry->actor;
    }
    pthread_mutex_unlock(&set->mutex);
    return entry != NULL;
}

size_t unwritten_list(struct unwritten_set *set, struct store_held_key *ret, size_t max)
{
    size_t count = 0;

    if (atomic_load(&set->count) == 0)
        return 0;
    pthread_mutex_lock(&set->mutex);
    for (size_t i = 0; i < UNWRITTEN_BUCKETS && count < max; i++)
        for (struct unwritten *entry = set->buckets[i]; entry != NULL && count < max;
             entry = entry->next)
            ret[count++] = entry->key;
    pthread_mutex_unlock(&set->mutex);
    return count;
}

void unwritten_drop(struct unwritten_set *set, const struct store_held_key *key)
{
    struct unwritten **link, *entry;

    pthread_mutex_lock(&set->mutex);
    link = find(set, &key->id);
    entry = *link;
    if (entry != NULL && entry->key.version == key->version) {
        *link = entry->next;
        entry_free(entry);
        atomic_fetch_sub(&set->count, 1);
    }
    pthread_mutex_unlock(&set->mutex);
}
