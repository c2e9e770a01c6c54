/* SPDX-License-Identifier: Apache-2.0 */
/* One mint at a time for each entry: a renewal under the same lease id while max_ttl has room for a
 * whole TTL, else a new lease. It goes on when those who asked are gone: the next one gets it. */
#include "base/clock.h"
#include "base/message_ids.h"
#include "common/timefmt.h"
#include "lease/aws_access.h"
#include "lease/lease_journal.h"
#include "service/events.h"
#include "service/failure.h"
#include "service/shared_private.h"

#include <stdio.h>
#include <string.h>

#define RENEW_SPARE_MS                                                                             \
    120000 /* a renewal that waits for its turn this long is still a whole one                     \
            */

/* ---- the end of a mint ---- */

static void tell_failed(const struct shared_entry *entry, const struct err *err)
{
    char message[ERR_MESSAGE_MAX + 192], end[TIME_TEXT_SIZE];
    struct lease_call call;

    events_call_of(err, &call);
    time_format(entry->lease.expires_ms, end);
    snprintf(message, sizeof message,
             "the shared session cannot be refreshed, the last one is handed out until %s: %s", end,
             err->message);
    lease_journal(LOG_LEVEL_WARNING, MESSAGE_ID_FAILED, &entry->actor, NULL, &entry->lease, &call,
                  message);
}

/* The last good one goes on; one line, however often it fails. */
static void note_failure(struct shared_entry *entry, const struct err *err)
{
    bool told;

    if (err->code == KMS_ECANCELED || err->code == KMS_ESTOPPING)
        return;
    told = entry->live && !entry->detached;
    if (entry->failures == 0 && told)
        tell_failed(entry, err);
    if (entry->failures == 0 || !entry->live)
        failure_record(entry->shared->service,
                       &(struct failure){.actor = &entry->actor,
                                         .secret = entry->secret,
                                         .lease = entry->live ? &entry->lease : NULL,
                                         .err = err,
                                         .logged = told});
    entry->retry_ms =
        clock_boot_ms() + retry_wait_ms(entry->failures, SHARED_RETRY_BASE_MS, SHARED_RETRY_CAP_MS);
    entry->failures++;
}

static void conclude(struct shared_entry *entry, int rc, const struct err *err)
{
    if (rc == 0) {
        entry->failures = 0;
    } else {
        note_failure(entry, err);
    }
    shared_answer_waiters(entry, rc, err);
    if (entry->detached)
        shared_entry_free(entry);
    else if (shared_left_ms(entry, clock_aws_ms()) <= 0)
        shared_drop(entry);
}

static void tell_minted(const struct shared_entry *entry, bool renewed,
                        const struct lease_call *call)
{
    const char *what = renewed ? "shared session renewed" : "lease issued, its session is shared";

    if (entry->failures > 0)
        what = "shared session refreshed after failures";
    lease_journal(LOG_LEVEL_NOTICE, renewed ? MESSAGE_ID_RENEWED : MESSAGE_ID_ISSUED, &entry->actor,
                  NULL, &entry->lease, call, what);
}

static void on_issued(struct issue *issue, void *arg)
{
    struct shared_entry *entry = arg;
    struct err err = issue->err;
    int rc = issue->job.rc;

    entry->job = NULL;
    if (rc == 0) {
        shared_audit_write(entry); /* of the lease before */
        rc = shared_keep(entry, &issue->lease, &issue->credential, &err);
        if (rc != 0)
            issue_undelivered(issue->env, &issue->lease.id);
    }
    if (rc == 0) {
        entry->delivered = false;
        tell_minted(entry, false, &issue->call);
    }
    issue_free(issue);
    conclude(entry, rc, &err);
}

static int start_issue(struct shared_entry *entry, struct err *err);

/* Nothing to renew (any more): a lease of its own, then. */
static bool needs_new_lease(struct shared_entry *entry, int rc)
{
    if (rc != KMS_EENDED && rc != KMS_ENOLEASE && rc != KMS_ENORENEW)
        return false;
    if (rc != KMS_ENORENEW)
        shared_forget(entry);
    return !entry->detached;
}

static void on_renewed(struct renew *renew, void *arg)
{
    struct shared_entry *entry = arg;
    struct err err = renew->err;
    int rc = renew->job.rc;

    entry->job = NULL;
    if (rc == 0)
        rc = shared_keep(entry, &renew->lease, &renew->credential, &err);
    if (rc == 0)
        tell_minted(entry, true, &renew->call);
    renew_free(renew);
    if (rc != 0 && needs_new_lease(entry, rc)) {
        err_clear(&err);
        rc = start_issue(entry, &err);
        if (rc == 0)
            return;
    }
    conclude(entry, rc, &err);
}

/* ---- its start ---- */

static const struct secret_config *secret_of(const struct shared_entry *entry)
{
    return config_secret(entry->shared->service->config, entry->secret);
}

/* With somebody waiting it is a client's work in the lane of sessions, else the agent's own. */
static int submit(struct shared_entry *entry, struct job *job, struct err *err)
{
    struct service *service = entry->shared->service;
    bool asked = entry->waiter_count > 0;
    int rc;

    job->lane = asked ? LANE_SESSION : LANE_BACKGROUND;
    job->internal = !asked;
    job->deadline_ms = clock_boot_ms() + REQUEST_ISSUE_DEADLINE_MS;
    entry->job = job;
    rc = schedule_submit(service->options.schedule, job);
    if (rc == 0)
        return 0;
    entry->job = NULL;
    err_set(err, rc,
            rc == KMS_ESTOPPING ? "the agent is stopping" : "the agent has too much to do");
    err->retry_after_ms = rc == KMS_EBUSY ? 1000 : 0;
    return rc;
}

static int start_issue(struct shared_entry *entry, struct err *err)
{
    struct service *service = entry->shared->service;
    const struct issue_params params = {.config = service->config,
                                        .secret = secret_of(entry),
                                        .owner = entry->actor,
                                        .shared = true};
    struct issue *issue = issue_new(service->options.env, &params, on_issued, entry);
    int rc =
        issue == NULL ? err_set(err, KMS_ENOMEM, "out of memory") : submit(entry, &issue->job, err);

    if (rc != 0)
        issue_free(issue);
    return rc;
}

static int start_renewal(struct shared_entry *entry, int64_t ttl_s, struct err *err)
{
    struct service *service = entry->shared->service;
    struct renew *renew = renew_new(service->options.env, service->config, &entry->lease.id, ttl_s,
                                    &entry->actor, on_renewed, entry);
    int rc;

    if (renew == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    renew->job.way = recipe_way(&entry->lease.recipe);
    rc = submit(entry, &renew->job, err);
    if (rc != 0)
        renew_free(renew);
    return rc;
}

int shared_mint_start(struct shared_entry *entry, struct err *err)
{
    const struct recipe *recipe = &secret_of(entry)->recipe;
    int64_t now = clock_aws_ms(), ttl_ms = recipe->default_ttl_s * 1000;
    int64_t last_end = entry->lease.created_ms + recipe->max_ttl_s * 1000;

    if (entry->live && entry->lease.expires_ms - now > RENEW_SPARE_MS &&
        now + ttl_ms + RENEW_SPARE_MS <= last_end)
        return start_renewal(entry, recipe->default_ttl_s, err);
    return start_issue(entry, err);
}
