/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule/peer_exit.h"

#include "base/descriptors.h"
#include "base/thread_role.h"
#include "schedule/id_map.h"
#include "schedule/row_queue.h"

#include <stdlib.h>
#include <unistd.h>

#define RETRY_MS 250

/* A bound lease. Watched until the process exits; then pending until its revocation is durable. */
struct watch {
    struct id_node node;
    struct queue_link link; /* in pending */
    struct peer_exit *peers;
    int pidfd;           /* -1: the process has exited */
    struct event *event; /* NULL: the process has exited */
};

struct peer_exit {
    struct peer_exit_options options;
    struct id_map watches;
    struct queue pending;
    unsigned running; /* revocations begun and not ended */
    struct event *retry;
    bool stopped;
};

static void watch_exited(struct watch *watch)
{
    if (watch->event != NULL)
        event_free(watch->event);
    if (watch->pidfd >= 0) {
        close(watch->pidfd);
        descriptors_give_bound();
    }
    watch->event = NULL;
    watch->pidfd = -1;
}

static void watch_free(struct watch *watch)
{
    watch_exited(watch);
    id_map_remove(&watch->peers->watches, &watch->node);
    free(watch);
}

static void pending_add(struct watch *watch)
{
    queue_push(&watch->peers->pending, &watch->link);
}

static void retry_later(struct peer_exit *peers)
{
    struct timeval tv = {0, RETRY_MS * 1000};

    if (!peers->stopped && !evtimer_pending(peers->retry, NULL))
        evtimer_add(peers->retry, &tv);
}

/* Done when the record says so or there is none; a store that failed is asked again. */
static void on_ended(struct job *job, void *arg)
{
    struct watch *watch = arg;
    struct peer_exit *peers = watch->peers;
    enum lease_state state = QUEUE_OF(job, struct revoke, job)->lease.state;
    bool over = state == LEASE_REVOKING || state == LEASE_REVOKED || job->rc == KMS_ENOLEASE ||
                job->rc == KMS_EREFUSED;

    peers->running--;
    if (over || peers->stopped)
        watch_free(watch);
    else
        pending_add(watch);
    if (peers->pending.first != NULL)
        retry_later(peers);
}

static bool submit(struct watch *watch)
{
    struct peer_exit *peers = watch->peers;
    const struct schedule_hooks *hooks = peers->options.hooks;
    struct revoke *revoke =
        hooks->revoke_new(peers->options.env, &watch->node.id, REVOKE_PEER_EXIT, NULL, NULL, NULL);

    if (revoke == NULL)
        return false;
    /* The exits of one way must not wait for the calls of another: those go by way (row_queue.h).
     */
    revoke->only_begin = true;
    if (tasks_submit(peers->options.tasks, &revoke->job, on_ended, watch) != 0) {
        hooks->revoke_free(revoke);
        return false;
    }
    peers->running++;
    return true;
}

/* As many at once as may be; the others wait here, where each costs a few bytes only. */
static void drain(struct peer_exit *peers)
{
    size_t count = peers->pending.count;

    while (count-- > 0 && peers->running < PEER_EXIT_JOBS && !peers->stopped) {
        struct watch *watch = QUEUE_OF(queue_pop(&peers->pending), struct watch, link);

        if (!submit(watch))
            pending_add(watch);
    }
    if (peers->pending.first != NULL)
        retry_later(peers);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    drain(arg);
}

static void on_exit_event(evutil_socket_t fd, short what, void *arg)
{
    struct watch *watch = arg;

    (void)fd;
    (void)what;
    watch_exited(watch);
    pending_add(watch);
    drain(watch->peers);
}

static struct watch *watch_new(struct peer_exit *peers, const struct uuid *lease_id)
{
    struct watch *watch = calloc(1, sizeof *watch);

    if (watch == NULL)
        return NULL;
    watch->peers = peers;
    watch->pidfd = -1;
    id_map_add(&peers->watches, lease_id, &watch->node);
    return watch;
}

int peer_exit_gone(struct peer_exit *peers, const struct uuid *lease_id, struct err *err)
{
    struct id_node *node = id_map_find(&peers->watches, lease_id);
    struct watch *watch;

    ASSERT_ON_LOOP();
    watch = node != NULL ? QUEUE_OF(node, struct watch, node) : NULL;
    if (watch != NULL && watch->pidfd < 0)
        return 0; /* known already */
    if (watch == NULL)
        watch = watch_new(peers, lease_id);
    if (watch == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    watch_exited(watch);
    pending_add(watch);
    drain(peers);
    return 0;
}

int peer_exit_bind(struct peer_exit *peers, const struct uuid *lease_id, int pidfd, struct err *err)
{
    struct id_node *node = id_map_find(&peers->watches, lease_id);
    struct watch *watch = node != NULL ? QUEUE_OF(node, struct watch, node) : NULL;

    ASSERT_ON_LOOP();
    if (pidfd < 0) /* libevent would take it for a timer that never fires */
        return err_set(err, KMS_EINTERNAL, "no descriptor of the process to bind to");
    if (watch != NULL && watch->pidfd < 0) { /* exited before; the lease is on its way out */
        close(pidfd);
        return 0;
    }
    if (watch == NULL)
        watch = watch_new(peers, lease_id);
    else
        watch_exited(watch); /* the earlier binding */
    if (watch != NULL) {
        watch->pidfd = pidfd;
        descriptors_add_bound();
        watch->event = event_new(peers->options.base, pidfd, EV_READ, on_exit_event, watch);
    }
    if (watch == NULL || watch->event == NULL || event_add(watch->event, NULL) != 0) {
        if (watch == NULL)
            close(pidfd);
        else
            watch_free(watch);
        return err_set(err, KMS_ENOMEM, "out of memory");
    }
    return 0;
}

void peer_exit_unbind(struct peer_exit *peers, const struct uuid *lease_id)
{
    struct id_node *node = id_map_find(&peers->watches, lease_id);
    struct watch *watch;

    ASSERT_ON_LOOP();
    if (node == NULL)
        return;
    watch = QUEUE_OF(node, struct watch, node);
    if (watch->pidfd >= 0)
        watch_free(watch); /* else its own revocation frees it */
}

bool peer_exit_bound(const struct peer_exit *peers, const struct uuid *lease_id)
{
    return id_map_find(&peers->watches, lease_id) != NULL;
}

bool peer_exit_lives(const struct peer_exit *peers, const struct uuid *lease_id)
{
    struct id_node *node = id_map_find(&peers->watches, lease_id);

    return node != NULL && QUEUE_OF(node, struct watch, node)->pidfd >= 0;
}

struct listing {
    struct uuid *ids;
    size_t size, count;
};

static void list_one(struct id_node *node, void *arg)
{
    struct listing *listing = arg;

    if (QUEUE_OF(node, struct watch, node)->pidfd >= 0 && listing->count < listing->size)
        listing->ids[listing->count++] = node->id;
}

void peer_exit_list(const struct peer_exit *peers, struct uuid *ids, size_t size, size_t *ret_count)
{
    struct listing listing = {ids, size, 0};

    id_map_each(&peers->watches, list_one, &listing);
    *ret_count = listing.count;
}

size_t peer_exit_count(const struct peer_exit *peers)
{
    return peers->watches.count;
}

void peer_exit_advance(struct peer_exit *peers)
{
    drain(peers);
}

int peer_exit_new(const struct peer_exit_options *options, struct peer_exit **ret, struct err *err)
{
    struct peer_exit *peers = calloc(1, sizeof *peers);

    if (peers != NULL)
        peers->retry = evtimer_new(options->base, on_retry, peers);
    if (peers == NULL || peers->retry == NULL) {
        free(peers);
        return err_set(err, KMS_ENOMEM, "out of memory");
    }
    peers->options = *options;
    queue_init(&peers->pending);
    *ret = peers;
    return 0;
}

static void stop_one(struct id_node *node, void *arg)
{
    (void)arg;
    watch_exited(QUEUE_OF(node, struct watch, node));
}

void peer_exit_stop(struct peer_exit *peers)
{
    peers->stopped = true;
    evtimer_del(peers->retry);
    id_map_each(&peers->watches, stop_one, NULL);
}

void peer_exit_free(struct peer_exit *peers)
{
    struct id_node *node;

    if (peers == NULL || peers->running > 0)
        return;
    while ((node = id_map_any(&peers->watches)) != NULL)
        watch_free(QUEUE_OF(node, struct watch, node));
    event_free(peers->retry);
    free(peers);
}
