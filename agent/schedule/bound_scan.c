/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule/bound_scan.h"

#include "base/descriptors.h"
#include "base/message_ids.h"
#include "base/thread_role.h"
#include "common/log.h"
#include "schedule/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCAN_EVERY_S 600
#define SCAN_AGAIN_S 60
#define FOUND_MAX 65536

struct found {
    struct uuid id;
    struct lease_process process;
    int pidfd; /* counted by descriptors_take_bound(); -1: see error */
    int error; /* errno of process_reopen(); EMFILE also: it lives, and may not be watched */
};

struct known {
    struct uuid id;
    bool seen;
};

struct bound_scan {
    struct job job; /* the one job, used again and again */
    struct bound_scan_options options;
    struct event *timer;
    bool first, running, stopped;
    struct known *known; /* watched when the scan began, sorted */
    size_t known_count;
    struct found *found; /* bound and not among them */
    size_t found_count, found_size;
    size_t unwatched; /* live, or nobody can tell */
    bool incomplete;
    struct err err;
};

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct uuid)); /* the id is the first member */
}

/* ---- worker ---- */

static void report_foreign(const struct lease *lease)
{
    char id[UUID_TEXT_SIZE];
    struct log_field fields[] = {{FIELD_LEASE_ID, id}, {FIELD_SECRET, lease->secret}};

    uuid_format(&lease->id, id);
    log_event(LOG_LEVEL_NOTICE, NULL, fields, 2,
              "lease %s: its process is in another pid namespace and cannot be found again; the "
              "lease lives to its end",
              id);
}

static bool on_lease(const struct lease *lease, void *arg)
{
    struct bound_scan *scan = arg;
    struct known *known =
        scan->known_count == 0
            ? NULL
            : bsearch(&lease->id, scan->known, scan->known_count, sizeof *scan->known, compare_ids);

    if (lease->state != LEASE_ACTIVE && lease->state != LEASE_ISSUING)
        return true;
    if (known != NULL)
        known->seen = true;
    else if (lease->process.pid == 0 && scan->first)
        report_foreign(lease);
    if (known != NULL || lease->process.pid == 0 || lease->state != LEASE_ACTIVE)
        return true;
    if (scan->found_count == scan->found_size) {
        size_t size = scan->found_size == 0 ? 64 : scan->found_size * 2;
        struct found *found = size <= FOUND_MAX ? realloc(scan->found, size * sizeof *found) : NULL;

        if (found == NULL) {
            scan->incomplete = true;
            return false;
        }
        scan->found = found;
        scan->found_size = size;
    }
    scan->found[scan->found_count++] =
        (struct found){.id = lease->id, .process = lease->process, .pidfd = -1};
    return true;
}

/* With a limit that was lowered, more processes may be bound than may be watched: those are looked
 * at by each scan, and ended by it when they are gone. */
static void reopen(struct found *found)
{
    found->pidfd = process_reopen(&found->process);
    found->error = found->pidfd < 0 ? errno : 0;
    if (found->pidfd < 0 || descriptors_take_bound())
        return;
    close(found->pidfd);
    found->pidfd = -1;
    found->error = EMFILE;
}

static int run(struct job *job, void *context)
{
    struct bound_scan *scan = QUEUE_OF(job, struct bound_scan, job);
    int rc = scan->options.hooks->list_bound(scan->options.env->store, on_lease, scan, &scan->err);

    ASSERT_ON_WORKER();
    (void)context;
    for (size_t i = 0; rc == 0 && i < scan->found_count; i++) {
        if (atomic_load(&job->canceled))
            return KMS_ECANCELED;
        reopen(&scan->found[i]);
    }
    return rc;
}

/* ---- loop ---- */

/* One line in a scan, however many they are. */
static void report_unwatched(struct bound_scan *scan, const char *id, int error)
{
    scan->incomplete = true;
    if (scan->unwatched++ > 0)
        return;
    if (error == EMFILE)
        log_warning("lease %s (and maybe others): its process cannot be watched, looking once a "
                    "minute: no file descriptors left, raise LimitNOFILE= of the service",
                    id);
    else
        log_warning("lease %s (and maybe others): its process cannot be watched, trying again: %s",
                    id, strerror(error));
}

static int take_pidfd(struct found *found)
{
    int pidfd = found->pidfd;

    if (pidfd >= 0)
        descriptors_give_bound();
    found->pidfd = -1;
    return pidfd;
}

static void take(struct bound_scan *scan, struct found *found)
{
    struct err err = {0};
    char id[UUID_TEXT_SIZE];
    int pidfd = take_pidfd(found);

    uuid_format(&found->id, id);
    if (peer_exit_bound(scan->options.peers, &found->id)) {
        if (pidfd >= 0)
            close(pidfd); /* bound since the scan began */
    } else if (pidfd >= 0) {
        if (peer_exit_bind(scan->options.peers, &found->id, pidfd, &err) != 0)
            scan->incomplete = true;
    } else if (found->error == ESRCH) {
        log_info("lease %s: its process has exited", id);
        if (peer_exit_gone(scan->options.peers, &found->id, &err) != 0)
            scan->incomplete = true;
    } else {
        report_unwatched(scan, id, found->error);
    }
}

static void scan_results(struct bound_scan *scan)
{
    for (size_t i = 0; i < scan->found_count; i++)
        take(scan, &scan->found[i]);
    /* Only a whole list proves that a lease is not in it. */
    for (size_t i = 0; !scan->incomplete && i < scan->known_count; i++)
        if (!scan->known[i].seen)
            peer_exit_unbind(scan->options.peers, &scan->known[i].id);
}

static void scan_again_in(struct bound_scan *scan, int seconds)
{
    struct timeval tv = {seconds, 0};

    if (!scan->stopped)
        evtimer_add(scan->timer, &tv);
}

static void scan_clear(struct bound_scan *scan)
{
    for (size_t i = 0; i < scan->found_count; i++)
        if (scan->found[i].pidfd >= 0)
            close(take_pidfd(&scan->found[i]));
    free(scan->found);
    free(scan->known);
    scan->found = NULL;
    scan->known = NULL;
    scan->found_count = scan->found_size = scan->known_count = 0;
}

static void done(struct job *job)
{
    struct bound_scan *scan = QUEUE_OF(job, struct bound_scan, job);

    scan->running = false;
    if (job->rc == 0 && !scan->stopped)
        scan_results(scan);
    else if (!scan->stopped)
        log_error("bound leases cannot be listed: %s", scan->err.message);
    if (job->rc == 0 && !scan->incomplete)
        scan->first = false;
    scan_again_in(scan, job->rc == 0 && !scan->incomplete ? SCAN_EVERY_S : SCAN_AGAIN_S);
    scan_clear(scan);
}

/* Sorted ids of what is watched now. */
static bool snapshot(struct bound_scan *scan)
{
    size_t size = peer_exit_count(scan->options.peers), count;
    struct uuid *ids = calloc(size + 1, sizeof *ids);

    scan->known = calloc(size + 1, sizeof *scan->known);
    if (ids == NULL || scan->known == NULL) {
        free(ids);
        return false;
    }
    peer_exit_list(scan->options.peers, ids, size, &count);
    for (size_t i = 0; i < count; i++)
        scan->known[i].id = ids[i];
    scan->known_count = count;
    qsort(scan->known, count, sizeof *scan->known, compare_ids);
    free(ids);
    return true;
}

void bound_scan_start(struct bound_scan *scan)
{
    ASSERT_ON_LOOP();
    if (scan->running || scan->stopped)
        return;
    scan->job = (struct job){.lane = LANE_BACKGROUND, .run = run, .done = done, .internal = true};
    scan->incomplete = false;
    scan->unwatched = 0;
    err_clear(&scan->err);
    if (!snapshot(scan) || tasks_submit(scan->options.tasks, &scan->job, NULL, NULL) != 0) {
        scan_clear(scan);
        scan_again_in(scan, SCAN_AGAIN_S);
        return;
    }
    scan->running = true;
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    bound_scan_start(arg);
}

int bound_scan_new(const struct bound_scan_options *options, struct bound_scan **ret,
                   struct err *err)
{
    struct bound_scan *scan = calloc(1, sizeof *scan);

    if (scan != NULL)
        scan->timer = evtimer_new(options->base, on_time, scan);
    if (scan == NULL || scan->timer == NULL) {
        free(scan);
        return err_set(err, KMS_ENOMEM, "out of memory");
    }
    scan->options = *options;
    scan->first = true;
    *ret = scan;
    return 0;
}

void bound_scan_stop(struct bound_scan *scan)
{
    scan->stopped = true;
    evtimer_del(scan->timer);
}

void bound_scan_free(struct bound_scan *scan)
{
    if (scan == NULL || scan->running)
        return;
    event_free(scan->timer);
    free(scan);
}
