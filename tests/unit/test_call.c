/* SPDX-License-Identifier: Apache-2.0 */
/* The client side of the wire against a server thread that answers what a test tells it to. */
#include "client/call.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct server {
    char directory[32], path[64];
    int listener;
    const uint8_t *answer; /* sent when a whole request has come */
    size_t answer_len, piece;
    bool close_early; /* before the request is read, and before it is sent */
    bool silent, joined;
    pthread_t thread;
    uint8_t request[1024];
    size_t request_len;
};

static struct call call;

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static void answer_pieces(const struct server *server, int fd)
{
    size_t sent = 0;

    while (sent < server->answer_len) {
        size_t n = server->answer_len - sent;

        if (n > server->piece)
            n = server->piece;
        if (send(fd, server->answer + sent, n, MSG_NOSIGNAL) != (ssize_t)n)
            return;
        sent += n;
        if (server->piece < 64)
            usleep(200);
    }
}

static void *serve(void *arg)
{
    struct server *server = arg;
    struct mp_check check;
    int fd = accept(server->listener, NULL, NULL);
    ssize_t n;

    mp_check_init(&check, &mp_request_limits);
    while (!server->close_early &&
           mp_check_feed(&check, server->request, server->request_len) == MP_MORE) {
        n = read(fd, server->request + server->request_len,
                 sizeof server->request - server->request_len);
        if (n <= 0)
            break;
        server->request_len += (size_t)n;
    }
    if (!server->silent)
        answer_pieces(server, fd);
    else
        (void)!read(fd, server->request, 1); /* until the client gives up */
    close(fd);
    return NULL;
}

static void server_start(struct server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    strcpy(server->directory, "/tmp/kms-call-XXXXXX");
    assert_non_null(mkdtemp(server->directory));
    snprintf(server->path, sizeof server->path, "%s/sock", server->directory);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", server->path);
    server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server->listener, 4), 0);
    if (server->piece == 0)
        server->piece = 1 << 20;
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_stop(struct server *server)
{
    if (!server->joined)
        pthread_join(server->thread, NULL);
    close(server->listener);
    unlink(server->path);
    rmdir(server->directory);
}

/* One request to a server that answers so. */
static int run_with(struct server *server, int64_t timeout_ms, struct mp_cursor *ret,
                    struct err *err)
{
    server_start(server);
    err_clear(err);
    assert_int_equal(call_open(&call, server->path, 0, err), 0);
    call_begin(&call, METHOD_LEASE_ISSUE);
    call_put_text(&call, "secret", "app");
    call_put_text(&call, "region", NULL);
    call_put_uint(&call, "ttl_s", 900);
    call_put_bool(&call, "bind", true);
    if (server->close_early) {
        pthread_join(server->thread, NULL);
        server->joined = true;
    }
    return call_run(&call, timeout_ms, ret, err);
}

#define ANSWER(literal) .answer = (const uint8_t *)(literal), .answer_len = sizeof(literal) - 1

static void request_and_result(void **state)
{
    static const char expected[] = "\x94\x00\x01\xABlease.issue\x91\x83\xA6secret\xA3"
                                   "app\xA5ttl_s\xCD\x03\x84\xA4"
                                   "bind\xC3";
    struct server server = {ANSWER("\x94\x01\x01\xC0\x81\xA1k\xA1v"), .piece = 1};
    struct mp_cursor result;
    struct err err;
    uint32_t pairs;
    (void)state;

    assert_int_equal(run_with(&server, 5000, &result, &err), 0);
    server_stop(&server);
    assert_int_equal(server.request_len, sizeof expected - 1);
    assert_memory_equal(server.request, expected, sizeof expected - 1);
    assert_int_equal(result.end - result.p, 5);
    assert_int_equal(mp_get_map(&result, &pairs), 0);
    assert_int_equal(pairs, 1);
    call_close(&call);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(call.answer[i] | call.request[i], 0);
}

static void error_answer(void **state)
{
    struct server server = {ANSWER("\x94\x01\x01\x87\xA4"
                                   "code\xABnot_allowed\xA7message\xA4nope\xA4hint\xA3"
                                   "ask\xA8"
                                   "aws_code\xA1X\xAE"
                                   "aws_request_id\xA1Y\xAEretry_after_ms\xCD\x01\xF4\xA6"
                                   "future\x91\x01\xC0")};
    struct mp_cursor result;
    struct err err;
    (void)state;

    assert_int_equal(run_with(&server, 5000, &result, &err), KMS_EDENIED);
    assert_string_equal(err.message, "nope");
    assert_string_equal(err.hint, "ask");
    assert_string_equal(err.aws_code, "X");
    assert_string_equal(err.aws_request_id, "Y");
    assert_int_equal(err.retry_after_ms, 500);
    call_close(&call);
    server_stop(&server);
}

static void bad_answers(void **state)
{
    static const struct {
        struct server server;
        const char *message;
    } cases[] = {
        {{ANSWER("\x94\x01\x02\xC0\x80")}, "answered another request"},
        {{ANSWER("\x94\x00\x01\xC0\x80")}, "no MessagePack-RPC response"},
        {{ANSWER("\x93\x01\x01\xC0")}, "no MessagePack-RPC response"},
        {{ANSWER("\xC1")}, "malformed"},
        {{ANSWER("\x94\x01\x01\xC0\xDF\xFF\xFF\xFF\xFF")}, "malformed"},
        {{ANSWER("\x94\x01\x01\xC0")}, "closed the connection"},
        {{ANSWER("")}, "closed the connection"},
        {{ANSWER(""), .close_early = true}, "closed the connection"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct server server = cases[i].server;
        struct mp_cursor result;
        struct err err;

        assert_int_equal(run_with(&server, 5000, &result, &err), KMS_ECONNECT);
        if (!strstr(err.message, cases[i].message))
            fail_msg("case %zu: %s", i, err.message);
        call_close(&call);
        server_stop(&server);
    }
}

/* The agent refuses before it reads and closes: its words still count. */
static void refused_at_the_door(void **state)
{
    struct server server = {ANSWER("\x94\x01\xC0\x82\xA4"
                                   "code\xA4"
                                   "busy\xA7message\xA4"
                                   "full\xC0"),
                            .close_early = true};
    struct mp_cursor result;
    struct err err;
    (void)state;

    assert_int_equal(run_with(&server, 5000, &result, &err), KMS_EBUSY);
    assert_string_equal(err.message, "full");
    call_close(&call);
    server_stop(&server);
}

static void no_answer_in_time(void **state)
{
    struct server server = {.silent = true};
    struct mp_cursor result;
    struct err err;
    int64_t start = now_ms();
    (void)state;

    assert_int_equal(run_with(&server, 200, &result, &err), KMS_ECONNECT);
    assert_true(now_ms() - start >= 200 && now_ms() - start < 5000);
    assert_string_equal(err.message, "the agent gave no answer in time");
    call_close(&call);
    server_stop(&server);
}

static void nobody_there(void **state)
{
    char long_path[200];
    struct err err;
    int64_t start = now_ms();
    (void)state;

    assert_int_equal(call_open(&call, "/nonexistent/agent.sock", 0, &err), KMS_ECONNECT);
    assert_true(now_ms() - start < 1000);
    assert_string_equal(err.message, "agent not running at /nonexistent/agent.sock");
    assert_string_equal(err.hint, "systemctl start kms-agent.socket");
    start = now_ms();
    assert_int_equal(call_open(&call, "/nonexistent/agent.sock", 300, &err), KMS_ECONNECT);
    assert_true(now_ms() - start >= 300);
    memset(long_path, 'x', sizeof long_path);
    long_path[sizeof long_path - 1] = '\0';
    assert_int_equal(call_open(&call, long_path, 0, &err), KMS_EUSAGE);
    assert_int_equal(call_open(&call, "", 0, &err), KMS_EUSAGE);
    call_close(&call);
}

static void *start_later(void *arg)
{
    usleep(150000);
    struct server *server = arg;

    assert_int_equal(listen(server->listener, 4), 0);
    return NULL;
}

static void wait_for_the_agent(void **state)
{
    struct server server = {.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct err err;
    (void)state;

    strcpy(server.directory, "/tmp/kms-call-XXXXXX");
    assert_non_null(mkdtemp(server.directory));
    snprintf(server.path, sizeof server.path, "%s/sock", server.directory);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", server.path);
    assert_int_equal(bind(server.listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(call_open(&call, server.path, 0, &err), KMS_ECONNECT);
    assert_int_equal(pthread_create(&server.thread, NULL, start_later, &server), 0);
    assert_int_equal(call_open(&call, server.path, 10000, &err), 0);
    assert_true(call.fd >= 10);
    assert_int_equal(fcntl(call.fd, F_GETFD), FD_CLOEXEC);
    call_close(&call);
    server_stop(&server);
}

static void request_is_bounded(void **state)
{
    struct server server = {ANSWER("\x94\x01\x01\xC0\x80")};
    static char text[40000];
    struct mp_cursor result;
    struct err err;
    (void)state;

    memset(text, 'x', sizeof text - 1);
    server_start(&server);
    assert_int_equal(call_open(&call, server.path, 0, &err), 0);
    call_begin(&call, METHOD_LEASE_GET);
    call_put_text(&call, "a", text);
    call_put_text(&call, "b", text);
    assert_int_equal(call_run(&call, 1000, &result, &err), KMS_ETOOBIG);
    call_begin(&call, METHOD_LEASE_GET);
    for (int i = 0; i < CALL_PARAMS_MAX + 1; i++)
        call_put_bool(&call, "c", true);
    assert_int_equal(call_run(&call, 1000, &result, &err), KMS_ETOOBIG);
    call_close(&call);
    server_stop(&server);
}

static void socket_paths(void **state)
{
    (void)state;

    unsetenv(KMS_SOCKET_ENV);
    assert_string_equal(call_socket_path(NULL), KMS_DEFAULT_SOCKET);
    setenv(KMS_SOCKET_ENV, "", 1);
    assert_string_equal(call_socket_path(NULL), KMS_DEFAULT_SOCKET);
    setenv(KMS_SOCKET_ENV, "/from/env", 1);
    assert_string_equal(call_socket_path(NULL), "/from/env");
    assert_string_equal(call_socket_path("/option"), "/option");
    unsetenv(KMS_SOCKET_ENV);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_and_result), cmocka_unit_test(error_answer),
        cmocka_unit_test(bad_answers),        cmocka_unit_test(refused_at_the_door),
        cmocka_unit_test(no_answer_in_time),  cmocka_unit_test(nobody_there),
        cmocka_unit_test(wait_for_the_agent), cmocka_unit_test(request_is_bounded),
        cmocka_unit_test(socket_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
