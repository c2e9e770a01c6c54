/* SPDX-License-Identifier: Apache-2.0 */
#include "service/shared.h"

#include "base/clock.h"
#include "base/thread_role.h"
#include "service/access.h"
#include "service/answer.h"
#include "service/shared_private.h"

#include <stdlib.h>
#include <string.h>

struct shared *shared_new(struct service *service)
{
    struct shared *shared = calloc(1, sizeof *shared);

    if (shared != NULL)
        shared->service = service;
    return shared;
}

void shared_free(struct shared *shared)
{
    if (shared == NULL)
        return;
    for (size_t i = 0; i < shared->count; i++) {
        shared->entries[i]->hits = 0; /* the store may be closed: shared_flush() came before */
        shared_entry_free(shared->entries[i]);
    }
    free(shared);
}

/* ---- answers ---- */

struct delivery {
    struct service *service;
    struct uuid lease_id;
};

static void on_written(bool ok, void *arg)
{
    struct delivery *delivery = arg;
    struct shared_entry *entry = shared_find_lease(delivery->service->shared, &delivery->lease_id);

    if (ok) {
        issue_delivered(delivery->service->options.env, &delivery->lease_id);
        if (entry != NULL)
            entry->delivered = true;
    }
    free(delivery);
}

/* Only until one answer got through is there anything to note about an answer's fate. */
static void hand_out(struct shared_entry *entry, struct request *request)
{
    struct delivery *delivery = NULL;
    struct wire_writer writer = {0};
    struct err err = {0};

    if (!entry->delivered) {
        delivery = malloc(sizeof *delivery);
        if (delivery == NULL) {
            err_set(&err, KMS_ENOMEM, "out of memory");
            request_fail(request, KMS_ENOMEM, &err);
            return;
        }
        *delivery = (struct delivery){request->service, entry->lease.id};
    }
    entry->used = true;
    wire_begin_result(&writer, request->msgid);
    wire_open_map(&writer, NULL);
    wire_put_pairs(&writer, &entry->answer, entry->answer_pairs);
    answer_put_region(&writer, &entry->lease, request->params.region);
    request_answer(request, &writer, delivery != NULL ? on_written : NULL, delivery);
}

int64_t shared_left_ms(const struct shared_entry *entry, int64_t now_ms)
{
    return entry->live ? entry->lease.expires_ms - now_ms - SHARED_LAST_MS : 0;
}

void shared_answer_waiters(struct shared_entry *entry, int rc, const struct err *err)
{
    bool good = shared_left_ms(entry, clock_aws_ms()) > 0;
    struct request **waiters = entry->waiters;
    size_t count = entry->waiter_count;

    entry->waiters = NULL;
    entry->waiter_count = entry->waiter_size = 0;
    for (size_t i = 0; i < count; i++) {
        if (good && (rc != 0 || i > 0))
            entry->hits += !waiters[i]->gone; /* the first one has the mint's own line */
        if (good)
            hand_out(entry, waiters[i]);
        else
            request_fail(waiters[i], rc != 0 ? rc : KMS_EENDED, err);
    }
    free(waiters);
}

/* ---- requests ---- */

bool shared_applies(const struct secret_config *secret, int64_t ttl_s)
{
    return secret->share == SHARE_UID && secret->recipe.type == CREDENTIAL_SESSION &&
           (ttl_s == 0 || ttl_s == secret->recipe.default_ttl_s);
}

/* Freely up to the border; after a refresh has failed to the end. */
static bool may_hand_out(const struct shared_entry *entry, int64_t now_ms)
{
    if (shared_left_ms(entry, now_ms) <= 0)
        return false;
    return now_ms < entry->border_ms || entry->failures > 0;
}

static void wait_for_mint(struct shared_entry *entry, struct request *request)
{
    struct err err = {0};
    int rc = shared_wait(entry, request, &err);

    if (rc != 0) {
        request_fail(request, rc, &err);
        if (!entry->live && entry->job == NULL)
            shared_drop(entry);
        return;
    }
    if (entry->job != NULL)
        return;
    rc = shared_mint_start(entry, &err);
    if (rc == 0)
        return;
    shared_answer_waiters(entry, rc, &err);
    if (!entry->live)
        shared_drop(entry);
}

/* Mostly it is the same process again: comparing is cheaper than writing texts. */
static void note_actor(struct shared_entry *entry, const struct peer *peer, const struct rule *rule)
{
    const struct lease_owner *actor = &entry->actor;

    if (actor->pid != peer->pid || actor->gid != peer->gid ||
        strcmp(actor->command, peer->command) != 0 || strcmp(actor->unit, peer->unit) != 0 ||
        strcmp(actor->rule, rule->text) != 0 || !access_same_groups(peer, actor))
        access_owner(peer, rule, &entry->actor);
    entry->used_ms = clock_boot_ms();
}

bool shared_issue(struct request *request, const struct secret_config *secret,
                  const struct rule *rule)
{
    struct shared *shared = request->service->shared;
    const struct shared_key key = {.secret = secret->name,
                                   .uid = request->peer->uid,
                                   .unit = rule->kind == RULE_UNIT ? rule->text : "",
                                   .digest = secret->digest};
    struct shared_entry *entry = shared_find(shared, &key);
    int64_t now = clock_aws_ms();

    ASSERT_ON_LOOP();
    if (entry == NULL)
        entry = shared_add(shared, &key);
    if (entry == NULL)
        return false;
    note_actor(entry, request->peer, rule);
    shared_review(entry, now);
    if (!may_hand_out(entry, now)) {
        wait_for_mint(entry, request);
        return true;
    }
    entry->hits++;
    hand_out(entry, request);
    shared_refresh_ahead(entry, now);
    return true;
}
