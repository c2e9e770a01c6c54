/* SPDX-License-Identifier: Apache-2.0 */
/* kms-bench-aws PORT_FILE [DELAY_US]: IAM and STS that answer every call at once, or after a delay:
 * HTTP/1.1 on a port of 127.0.0.1 (written to PORT_FILE), connections kept, one thread. It is what
 * AWS costs when AWS costs nothing; tests/cloud/ is the one that checks what it is asked. */
#include "aws_answers.h"
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 64
#define CONNECTIONS_MAX 1024
#define REQUEST_MAX 16384

static struct connection {
    size_t len;
    char bytes[REQUEST_MAX + 1];
} * connections[CONNECTIONS_MAX];

/* Answers that wait for their time; all wait equally long, so the oldest is the next. */
static struct waiting {
    int fd;
    uint64_t at_ns;
    size_t len;
    char bytes[AWS_ANSWER_MAX];
} waiting[CONNECTIONS_MAX];
static size_t waiting_first, waiting_count;
static uint64_t delay_ns;

static void send_answer(int fd, const char *bytes, size_t len)
{
    if (send(fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len && errno != EPIPE && errno != ECONNRESET)
        bench_die("cannot answer");
}

static void answer(int fd, const char *body, size_t len)
{
    struct waiting *slot;
    char bytes[AWS_ANSWER_MAX];

    if (delay_ns == 0) {
        len = aws_answer(body, len, bytes);
        send_answer(fd, bytes, len);
        return;
    }
    errno = 0;
    if (waiting_count == CONNECTIONS_MAX)
        bench_die("too many calls at once");
    slot = &waiting[(waiting_first + waiting_count++) % CONNECTIONS_MAX];
    slot->fd = fd;
    slot->at_ns = bench_now_ns() + delay_ns;
    slot->len = aws_answer(body, len, slot->bytes);
}

static void send_due(void)
{
    uint64_t now = bench_now_ns();

    while (waiting_count > 0 && waiting[waiting_first].at_ns <= now) {
        struct waiting *slot = &waiting[waiting_first];

        if (connections[slot->fd] != NULL)
            send_answer(slot->fd, slot->bytes, slot->len);
        waiting_first = (waiting_first + 1) % CONNECTIONS_MAX;
        waiting_count--;
    }
}

/* Bytes of the request at the start of the buffer, 0: not whole yet. */
static size_t request_len(const struct connection *connection, const char **ret_body,
                          size_t *ret_body_len)
{
    const char *end = strstr(connection->bytes, "\r\n\r\n");
    const char *header = strcasestr(connection->bytes, "\r\nContent-Length:");
    size_t head;

    if (end == NULL)
        return 0;
    head = (size_t)(end - connection->bytes) + 4;
    *ret_body = end + 4;
    *ret_body_len = header != NULL && header < end ? strtoul(header + 17, NULL, 10) : 0;
    return connection->len >= head + *ret_body_len ? head + *ret_body_len : 0;
}

static void drop(int fd)
{
    free(connections[fd]);
    connections[fd] = NULL;
    close(fd);
}

static void serve(int fd)
{
    struct connection *connection = connections[fd];
    const char *body;
    size_t whole, body_len;
    ssize_t n = read(fd, connection->bytes + connection->len, REQUEST_MAX - connection->len);

    if (n <= 0) {
        drop(fd);
        return;
    }
    connection->len += (size_t)n;
    connection->bytes[connection->len] = '\0';
    while ((whole = request_len(connection, &body, &body_len)) > 0) {
        answer(fd, body, body_len);
        connection->len -= whole;
        memmove(connection->bytes, connection->bytes + whole, connection->len + 1);
    }
    errno = 0;
    if (connection->len == REQUEST_MAX)
        bench_die("a request is too large");
}

static void add(int epoll_fd, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    int on = 1;

    if (fd < 0 || fd >= CONNECTIONS_MAX || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        bench_die("cannot watch a descriptor");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connections[fd] = calloc(1, sizeof *connections[fd]);
    if (connections[fd] == NULL)
        bench_die("no memory");
}

static int listen_somewhere(const char *port_file)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    FILE *file;

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, 128) != 0 || getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        bench_die("cannot listen");
    file = fopen(port_file, "w");
    if (file == NULL || fprintf(file, "%u\n", ntohs(address.sin_port)) < 0 || fclose(file) != 0)
        bench_die("cannot write %s", port_file);
    return fd;
}

/* Up to the next answer that is due, rounded up. */
static int wait_ms(void)
{
    uint64_t now = bench_now_ns();

    if (waiting_count == 0)
        return -1;
    if (waiting[waiting_first].at_ns <= now)
        return 0;
    return (int)((waiting[waiting_first].at_ns - now + 999999) / 1000000);
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS_MAX];
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC), listener;

    if (argc < 2 || argc > 3)
        bench_die("usage: kms-bench-aws PORT_FILE [DELAY_US]");
    if (argc == 3)
        delay_ns = bench_number(argv[2], 0) * 1000;
    listener = listen_somewhere(argv[1]);
    add(epoll_fd, listener);
    for (;;) {
        int n = epoll_wait(epoll_fd, events, EVENTS_MAX, wait_ms());

        if (n < 0 && errno != EINTR)
            bench_die("epoll_wait");
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener)
                add(epoll_fd, accept4(listener, NULL, NULL, SOCK_CLOEXEC));
            else
                serve(events[i].data.fd);
        }
        send_due();
    }
}
