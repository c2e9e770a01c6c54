/* SPDX-License-Identifier: Apache-2.0 */
/* kms-bench-echo SOCKET REQUEST_BYTES ANSWER_FILE: the least a server can do with the same bytes.
 * Raw epoll, one thread: reads REQUEST_BYTES, writes the file. */
#include "bench.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define EVENTS_MAX 64
#define CONNECTIONS_MAX 1024

static uint8_t *answer;
static size_t answer_len, request_len;
static size_t got[CONNECTIONS_MAX]; /* bytes of the request so far, by descriptor */

static void add(int epoll_fd, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (fd < 0 || fd >= CONNECTIONS_MAX || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        bench_die("cannot watch a descriptor");
    got[fd] = 0;
}

static void serve(int fd)
{
    char bytes[16384];
    ssize_t n = read(fd, bytes, sizeof bytes);

    if (n <= 0) {
        close(fd);
        return;
    }
    for (got[fd] += (size_t)n; got[fd] >= request_len; got[fd] -= request_len)
        if (write(fd, answer, answer_len) != (ssize_t)answer_len)
            bench_die("cannot answer");
}

static int listen_on(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof address.sun_path)
        bench_die("the socket's path is too long");
    strcpy(address.sun_path, path);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, 128) != 0)
        bench_die("cannot listen on %s", path);
    return fd;
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS_MAX];
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC), listener;

    if (argc != 4)
        bench_die("usage: kms-bench-echo SOCKET REQUEST_BYTES ANSWER_FILE");
    request_len = bench_number(argv[2], 1);
    answer = bench_read_file(argv[3], &answer_len);
    listener = listen_on(argv[1]);
    add(epoll_fd, listener);
    for (;;) {
        int n = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);

        if (n < 0 && errno != EINTR)
            bench_die("epoll_wait");
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener)
                add(epoll_fd, accept4(listener, NULL, NULL, SOCK_CLOEXEC));
            else
                serve(events[i].data.fd);
        }
    }
}
