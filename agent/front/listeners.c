/* SPDX-License-Identifier: Apache-2.0 */
#include "front/listeners.h"

#include "front/socket_bind.h"

#include <stdlib.h>
#include <string.h>

struct listeners {
    struct listeners_options options; /* not its pointers */
    char *path;                       /* of the agent's own socket; NULL: all were passed in */
    uint32_t mode, gid;
    struct listener **items;
    size_t count;
    struct event *look;
    bool told; /* that something is wrong, since it is */
};

static int open_listener(struct listeners *listeners, int fd, const char *path,
                         struct listener **ret, struct err *err)
{
    struct listener_options options = listeners->options.each;

    options.fd = fd;
    options.path = path;
    return listener_new(&options, ret, err);
}

static int bind_own(struct listeners *listeners, struct listener **ret, struct err *err)
{
    int fd, rc = socket_bind(listeners->path, listeners->mode, listeners->gid, &fd, err);

    return rc != 0 ? rc : open_listener(listeners, fd, listeners->path, ret, err);
}

static int add_all(struct listeners *listeners, const int *fds, size_t count, struct err *err)
{
    int rc = 0;

    listeners->items = calloc(count > 0 ? count : 1, sizeof(struct listener *));
    if (listeners->items == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    if (count == 0) {
        rc = bind_own(listeners, &listeners->items[0], err);
        listeners->count = rc == 0;
    }
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = open_listener(listeners, fds[i], NULL, &listeners->items[i], err);
        listeners->count += rc == 0;
    }
    return rc;
}

/* ---- the files ---- */

/* The old one stays until there is a new one: what waits in its backlog is still accepted. */
static int bind_again(struct listeners *listeners, struct err *err)
{
    struct listener *fresh;
    int rc = bind_own(listeners, &fresh, err);

    if (rc != 0)
        return rc;
    listener_free(listeners->items[0]);
    listeners->items[0] = fresh;
    return 0;
}

static void mend(struct listeners *listeners, const struct listener *lost)
{
    const struct listeners_options *options = &listeners->options;
    struct err err = {0};

    if (listeners->path == NULL) {
        err_set(&err, KMS_ECONFIG, "the service manager made it, and has to make it anew");
        err_hint(&err, "restart the socket unit: systemctl restart kms-agent.socket");
    } else if (bind_again(listeners, &err) == 0) {
        options->lost(listeners->path, NULL, options->each.arg);
        listeners->told = false;
        return;
    }
    if (!listeners->told)
        options->lost(listener_path(lost), &err, options->each.arg);
    listeners->told = true;
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
    struct listeners *listeners = arg;

    (void)fd;
    (void)what;
    for (size_t i = 0; i < listeners->count; i++)
        if (!listener_is_found(listeners->items[i])) {
            mend(listeners, listeners->items[i]);
            return;
        }
    listeners->told = false;
}

static int start_looking(struct listeners *listeners, struct err *err)
{
    int64_t ms = listeners->options.look_ms;
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

    if (ms == 0)
        return 0;
    listeners->look = event_new(listeners->options.each.base, -1, EV_PERSIST, on_look, listeners);
    if (listeners->look == NULL || event_add(listeners->look, &tv) != 0)
        return err_set(err, KMS_ENOMEM, "out of memory");
    return 0;
}

/* ---- life ---- */

int listeners_new(const struct listeners_options *options, struct listeners **ret, struct err *err)
{
    struct listeners *listeners = calloc(1, sizeof *listeners);
    size_t count = options->fds != NULL ? options->fd_count : 0;
    int rc = 0;

    if (listeners == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    listeners->options = *options;
    listeners->mode = options->config->socket_mode;
    listeners->gid = options->config->socket_gid;
    if (count == 0) {
        listeners->path = strdup(options->config->socket);
        if (listeners->path == NULL)
            rc = err_set(err, KMS_ENOMEM, "out of memory");
    }
    if (rc == 0)
        rc = add_all(listeners, options->fds, count, err);
    if (rc == 0)
        rc = start_looking(listeners, err);
    if (rc != 0)
        listeners_free(listeners);
    else
        *ret = listeners;
    return rc;
}

void listeners_free(struct listeners *listeners)
{
    if (listeners == NULL)
        return;
    if (listeners->look != NULL)
        event_free(listeners->look);
    while (listeners->count > 0)
        listener_free(listeners->items[--listeners->count]);
    free(listeners->items);
    free(listeners->path);
    free(listeners);
}
