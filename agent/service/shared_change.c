/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to shared sessions apart from requests: leases revoked and renewed, a new
 * configuration, time. */
#include "base/clock.h"
#include "base/thread_role.h"
#include "service/shared_private.h"

#include <string.h>

/* ---- what happens to leases and secrets ---- */

/* What is under way is not to be handed out: those who wait go on with an entry of their own. */
static void start_over(struct shared_entry *entry)
{
    const struct shared_key key = {entry->secret, entry->uid, entry->unit, entry->digest};
    struct shared *shared = entry->shared;
    struct shared_entry *next = NULL;
    struct err err = {0};
    int rc = 0;

    shared_forget(entry);
    shared_drop(entry); /* lives on until its job is done */
    if (entry->waiter_count == 0)
        return;
    next = shared_add(shared, &key);
    if (next != NULL) {
        next->actor = entry->actor;
        next->waiters = entry->waiters;
        next->waiter_count = entry->waiter_count;
        next->waiter_size = entry->waiter_size;
        entry->waiters = NULL;
        entry->waiter_count = entry->waiter_size = 0;
        rc = shared_mint_start(next, &err);
    } else {
        rc = err_set(&err, KMS_ENOMEM, "out of memory");
    }
    if (rc == 0)
        return;
    shared_answer_waiters(next != NULL ? next : entry, rc, &err);
    if (next != NULL)
        shared_drop(next);
}

void shared_revoked(struct shared *shared, const struct uuid *lease_id)
{
    for (size_t i = shared->count; i-- > 0;) {
        struct shared_entry *entry = shared->entries[i];
        bool live = entry->live && uuid_equal(&entry->lease.id, lease_id);

        if (entry->job != NULL && uuid_equal(&entry->job->lease_id, lease_id)) {
            start_over(entry);
        } else if (live && entry->job == NULL) {
            shared_drop(entry);
        } else if (live) {
            shared_audit_write(entry);
            shared_forget(entry);
        }
    }
}

void shared_renewed(struct shared *shared, const struct renew *renew, int64_t ttl_s)
{
    struct shared_entry *entry = shared_find_lease(shared, &renew->lease.id);
    const struct secret_config *secret =
        config_secret(shared->service->config, renew->lease.secret);
    struct err err = {0};

    if (entry == NULL || secret == NULL || !shared_applies(secret, ttl_s) ||
        shared_keep(entry, &renew->lease, &renew->credential, &err) != 0)
        return; /* what is there stays good to its end */
    entry->used = true;
    entry->failures = 0;
}

void shared_config_changed(struct shared *shared)
{
    const struct config *config = shared->service->config;

    for (size_t i = shared->count; i-- > 0;) {
        struct shared_entry *entry = shared->entries[i];
        const struct secret_config *secret = config_secret(config, entry->secret);

        if (secret == NULL || !shared_applies(secret, 0) ||
            strcmp(secret->digest, entry->digest) != 0)
            shared_drop(entry);
        else
            entry->used = false; /* whoever asks next shows that somebody still may */
    }
}

/* ---- time ---- */

void shared_review(struct shared_entry *entry, int64_t now_ms)
{
    if (!entry->live)
        return;
    if (!entry->delivered && now_ms > entry->lease.created_ms + SHARED_UNDELIVERED_MS) {
        issue_undelivered(entry->shared->service->options.env, &entry->lease.id);
        shared_forget(entry);
    } else if (shared_left_ms(entry, now_ms) <= 0) {
        shared_audit_write(entry);
        shared_forget(entry);
    }
}

void shared_refresh_ahead(struct shared_entry *entry, int64_t now_ms)
{
    struct err err = {0};

    if (!entry->live || !entry->used || entry->job != NULL || now_ms < entry->refresh_ms ||
        clock_boot_ms() < entry->retry_ms)
        return;
    if (shared_mint_start(entry, &err) != 0)
        entry->retry_ms = clock_boot_ms() + SHARED_RETRY_BASE_MS;
}

void shared_tick(struct shared *shared)
{
    int64_t now = clock_aws_ms(), boot = clock_boot_ms();

    ASSERT_ON_LOOP();
    for (size_t i = shared->count; i-- > 0;) {
        struct shared_entry *entry = shared->entries[i];

        if (entry->line_ms == 0 || boot - entry->line_ms >= SHARED_LINE_EVERY_MS)
            shared_audit_write(entry);
        shared_review(entry, now);
        if (!entry->live && entry->job == NULL)
            shared_drop(entry);
        else
            shared_refresh_ahead(entry, now);
    }
}

void shared_flush(struct shared *shared)
{
    for (size_t i = 0; i < shared->count; i++)
        shared_audit_write(shared->entries[i]);
}
