/* SPDX-License-Identifier: Apache-2.0 */
#include "client/call.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define FIRST_FD 10 /* 0 to 9 belong to whom they were given, open or closed */
#define RETRY_FIRST_MS 20
#define RETRY_MAX_MS 500

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

const char *call_socket_path(const char *option)
{
    const char *inherited = getenv(KMS_SOCKET_ENV);

    if (option)
        return option;
    return inherited && *inherited ? inherited : KMS_DEFAULT_SOCKET;
}

/* With standard streams closed, socket() may become one of them, and what the command or we print
 * would go to the agent: move it away. */
static int open_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || fd >= FIRST_FD)
        return fd;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD), saved = errno;

    if (moved < 0 && saved == EINVAL)
        saved = EMFILE; /* the limit of descriptors is below FIRST_FD */

    close(fd);
    errno = saved;
    return moved;
}

/* A connected descriptor or -1 with errno. The send timeout bounds connect() where the backlog is
 * full. */
static int connect_once(const struct sockaddr_un *address)
{
    struct timeval timeout = {.tv_sec = CALL_CONNECT_MS / 1000};
    int fd = open_socket(), rc;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    do
        rc = connect(fd, (const struct sockaddr *)address, sizeof *address);
    while (rc != 0 && errno == EINTR);
    if (rc == 0 && fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) == 0)
        return fd;
    int saved = errno;

    close(fd);
    errno = saved;
    return -1;
}

static int connect_error(struct err *err, const char *path, int error)
{
    switch (error) {
    case ENOENT:
    case ECONNREFUSED:
        err_set(err, KMS_ECONNECT, "agent not running at %s", path);
        return err_hint(err, "systemctl start kms-agent.socket");
    case EACCES:
    case EPERM:
        err_set(err, KMS_ECONNECT, "not allowed to connect to %s", path);
        return err_hint(err, "the group of the socket may: see ls -l %s", path);
    case EAGAIN:
        err_set(err, KMS_ECONNECT, "the agent at %s accepts no connection", path);
        return err_hint(err, "systemctl status kms-agent");
    case EMFILE:
        err_set(err, KMS_ECONNECT, "no descriptor above %d may be opened", FIRST_FD);
        return err_hint(err, "raise the limit: ulimit -n");
    default:
        return err_set(err, KMS_ECONNECT, "cannot connect to %s: %s", path, strerror(error));
    }
}

static void sleep_ms(int64_t ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&ts, NULL);
}

int call_open(struct call *call, const char *path, int64_t wait_ms, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int64_t start = now_ms(), pause = RETRY_FIRST_MS;

    call->fd = -1;
    call->id = 0;
    call->answer_len = 0;
    mp_writer_init(&call->writer, call->request, sizeof call->request);
    if (!*path || strlen(path) >= sizeof address.sun_path)
        return err_set(err, KMS_EUSAGE, "a socket path has 1 to %zu characters: %s",
                       sizeof address.sun_path - 1, path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    for (;;) {
        call->fd = connect_once(&address);
        if (call->fd >= 0)
            return 0;
        int error = errno;
        int64_t left = start + wait_ms - now_ms();

        if (left <= 0 || (error != ENOENT && error != ECONNREFUSED && error != EAGAIN))
            return connect_error(err, path, error);
        sleep_ms(pause < left ? pause : left);
        pause = pause * 2 < RETRY_MAX_MS ? pause * 2 : RETRY_MAX_MS;
    }
}

void call_close(struct call *call)
{
    if (call->fd >= 0)
        close(call->fd);
    call->fd = -1;
    explicit_bzero(call->request, call->writer.len);
    explicit_bzero(call->answer, call->answer_len);
    call->answer_len = 0;
    call->writer.len = 0;
}

void call_begin(struct call *call, enum kms_method method)
{
    mp_writer_init(&call->writer, call->request, sizeof call->request);
    mp_put_array(&call->writer, 4);
    mp_put_uint(&call->writer, 0);
    mp_put_uint(&call->writer, ++call->id);
    mp_put_str(&call->writer, proto_method_name(method));
    mp_put_array(&call->writer, 1);
    call->params_at = call->writer.len;
    call->params = 0;
    mp_put_map(&call->writer, 0);
}

static void put_name(struct call *call, const char *name)
{
    if (++call->params > CALL_PARAMS_MAX)
        call->writer.overflow = true;
    mp_put_str(&call->writer, name);
}

void call_put_text(struct call *call, const char *name, const char *value)
{
    if (!value)
        return;
    put_name(call, name);
    mp_put_str(&call->writer, value);
}

void call_put_uint(struct call *call, const char *name, uint64_t value)
{
    put_name(call, name);
    mp_put_uint(&call->writer, value);
}

void call_put_bool(struct call *call, const char *name, bool value)
{
    put_name(call, name);
    mp_put_bool(&call->writer, value);
}

/* 0 when fd is ready for `events` (or broken), KMS_ECONNECT when the deadline passed. */
static int wait_ready(int fd, short events, int64_t deadline_ms, struct err *err)
{
    for (;;) {
        struct pollfd pfd = {.fd = fd, .events = events};
        int64_t left = deadline_ms - now_ms();
        int n = poll(&pfd, 1, left > 0 ? (int)left : 0);

        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return err_set(err, KMS_ECONNECT, "poll: %s", strerror(errno));
        if (n == 0 && left <= 0)
            return err_set(err, KMS_ECONNECT, "the agent gave no answer in time");
    }
}

/* An agent that refuses a connection says why and closes: a broken pipe is no error here, what can
 * still be read decides. */
static int send_request(struct call *call, int64_t deadline_ms, struct err *err)
{
    size_t sent = 0;

    while (sent < call->writer.len) {
        ssize_t n = send(call->fd, call->request + sent, call->writer.len - sent, MSG_NOSIGNAL);

        if (n >= 0) {
            sent += (size_t)n;
        } else if (errno == EAGAIN) {
            int rc = wait_ready(call->fd, POLLOUT, deadline_ms, err);

            if (rc)
                return rc;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return 0;
        } else if (errno != EINTR) {
            return err_set(err, KMS_ECONNECT, "cannot send to the agent: %s", strerror(errno));
        }
    }
    return 0;
}

static int receive_answer(struct call *call, int64_t deadline_ms, struct err *err)
{
    struct mp_check check;
    enum mp_status status = MP_MORE;

    mp_check_init(&check, &mp_answer_limits);
    while (status == MP_MORE) {
        int rc = wait_ready(call->fd, POLLIN, deadline_ms, err);

        if (rc)
            return rc;
        ssize_t n = recv(call->fd, call->answer + call->answer_len,
                         sizeof call->answer - call->answer_len, 0);

        if (n == 0 || (n < 0 && errno == ECONNRESET))
            return err_set(err, KMS_ECONNECT, "the agent closed the connection without an answer");
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return err_set(err, KMS_ECONNECT, "cannot read from the agent: %s", strerror(errno));
        if (n < 0)
            continue;
        call->answer_len += (size_t)n;
        status = mp_check_feed(&check, call->answer, call->answer_len);
        if (status == MP_MORE && call->answer_len == sizeof call->answer)
            status = MP_BAD;
    }
    if (status == MP_BAD)
        return err_set(err, KMS_ECONNECT, "the agent's answer is malformed: %s",
                       check.reason ? check.reason : "it is too large");
    return 0;
}

static void copy_text(struct mp_cursor *value, char *ret, size_t size)
{
    const char *text;
    uint32_t len;

    if (mp_get_str(value, &text, &len)) {
        if (mp_skip(value))
            value->p = value->end;
        return;
    }
    size_t n = len < size ? len : size - 1;

    memcpy(ret, text, n);
    ret[n] = '\0';
}

static bool key_is(const char *key, uint32_t len, const char *name)
{
    return strlen(name) == len && memcmp(key, name, len) == 0;
}

/* Reads {code, message, hint?, aws_code?, aws_request_id?, retry_after_ms?} into err. */
static int read_error(struct mp_cursor error, struct err *err)
{
    struct err read = {.code = KMS_EINTERNAL, .message = "the agent reported an error"};
    uint32_t pairs = 0, len;
    const char *key;
    char code[64] = "internal";

    if (mp_get_map(&error, &pairs))
        copy_text(&error, read.message, sizeof read.message);
    for (uint32_t i = 0; i < pairs && !mp_get_str(&error, &key, &len); i++) {
        uint64_t number;

        if (key_is(key, len, "code"))
            copy_text(&error, code, sizeof code);
        else if (key_is(key, len, "message"))
            copy_text(&error, read.message, sizeof read.message);
        else if (key_is(key, len, "hint"))
            copy_text(&error, read.hint, sizeof read.hint);
        else if (key_is(key, len, "aws_code"))
            copy_text(&error, read.aws_code, sizeof read.aws_code);
        else if (key_is(key, len, "aws_request_id"))
            copy_text(&error, read.aws_request_id, sizeof read.aws_request_id);
        else if (key_is(key, len, "retry_after_ms") && !mp_get_uint(&error, &number))
            read.retry_after_ms = number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
        else if (mp_skip(&error))
            break;
    }
    read.code = err_code(code);
    if (err)
        *err = read;
    return read.code;
}

/* [1, msgid, error|nil, result|nil]; the agent answers a message whose id it could not read with
 * nil. */
static int read_answer(struct call *call, struct mp_cursor *ret_result, struct err *err)
{
    struct mp_cursor at = {call->answer, call->answer + call->answer_len};
    uint32_t count;
    uint64_t type, id;

    if (mp_get_array(&at, &count) || count != 4 || mp_get_uint(&at, &type) || type != 1)
        return err_set(err, KMS_ECONNECT, "the agent's answer is no MessagePack-RPC response");
    bool anonymous = mp_get_nil(&at) == 0;

    if (!anonymous && (mp_get_uint(&at, &id) || id != call->id))
        return err_set(err, KMS_ECONNECT, "the agent answered another request");
    if (mp_peek(&at) != MP_NIL)
        return read_error(at, err);
    if (anonymous || mp_get_nil(&at))
        return err_set(err, KMS_ECONNECT, "the agent answered another request");
    *ret_result = at;
    if (mp_skip(&at))
        return err_set(err, KMS_ECONNECT, "the agent's answer is malformed");
    ret_result->end = at.p;
    return 0;
}

int call_run(struct call *call, int64_t timeout_ms, struct mp_cursor *ret_result, struct err *err)
{
    int64_t deadline_ms = now_ms() + timeout_ms;

    explicit_bzero(call->answer, call->answer_len);
    call->answer_len = 0;
    if (call->writer.overflow)
        return err_set(err, KMS_ETOOBIG, "the request is larger than %d bytes", PROTO_REQUEST_MAX);
    call->request[call->params_at] = (uint8_t)(0x80 | call->params);
    int rc = send_request(call, deadline_ms, err);

    if (rc == 0)
        rc = receive_answer(call, deadline_ms, err);
    return rc ? rc : read_answer(call, ret_result, err);
}
