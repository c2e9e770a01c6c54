/* SPDX-License-Identifier: Apache-2.0 */
#include "front/listener.h"

#include "front/socket_bind.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ACCEPT_BURST 16 /* connections a turn: those that are open get their turn, too */

struct listener {
    struct listener_options options;
    char *path; /* NULL: none to watch */
    struct socket_file file;
    int reserve_fd;
    struct event *event, *resume;
};

static void resume(evutil_socket_t fd, short what, void *arg)
{
    struct listener *listener = arg;

    (void)fd;
    (void)what;
    if (listener->reserve_fd < 0)
        listener->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    event_add(listener->event, NULL);
}

/* Source: libevent issue 71; the reserve gives the client an end of file instead of silence. */
static void rest(struct listener *listener)
{
    int64_t ms = listener->options.pause_ms;
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

    if (listener->reserve_fd >= 0) {
        close(listener->reserve_fd);
        int fd = accept4(listener->options.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
            close(fd);
            if (listener->options.refused != NULL)
                listener->options.refused(listener->options.arg);
        }
        listener->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    event_del(listener->event);
    event_add(listener->resume, &tv);
}

static void on_connection(evutil_socket_t listen_fd, short what, void *arg)
{
    struct listener *listener = arg;

    (void)what;
    for (int i = 0; i < ACCEPT_BURST; i++) {
        int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0)
            listener->options.accepted(fd, listener->options.arg);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            rest(listener);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED)
            return;
    }
}

/* Of a socket that was passed in: NULL also when the file is not to be seen from here. */
static char *path_of(int fd)
{
    struct sockaddr_un address = {0};
    socklen_t len = sizeof address - 1; /* the kernel need not end it with a NUL */

    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0 || address.sun_path[0] != '/')
        return NULL;
    return strdup(address.sun_path);
}

static void find_file(struct listener *listener)
{
    const struct listener_options *options = &listener->options;

    listener->path = options->path != NULL ? strdup(options->path) : path_of(options->fd);
    if (listener->path != NULL && socket_file_of(listener->path, &listener->file) != 0) {
        free(listener->path);
        listener->path = NULL;
    }
}

static int set_up(struct listener *listener, struct err *err)
{
    const struct listener_options *options = &listener->options;
    int flags = fcntl(options->fd, F_GETFL);

    if (flags < 0 || fcntl(options->fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return err_set(err, KMS_ECONFIG, "listening socket: %s", strerror(errno));
    listener->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    find_file(listener);
    listener->event =
        event_new(options->base, options->fd, EV_READ | EV_PERSIST, on_connection, listener);
    listener->resume = evtimer_new(options->base, resume, listener);
    if (listener->event == NULL || listener->resume == NULL ||
        (options->path != NULL && listener->path == NULL) || event_add(listener->event, NULL) != 0)
        return err_set(err, KMS_ENOMEM, "out of memory");
    return 0;
}

int listener_new(const struct listener_options *options, struct listener **ret, struct err *err)
{
    struct listener *listener = calloc(1, sizeof *listener);

    if (listener == NULL) {
        close(options->fd);
        return err_set(err, KMS_ENOMEM, "out of memory");
    }
    listener->options = *options;
    listener->reserve_fd = -1;
    if (set_up(listener, err) != 0) {
        listener_free(listener);
        return err->code;
    }
    *ret = listener;
    return 0;
}

bool listener_is_found(const struct listener *listener)
{
    return listener->path == NULL || socket_file_is(listener->path, &listener->file);
}

const char *listener_path(const struct listener *listener)
{
    return listener->path;
}

void listener_free(struct listener *listener)
{
    if (listener == NULL)
        return;
    if (listener->event != NULL)
        event_free(listener->event);
    if (listener->resume != NULL)
        event_free(listener->resume);
    if (listener->path != NULL && listener->options.path != NULL)
        socket_unlink(listener->path, &listener->file);
    close(listener->options.fd);
    if (listener->reserve_fd >= 0)
        close(listener->reserve_fd);
    free(listener->path);
    free(listener);
}
