/* SPDX-License-Identifier: Apache-2.0 */
/* Connections over real socket pairs in a real loop; the service is a stand-in that answers when
 * told to. Times are shortened. */
#include "front/conn.h"

#include "base/clock.h"
#include "common/mp.h"
#include "common/proto.h"
#include "front/listener.h"
#include "front/peer.h"
#include "front/socket_bind.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SLICE_MS 5

static struct world {
    struct event_base *base;
    struct conn_env env;
    struct conn *conn; /* NULL: closed by itself */
    int fd;            /* the client's end */
    unsigned in_flight, handled, gone;
    bool hold;         /* answer later */
    size_t answer_len; /* of each answer */
    uint64_t held[64]; /* msgids */
    unsigned held_count;
    unsigned written_ok, written_bad;
} world;

static const struct conn_ref ref = {.slot = 3, .generation = 77};

static void on_written(bool ok, void *arg)
{
    assert_ptr_equal(arg, &world);
    if (ok)
        world.written_ok++;
    else
        world.written_bad++;
}

/* [1, msgid, nil, "aaa…"] of answer_len or a few bytes. */
static void reply(uint64_t msgid)
{
    uint8_t *bytes = malloc(world.answer_len + 64);
    char *filler = malloc(world.answer_len + 1);
    struct mp_writer w;

    assert_non_null(bytes);
    assert_non_null(filler);
    memset(filler, 'a', world.answer_len);
    mp_writer_init(&w, bytes, world.answer_len + 64);
    mp_put_array(&w, 4);
    mp_put_uint(&w, 1);
    mp_put_uint(&w, msgid);
    mp_put_nil(&w);
    mp_put_strn(&w, filler, world.answer_len);
    (void)conn_reply(world.conn, bytes, w.len, on_written, &world);
    free(filler);
    free(bytes);
}

static uint64_t msgid_of(const uint8_t *message, size_t len)
{
    struct mp_cursor cursor = {message, message + len};
    uint32_t count;
    uint64_t number = 0;

    assert_int_equal(mp_get_array(&cursor, &count), 0);
    assert_int_equal(mp_get_uint(&cursor, &number), 0);
    assert_int_equal(mp_get_uint(&cursor, &number), 0);
    return number;
}

static void handle(void *arg, struct conn_ref conn, struct peer *peer, const uint8_t *message,
                   size_t len)
{
    uint64_t msgid = msgid_of(message, len);

    assert_ptr_equal(arg, &world);
    assert_int_equal(conn.generation, ref.generation);
    assert_int_equal(peer->uid, getuid());
    world.handled++;
    if (!world.hold) {
        reply(msgid);
        return;
    }
    assert_true(world.held_count < 64);
    world.held[world.held_count++] = msgid;
    world.in_flight++;
}

static void gone(void *arg, struct conn_ref conn)
{
    (void)arg;
    assert_int_equal(conn.slot, ref.slot);
    world.gone++;
}

static unsigned in_flight(void *arg, struct conn_ref conn)
{
    (void)arg;
    (void)conn;
    return world.in_flight;
}

static void closed(struct conn *conn, void *arg)
{
    assert_ptr_equal(arg, &world);
    assert_ptr_equal(conn, world.conn);
    world.conn = NULL;
    conn_free(conn);
}

static int open_world(void **state)
{
    struct err err = {0};
    struct peer peer;
    int fds[2];

    (void)state;
    world = (struct world){.base = event_base_new(), .answer_len = 8};
    world.env = (struct conn_env){
        .base = world.base,
        .handler = {.handle = handle, .gone = gone, .in_flight = in_flight, .arg = &world},
        .timing = {.message_ms = 120,
                   .idle_ms = 400,
                   .linger_ms = 60,
                   .accept_pause_ms = 50,
                   .output_max = 65536},
        .closed = closed,
        .arg = &world};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    world.fd = fds[0];
    assert_int_equal(peer_init(&peer, fds[1], &err), 0);
    assert_int_equal(conn_new(&world.env, fds[1], &peer, ref, &world.conn, &err), 0);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    conn_free(world.conn);
    if (world.fd >= 0)
        close(world.fd);
    event_base_free(world.base);
    return 0;
}

static void run(int64_t ms)
{
    int64_t end = clock_boot_ms() + ms;

    do {
        struct timeval tv = {.tv_usec = SLICE_MS * 1000};

        event_base_loopexit(world.base, &tv);
        event_base_dispatch(world.base);
    } while (clock_boot_ms() < end);
}

static size_t make_request(uint8_t *bytes, size_t size, uint64_t msgid)
{
    struct mp_writer w;

    mp_writer_init(&w, bytes, size);
    mp_put_array(&w, 4);
    mp_put_uint(&w, 0);
    mp_put_uint(&w, msgid);
    mp_put_str(&w, "agent.status");
    mp_put_array(&w, 0);
    return w.len;
}

static void put(const void *bytes, size_t len)
{
    assert_int_equal(send(world.fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void put_request(uint64_t msgid)
{
    uint8_t bytes[64];

    put(bytes, make_request(bytes, sizeof bytes, msgid));
}

/* Reads one whole answer: its msgid, and the error code in `code` ("" for a result). -1: end of
 * stream, -2: nothing. */
static int64_t get_answer(char code[32])
{
    static uint8_t bytes[1 << 20];
    struct mp_check check;
    struct mp_cursor cursor;
    size_t len = 0;
    uint32_t count;
    uint64_t number = 0;
    const char *text;
    uint32_t text_len;

    code[0] = '\0';
    mp_check_init(&check, &mp_answer_limits);
    while (mp_check_feed(&check, bytes, len) == MP_MORE) {
        ssize_t n = read(world.fd, bytes + len, 1); /* no byte of the next answer */

        if (n <= 0)
            return n == 0 || errno == ECONNRESET ? -1 : -2;
        len++;
    }
    cursor = (struct mp_cursor){bytes, bytes + len};
    assert_int_equal(mp_get_array(&cursor, &count), 0);
    assert_int_equal(mp_get_uint(&cursor, &number), 0);
    assert_int_equal(number, 1);
    assert_int_equal(mp_get_uint(&cursor, &number), 0);
    if (mp_peek(&cursor) == MP_MAP) {
        assert_int_equal(mp_get_map(&cursor, &count), 0);
        assert_int_equal(mp_get_str(&cursor, &text, &text_len), 0);
        assert_int_equal(mp_get_str(&cursor, &text, &text_len), 0);
        snprintf(code, 32, "%.*s", (int)text_len, text);
    }
    return (int64_t)number;
}

static void expect_result(uint64_t msgid)
{
    char code[32];

    assert_int_equal(get_answer(code), (int64_t)msgid);
    assert_string_equal(code, "");
}

static void expect_error_and_end(uint64_t msgid, const char *expected)
{
    char code[32];

    assert_int_equal(get_answer(code), (int64_t)msgid);
    assert_string_equal(code, expected);
    assert_int_equal(get_answer(code), -1);
}

/* ---- the tests ---- */

static void test_one(void **state)
{
    (void)state;
    put_request(5);
    run(20);
    expect_result(5);
    assert_int_equal(world.written_ok, 1);
    assert_int_equal(world.env.requests, 1);
}

static void test_byte_by_byte(void **state)
{
    uint8_t bytes[64];
    size_t len = make_request(bytes, sizeof bytes, 6);

    (void)state;
    world.env.timing.message_ms = 5000;
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(world.handled, 0);
        put(bytes + i, 1);
        run(1);
    }
    expect_result(6);
}

/* More than a turn's worth in one write: all answered, in order, none twice. */
static void test_pipelining(void **state)
{
    uint8_t bytes[8192];
    size_t len = 0;

    (void)state;
    for (uint64_t i = 1; i <= 200; i++)
        len += make_request(bytes + len, sizeof bytes - len, i);
    put(bytes, len);
    run(50);
    assert_int_equal(world.handled, 200);
    for (uint64_t i = 1; i <= 200; i++)
        expect_result(i);
    assert_int_equal(world.written_ok, 200);
    assert_non_null(world.conn);
}

/* Answers in any order while further requests come in; what is in flight keeps the connection open
 * past idle. */
static void test_answers_later(void **state)
{
    (void)state;
    world.hold = true;
    for (uint64_t i = 1; i <= 16; i++)
        put_request(i);
    run(500);
    assert_int_equal(world.held_count, 16);
    assert_non_null(world.conn);
    for (unsigned i = 16; i > 0; i--) {
        world.in_flight--;
        reply(world.held[i - 1]);
        expect_result(i);
    }
    run(500);
    assert_null(world.conn); /* idle now */
}

/* The 17th is for the handler to refuse (test_dispatch): it must reach it, and not wait for the
 * others. */
static void test_seventeenth_is_handed_over(void **state)
{
    (void)state;
    world.hold = true;
    for (uint64_t i = 1; i <= 17; i++)
        put_request(i);
    run(20);
    assert_int_equal(world.handled, 17);
}

static void test_foreign_first_byte(void **state)
{
    char code[32];

    (void)state;
    put("GET / HTTP/1.1\r\n\r\n", 18);
    run(20);
    assert_null(world.conn);
    assert_int_equal(get_answer(code), -1);
    assert_int_equal(world.env.malformed, 1);
    assert_int_equal(world.gone, 1);
}

/* A message that is right, then one that is not: the first is answered, the second ends it. */
static void test_malformed_second(void **state)
{
    (void)state;
    put_request(1);
    put("\x94\x00\x07\xC1", 4); /* 0xC1 is never used */
    run(100);
    expect_result(1);
    expect_error_and_end(7, "invalid_request");
    run(100);
    assert_null(world.conn);
    assert_int_equal(world.handled, 1);
}

static void test_malformed_before_msgid(void **state)
{
    char code[32];

    (void)state;
    put("\x94\xC1", 2);
    run(20);
    assert_null(world.conn);
    assert_int_equal(get_answer(code), -1);
}

/* Judged by its head: nothing of the body needs to come. */
static void test_oversized_string(void **state)
{
    (void)state;
    put("\x94\x00\x08\xDB\x10\x00\x00\x00", 8);
    run(20);
    expect_error_and_end(8, "too_large"); /* the end is told at once, before the linger is over */
    assert_non_null(world.conn);
    run(100);
    assert_null(world.conn);
}

/* A client that goes on writing megabytes still gets to read the error. */
static void test_oversized_by_sum(void **state)
{
    static uint8_t bytes[80000];
    struct mp_writer w;
    char text[4000], code[32];
    size_t at = 0;

    (void)state;
    memset(text, 'x', sizeof text);
    mp_writer_init(&w, bytes, sizeof bytes);
    mp_put_array(&w, 4);
    mp_put_uint(&w, 0);
    mp_put_uint(&w, 9);
    mp_put_str(&w, "m");
    mp_put_array(&w, 19);
    for (int i = 0; i < 19; i++)
        mp_put_strn(&w, text, sizeof text);
    assert_false(w.overflow);
    for (int i = 0; i < 200 && at < w.len; i++) {
        ssize_t n = send(world.fd, bytes + at, w.len - at, MSG_NOSIGNAL);

        at += n > 0 ? (size_t)n : 0;
        run(1);
    }
    assert_int_equal(at, w.len);
    run(20);
    put("more", 4); /* no reset while it may still be writing */
    assert_int_equal(get_answer(code), 9);
    assert_string_equal(code, "too_large");
    assert_int_equal(world.handled, 0);
}

static void test_largest_message(void **state)
{
    static uint8_t bytes[PROTO_REQUEST_MAX + 64];
    struct mp_writer w;
    char text[4096];
    size_t at = 0;

    (void)state;
    memset(text, 'x', sizeof text);
    mp_writer_init(&w, bytes, sizeof bytes);
    mp_put_array(&w, 4);
    mp_put_uint(&w, 0);
    mp_put_uint(&w, 9);
    mp_put_str(&w, "m");
    mp_put_array(&w, 16);
    for (int i = 0; i < 15; i++)
        mp_put_strn(&w, text, sizeof text);
    mp_put_strn(&w, text, PROTO_REQUEST_MAX - w.len - 3);
    assert_int_equal(w.len, PROTO_REQUEST_MAX);
    w.len += make_request(bytes + w.len, sizeof bytes - w.len, 10);
    while (at < w.len) {
        ssize_t n = send(world.fd, bytes + at, w.len - at, MSG_NOSIGNAL);

        at += n > 0 ? (size_t)n : 0;
        run(1);
    }
    run(20);
    expect_result(9);
    expect_result(10);
}

static void test_truncated(void **state)
{
    uint8_t bytes[64];
    size_t len = make_request(bytes, sizeof bytes, 11);

    (void)state;
    put(bytes, len - 1);
    run(10);
    shutdown(world.fd, SHUT_WR);
    run(20);
    expect_error_and_end(11, "invalid_request");
    assert_null(world.conn);
}

static void test_slow_message(void **state)
{
    uint8_t bytes[64];
    size_t len = make_request(bytes, sizeof bytes, 12);
    int64_t begin = clock_boot_ms();
    size_t i = 0;

    (void)state;
    for (; i < len - 1 && world.conn != NULL && clock_boot_ms() < begin + 119; i++) {
        put(bytes + i, 1);
        run(9); /* a byte now and then does not buy time */
    }
    run(120);
    expect_error_and_end(12, "invalid_request");
    run(100);
    assert_null(world.conn);
    assert_int_equal(world.handled, 0);
}

static void test_idle(void **state)
{
    (void)state;
    run(200);
    assert_non_null(world.conn);
    put_request(1);
    run(300);
    assert_non_null(world.conn); /* 500 ms since the start, 300 since the request */
    run(200);
    assert_null(world.conn);
    assert_int_equal(world.gone, 1);
}

/* A reader who never reads: input stops at the cap, and after the idle time it is over. */
static void test_output_cap(void **state)
{
    unsigned sent = 0;

    (void)state;
    world.answer_len = 32768;
    for (; sent < 10000 && world.conn != NULL; sent++) {
        uint8_t bytes[64];
        size_t len = make_request(bytes, sizeof bytes, sent);

        if (send(world.fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
            break;
        if (sent % 50 == 0)
            run(1);
    }
    run(50);
    /* In the kernel's buffer, up to the cap, and the one that passed it. */
    assert_in_range(world.handled, 3, 30);
    assert_non_null(world.conn);
    run(500);
    assert_null(world.conn);
    assert_int_equal(world.written_ok + world.written_bad, world.handled);
    assert_true(world.written_bad >= 2);
}

/* A slow reader gets everything in the end. */
static void test_slow_reader(void **state)
{
    (void)state;
    world.env.timing.idle_ms = 10000;
    world.answer_len = 32768;
    for (uint64_t i = 1; i <= 40; i++)
        put_request(i);
    for (uint64_t i = 1; i <= 40; i++) {
        run(2);
        expect_result(i);
    }
    assert_int_equal(world.written_ok, 40);
    assert_non_null(world.conn);
}

static void test_client_goes_while_work_is_in_flight(void **state)
{
    (void)state;
    world.hold = true;
    put_request(1);
    run(10);
    close(world.fd);
    world.fd = -1;
    run(20);
    assert_null(world.conn);
    assert_int_equal(world.gone, 1);
}

/* The peer closed, and the answer comes before we noticed: written(false), no signal, closed. */
static void test_reply_into_closed_connection(void **state)
{
    (void)state;
    world.hold = true;
    put_request(1);
    run(10);
    close(world.fd);
    world.fd = -1;
    world.in_flight = 0;
    reply(1);
    assert_int_equal(world.written_ok, 0);
    run(20);
    assert_null(world.conn);
    assert_int_equal(world.written_bad, 1);
}

static void test_free_fails_what_is_queued(void **state)
{
    (void)state;
    world.answer_len = 600000;
    put_request(1);
    run(10);
    assert_int_equal(world.written_ok + world.written_bad, 0);
    conn_free(world.conn);
    world.conn = NULL;
    assert_int_equal(world.written_bad, 1);
}

static void test_stop(void **state)
{
    (void)state;
    world.hold = true;
    put_request(1);
    run(10);
    conn_stop(world.conn);
    put_request(2);
    run(30);
    assert_int_equal(world.handled, 1);
    assert_non_null(world.conn);
    world.in_flight = 0;
    reply(1);
    run(10);
    expect_result(1);
    assert_null(world.conn);
}

/* ---- listener ---- */

static unsigned accepted, refused;

static void on_accepted(int fd, void *arg)
{
    int *last = arg;

    accepted++;
    if (*last >= 0)
        close(*last);
    *last = fd;
}

static void on_refused(void *arg)
{
    (void)arg;
    refused++;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void make_directory(char *ret, size_t size)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(ret, size, "%s/kms-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(ret));
}

static void test_bind(void **state)
{
    char directory[64], path[96], missing[128], file[96];
    struct err err = {0};
    struct stat st;
    struct socket_file mine;
    int fd, again, client;
    mode_t mask = umask(022);

    (void)state;
    make_directory(directory, sizeof directory);
    snprintf(path, sizeof path, "%s/s", directory);
    snprintf(missing, sizeof missing, "%s/none/s", directory);
    snprintf(file, sizeof file, "%s/file", directory);
    assert_int_equal(socket_bind(missing, 0660, SOCKET_GROUP_UNCHANGED, &fd, &err), KMS_ECONFIG);
    assert_string_equal(err.hint, "its directory must exist");
    close(open(file, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(socket_bind(file, 0660, SOCKET_GROUP_UNCHANGED, &fd, &err), KMS_ECONFIG);
    assert_int_equal(access(file, F_OK), 0);
    assert_int_equal(socket_bind(path, 0660, getgid(), &fd, &err), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    assert_int_equal(umask(022), 022); /* as it was */
    client = connect_to(path);
    assert_true(client >= 0);
    close(client);
    assert_int_equal(socket_bind(path, 0660, SOCKET_GROUP_UNCHANGED, &again, &err), KMS_ECONFIG);
    assert_non_null(strstr(err.message, "somebody answers"));
    close(fd); /* as a crash leaves it: the file is there, nobody answers */
    assert_int_equal(socket_bind(path, 0600, SOCKET_GROUP_UNCHANGED, &fd, &err), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(socket_file_of(path, &mine), 0);
    assert_true(socket_file_is(path, &mine));
    assert_int_equal(chmod(path, 0640), 0);
    assert_true(socket_file_is(path, &mine));
    unlink(path);
    assert_false(socket_file_is(path, &mine));
    assert_int_equal(socket_bind(path, 0600, SOCKET_GROUP_UNCHANGED, &again, &err), 0);
    assert_false(socket_file_is(path, &mine)); /* although the inode number may be the same */
    socket_unlink(path, &mine);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(socket_file_of(path, &mine), 0);
    socket_unlink(path, &mine);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(socket_file_of(file, &mine), -1);
    close(again);
    close(fd);
    unlink(file);
    rmdir(directory);
    umask(mask);
}

static double cpu_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* With no descriptor left clients are turned away, nothing spins, and all is well soon after one is
 * free. */
static void test_out_of_descriptors(void **state)
{
    char directory[64], path[96], byte;
    struct err err = {0};
    struct listener *listener = NULL;
    struct rlimit old, low;
    int fd, last = -1, clients[3], top;
    double cpu;

    (void)state;
    make_directory(directory, sizeof directory);
    snprintf(path, sizeof path, "%s/s", directory);
    assert_int_equal(socket_bind(path, 0600, SOCKET_GROUP_UNCHANGED, &fd, &err), 0);
    const struct listener_options options = {.base = world.base,
                                             .fd = fd,
                                             .path = path,
                                             .pause_ms = 50,
                                             .accepted = on_accepted,
                                             .refused = on_refused,
                                             .arg = &last};
    assert_int_equal(listener_new(&options, &listener, &err), 0);
    accepted = refused = 0;
    for (int i = 0; i < 3; i++)
        clients[i] = connect_to(path);
    top = dup(clients[0]);
    close(top);
    getrlimit(RLIMIT_NOFILE, &old);
    low = old;
    low.rlim_cur = (rlim_t)top;
    setrlimit(RLIMIT_NOFILE, &low);
    cpu = cpu_s();
    run(20);
    assert_int_equal(refused, 1); /* one, and a rest */
    run(400);
    cpu = cpu_s() - cpu;
    setrlimit(RLIMIT_NOFILE, &old);
    assert_int_equal(accepted, 0);
    assert_int_equal(refused, 3);
    assert_int_equal(read(clients[0], &byte, 1), 0);
    assert_true(cpu < 0.1);
    run(100);
    int late = connect_to(path);
    run(100);
    assert_int_equal(accepted, 1);
    close(late);
    close(last);
    for (int i = 0; i < 3; i++)
        close(clients[i]);
    listener_free(listener);
    assert_int_equal(access(path, F_OK), -1);
    rmdir(directory);
}

#define T(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_one),
        T(test_byte_by_byte),
        T(test_pipelining),
        T(test_answers_later),
        T(test_seventeenth_is_handed_over),
        T(test_foreign_first_byte),
        T(test_malformed_second),
        T(test_malformed_before_msgid),
        T(test_oversized_string),
        T(test_oversized_by_sum),
        T(test_largest_message),
        T(test_truncated),
        T(test_slow_message),
        T(test_idle),
        T(test_output_cap),
        T(test_slow_reader),
        T(test_client_goes_while_work_is_in_flight),
        T(test_reply_into_closed_connection),
        T(test_free_fails_what_is_queued),
        T(test_stop),
        T(test_bind),
        T(test_out_of_descriptors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
