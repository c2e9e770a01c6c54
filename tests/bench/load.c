/* SPDX-License-Identifier: Apache-2.0 */
/* kms-bench-load: sends one request over and over on each of N connections, the next one when the
 * answer is there, and says how long that took.
 *
 *   kms-bench-load (--unix PATH | --tcp PORT) --request FILE [--answer BYTES] [--clients N]
 *                  [--ms MS] [--warm MS] [--gap-us US] [--save FILE]
 *
 * --answer: answers have so many bytes, whatever is in them; without it they are MessagePack, and
 * one with an error counts as refused. --gap-us: the pause of one client between two requests.
 * --save: the first answer. One client blocks in read(), several share an epoll. Prints one line
 * of name=value. */
#include "bench.h"

#include "common/mp.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX 65536
#define EVENTS_MAX 64

struct client {
    int fd;
    uint64_t sent_ns;
    size_t len;
    struct mp_check check;
    uint8_t answer[ANSWER_MAX];
};

static struct {
    const char *unix_path, *save;
    uint16_t port;
    uint8_t *request;
    size_t request_len, answer_len;
    uint64_t clients, ms, warm_ms, gap_us;
} options = {.clients = 1, .ms = 1000, .warm_ms = 100};

static struct samples samples;
static uint64_t answered, refused, warm_until_ns, end_ns;

static void send_request(struct client *client)
{
    client->len = 0;
    mp_check_init(&client->check, &mp_answer_limits);
    client->sent_ns = bench_now_ns();
    if (write(client->fd, options.request, options.request_len) != (ssize_t)options.request_len)
        bench_die("cannot send");
}

static void save(const struct client *client)
{
    FILE *file = fopen(options.save, "wb");

    if (file == NULL || fwrite(client->answer, 1, client->len, file) != client->len)
        bench_die("cannot write %s", options.save);
    fclose(file);
    options.save = NULL;
}

/* [1, msgid, error|nil, …] with a msgid of one byte. */
static void look_at(const struct client *client)
{
    bool error = options.answer_len == 0 && client->len > 3 && client->answer[3] != 0xC0;

    if (error && refused++ == 0)
        fprintf(stderr, "refused: %.*s\n", (int)(client->len < 300 ? client->len : 300),
                (const char *)client->answer + 4);
    if (options.save != NULL)
        save(client);
}

/* Reads once; true: the answer is whole. */
static bool receive(struct client *client)
{
    ssize_t n = read(client->fd, client->answer + client->len, sizeof client->answer - client->len);
    uint64_t now = bench_now_ns();
    enum mp_status status;

    if (n <= 0)
        bench_die(n == 0 ? "the connection was closed" : "cannot receive");
    client->len += (size_t)n;
    if (options.answer_len > 0) {
        if (client->len < options.answer_len)
            return false;
    } else {
        status = mp_check_feed(&client->check, client->answer, client->len);
        errno = 0;
        if (status == MP_BAD)
            bench_die("the answer is malformed: %s", client->check.reason);
        if (status == MP_MORE)
            return false;
    }
    look_at(client);
    if (now >= warm_until_ns) {
        samples_add(&samples, now - client->sent_ns);
        answered++;
    }
    return true;
}

static void run_one(struct client *client)
{
    struct timespec gap = {.tv_sec = (time_t)(options.gap_us / 1000000),
                           .tv_nsec = (long)(options.gap_us % 1000000 * 1000)};

    while (bench_now_ns() < end_ns) {
        send_request(client);
        while (!receive(client))
            ;
        if (options.gap_us > 0)
            nanosleep(&gap, NULL);
    }
}

static void run_many(struct client *clients)
{
    struct epoll_event events[EVENTS_MAX];
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    uint64_t waiting = options.clients;

    for (uint64_t i = 0; i < options.clients; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};

        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, clients[i].fd, &event) != 0)
            bench_die("epoll_ctl");
        send_request(&clients[i]);
    }
    while (waiting > 0) {
        int n = epoll_wait(epoll_fd, events, EVENTS_MAX, 60000);

        if (n <= 0 && errno != EINTR)
            bench_die("no answer for a minute");
        for (int i = 0; i < n; i++) {
            struct client *client = events[i].data.ptr;

            if (!receive(client))
                continue;
            if (client->sent_ns < end_ns)
                send_request(client);
            else
                waiting--;
        }
    }
    close(epoll_fd);
}

static void parse(int argc, char **argv)
{
    static const struct option longs[] = {
        {"unix", required_argument, NULL, 'u'},    {"tcp", required_argument, NULL, 't'},
        {"request", required_argument, NULL, 'r'}, {"answer", required_argument, NULL, 'a'},
        {"clients", required_argument, NULL, 'c'}, {"ms", required_argument, NULL, 'm'},
        {"warm", required_argument, NULL, 'w'},    {"gap-us", required_argument, NULL, 'g'},
        {"save", required_argument, NULL, 's'},    {NULL, 0, NULL, 0}};
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'u':
            options.unix_path = optarg;
            break;
        case 't':
            options.port = (uint16_t)bench_number(optarg, 1);
            break;
        case 'r':
            options.request = bench_read_file(optarg, &options.request_len);
            break;
        case 'a':
            options.answer_len = bench_number(optarg, 0);
            break;
        case 'c':
            options.clients = bench_number(optarg, 1);
            break;
        case 'm':
            options.ms = bench_number(optarg, 1);
            break;
        case 'w':
            options.warm_ms = bench_number(optarg, 0);
            break;
        case 'g':
            options.gap_us = bench_number(optarg, 0);
            break;
        case 's':
            options.save = optarg;
            break;
        default:
            exit(2);
        }
    }
    errno = 0;
    if (options.request == NULL || (options.unix_path == NULL && options.port == 0))
        bench_die("--request and --unix or --tcp are needed");
}

int main(int argc, char **argv)
{
    struct client *clients;
    uint64_t start_ns;

    parse(argc, argv);
    clients = calloc(options.clients, sizeof *clients);
    if (clients == NULL)
        bench_die("no memory");
    for (uint64_t i = 0; i < options.clients; i++)
        clients[i].fd = options.unix_path != NULL ? bench_connect_unix(options.unix_path)
                                                  : bench_connect_tcp(options.port);
    start_ns = bench_now_ns();
    warm_until_ns = start_ns + options.warm_ms * 1000000;
    end_ns = warm_until_ns + options.ms * 1000000;
    if (options.clients == 1)
        run_one(clients);
    else
        run_many(clients);
    printf("count=%llu refused=%llu per_s=%.1f p50_ns=%llu p99_ns=%llu max_ns=%llu\n",
           (unsigned long long)answered, (unsigned long long)refused,
           (double)answered * 1e9 / (double)(bench_now_ns() - warm_until_ns),
           (unsigned long long)samples_at(&samples, 0.5),
           (unsigned long long)samples_at(&samples, 0.99),
           (unsigned long long)samples_at(&samples, 1));
    samples_free(&samples);
    free(options.request);
    free(clients);
    return 0;
}
