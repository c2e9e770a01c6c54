/* SPDX-License-Identifier: Apache-2.0 */
/* lease.revoke {secret, all}: a worker lists the leases, the loop submits their revocations a few
 * at a time and waits for phase one of each; what is not begun in time is left to a further call
 * ("more"). */
#include "base/clock.h"
#include "base/message_ids.h"
#include "lease/lease_journal.h"
#include "lease/revoke.h"
#include "service/access.h"
#include "service/answer.h"
#include "service/cold.h"
#include "service/ops.h"
#include "service/shared.h"

#include <stdlib.h>

#define LEASES_MAX 256
#define WINDOW 16        /* revocations submitted at once */
#define BEGIN_MS 20000   /* none is begun later than this */
#define SCAN_MAX 1048576 /* records looked at */

struct target {
    struct uuid id;
    bool own;
};

struct revoke_all {
    struct cold *cold; /* while listing */
    struct request *request;
    struct lease_owner actor;
    struct target targets[LEASES_MAX];
    size_t count, next;
    unsigned pending, revoked;
    bool more;
    int64_t last_begin_ms;
    struct wire_writer writer;
};

/* ---- listing: worker ---- */

static bool each(const struct lease *lease, void *arg)
{
    struct revoke_all *all = arg;
    bool own = cold_owns(all->cold, lease);

    if ((!own && !all->cold->admin) ||
        (lease->state != LEASE_ACTIVE && lease->state != LEASE_ISSUING))
        return true;
    if (all->count == LEASES_MAX) {
        all->more = true;
        return false;
    }
    all->targets[all->count++] = (struct target){.id = lease->id, .own = own};
    return true;
}

static int list(struct cold *cold)
{
    struct revoke_all *all = cold->arg;
    const struct lease_filter filter = {.has_uid = !cold->admin,
                                        .uid = cold->actor.uid,
                                        .secret = cold->params.secret,
                                        .live_only = true};
    struct uuid next = {0};
    int rc = store_list(cold->store, &filter, NULL, SCAN_MAX, each, all, &next, &cold->err);

    all->more = all->more || !uuid_is_nil(&next);
    return rc;
}

/* ---- revoking: loop ---- */

static void finish(struct revoke_all *all)
{
    wire_close(&all->writer);
    wire_put_int(&all->writer, "revoked", all->revoked);
    wire_put_bool(&all->writer, "more", all->more);
    request_answer(all->request, &all->writer, NULL, NULL);
    free(all);
}

static void put_row(struct revoke_all *all, const struct revoke *revoke)
{
    if (revoke->lease.state == LEASE_NONE) {
        all->more = true; /* it failed before it was durable: ask again */
        return;
    }
    wire_open_map(&all->writer, NULL);
    answer_put_revoked(&all->writer, &revoke->lease);
    wire_close(&all->writer);
}

static void submit_more(struct revoke_all *all);

static void on_revoked(struct revoke *revoke, void *arg)
{
    struct revoke_all *all = arg;

    all->pending--;
    if (revoke->job.rc == 0) {
        all->revoked++;
        lease_journal(LOG_LEVEL_NOTICE, MESSAGE_ID_REVOKED, &revoke->actor, NULL, &revoke->lease,
                      &revoke->lease.ended_by, "lease revoked on request");
    }
    put_row(all, revoke);
    revoke_free(revoke);
    submit_more(all);
}

static bool submit(struct revoke_all *all, const struct target *target)
{
    struct service *service = all->request->service;
    struct revoke *revoke =
        revoke_new(service->options.env, &target->id, target->own ? REVOKE_CLIENT : REVOKE_ADMIN,
                   &all->actor, on_revoked, all);

    if (revoke == NULL)
        return false;
    shared_revoked(service->shared, &target->id);
    revoke->job.deadline_ms = clock_boot_ms() + REQUEST_DEADLINE_MS;
    if (schedule_submit(service->options.schedule, &revoke->job) == 0)
        return true;
    revoke_free(revoke);
    return false;
}

/* May free all: when nothing is left to wait for. */
static void submit_more(struct revoke_all *all)
{
    bool stop = clock_boot_ms() > all->last_begin_ms;

    while (!stop && all->pending < WINDOW && all->next < all->count) {
        if (!submit(all, &all->targets[all->next]))
            break;
        all->pending++;
        all->next++;
    }
    if (all->pending > 0)
        return;
    all->more = all->more || all->next < all->count;
    finish(all);
}

static void listed(struct cold *cold, int rc)
{
    struct revoke_all *all = cold->arg;

    all->cold = NULL;
    if (rc != 0) {
        request_fail(all->request, rc, &cold->err);
        free(all);
        return;
    }
    all->last_begin_ms = clock_boot_ms() + BEGIN_MS;
    wire_begin_result(&all->writer, all->request->msgid);
    wire_open_map(&all->writer, NULL);
    wire_open_array(&all->writer, "leases");
    submit_more(all);
}

void op_revoke_all(struct request *request)
{
    struct cold *cold = cold_new(request, list, access_is_admin(request->config, request->peer));
    struct revoke_all *all;

    if (cold == NULL)
        return;
    all = calloc(1, sizeof *all);
    if (all == NULL) {
        cold_fail(cold, KMS_ENOMEM);
        return;
    }
    all->cold = cold;
    all->request = request;
    all->actor = cold->actor;
    cold->arg = all;
    cold->listed = listed;
    cold_start(cold);
}
