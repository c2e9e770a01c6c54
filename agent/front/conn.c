/* SPDX-License-Identifier: Apache-2.0 */
#include "front/conn.h"

#include "base/clock.h"
#include "base/thread_role.h"
#include "front/conn_events.h"
#include "front/conn_input.h"
#include "front/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGES_PER_TURN 8 /* then the others get a turn; each may cost 0.1 ms */
#define ERROR_ANSWER_MAX 2048

enum conn_state {
    CONN_OPEN,   /* reads requests */
    CONN_ENDING, /* a last answer goes out, what comes in is thrown away */
    CONN_BROKEN, /* to be closed at once */
};

struct conn {
    struct conn_env *env;
    struct conn_ref ref;
    int fd;
    struct peer peer;
    enum conn_state state;
    bool stopping;      /* the agent is: no new requests */
    bool shut;          /* our side was shut down after the last answer */
    bool more;          /* unread input may hold whole messages: it was left for a later turn */
    bool in_callback;   /* of this connection: it settles by itself at the end */
    int64_t message_ms; /* first byte of the message being read, 0: none */
    int64_t active_ms;  /* last request, or progress of an answer */
    int64_t ending_ms;
    struct conn_events events;
    struct conn_input input;
    struct output output;
};

static unsigned in_flight(const struct conn *conn)
{
    return conn->env->handler.in_flight(conn->env->handler.arg, conn->ref);
}

/* ---- events wanted ---- */

static bool is_finished(const struct conn *conn)
{
    if (conn->state == CONN_BROKEN)
        return true;
    return conn->stopping && conn->output.len == 0 && in_flight(conn) == 0;
}

static bool wants_input(const struct conn *conn)
{
    return conn->state == CONN_ENDING ||
           (conn->state == CONN_OPEN && !conn->stopping && output_has_room(&conn->output));
}

/* The earliest of the deadlines that hold now; 0: none (work is in flight). */
static int64_t deadline_of(const struct conn *conn)
{
    const struct front_timing *timing = &conn->env->timing;
    int64_t idle = conn->active_ms + timing->idle_ms;

    if (conn->state == CONN_ENDING)
        return conn->ending_ms + timing->linger_ms;
    if (conn->message_ms != 0 && !conn->more && wants_input(conn)) {
        int64_t message = conn->message_ms + timing->message_ms;

        return conn->output.len > 0 && idle < message ? idle : message;
    }
    return conn->output.len > 0 || in_flight(conn) == 0 ? idle : 0;
}

static void update_events(struct conn *conn)
{
    int64_t deadline = deadline_of(conn);
    bool input = wants_input(conn);

    if (is_finished(conn)) {
        conn_events_call_by(&conn->events, 1);
        return;
    }
    conn_events_want_input(&conn->events, input, input && conn->more);
    conn_events_want_output(&conn->events, conn->output.len > 0);
    if (deadline != 0)
        conn_events_call_by(&conn->events, deadline);
}

/* End of a callback: conn may be freed. */
static void settle(struct conn *conn)
{
    conn->in_callback = false;
    if (is_finished(conn))
        conn->env->closed(conn, conn->env->arg);
    else
        update_events(conn);
}

/* ---- out ---- */

static void flush(struct conn *conn)
{
    bool progress = false;

    if (output_flush(&conn->output, conn->fd, &progress) != 0)
        conn->state = CONN_BROKEN;
    if (progress)
        conn->active_ms = clock_boot_ms();
    if (conn->state == CONN_ENDING && conn->output.len == 0 && !conn->shut) {
        conn->shut = true;
        shutdown(conn->fd, SHUT_WR);
    }
}

bool conn_reply(struct conn *conn, const uint8_t *bytes, size_t len, output_written_fn *written,
                void *arg)
{
    ASSERT_ON_LOOP();
    if (conn->state != CONN_OPEN ||
        output_push(&conn->output, conn->fd, bytes, len, written, arg) != 0) {
        /* An answer that cannot be queued leaves the peer waiting: better a closed connection. */
        if (conn->state == CONN_OPEN)
            conn->state = CONN_BROKEN;
        if (written != NULL)
            written(false, arg);
        if (!conn->in_callback)
            update_events(conn);
        return false;
    }
    conn->active_ms = clock_boot_ms();
    flush(conn);
    if (!conn->in_callback)
        update_events(conn);
    return true;
}

/* ---- in ---- */

/* One clear error, then the end: where a broken message stops is unknown, so nothing after it can
 * be read. The peer gets a moment to read the error, since closing with unread input would reset
 * the connection. */
static void end_with_error(struct conn *conn, const struct err *err)
{
    uint8_t answer[ERROR_ANSWER_MAX];
    size_t len = 0;

    if (conn->state != CONN_OPEN)
        return;
    if (conn->input.check.has_msgid)
        len = service_error_answer(conn->input.check.msgid, err, answer, sizeof answer);
    conn->env->malformed++;
    if (len == 0 && conn->output.len == 0) {
        conn->state = CONN_BROKEN;
        return;
    }
    if (len > 0)
        (void)conn_reply(conn, answer, len, NULL, NULL);
    if (conn->state == CONN_OPEN) {
        conn->state = CONN_ENDING;
        conn->ending_ms = clock_boot_ms();
        flush(conn);
    }
}

static void end_malformed(struct conn *conn)
{
    const struct mp_check *check = &conn->input.check;
    struct err err = {0};

    err_set(&err, check->too_large ? KMS_ETOOBIG : KMS_EINVALID, "%s",
            check->reason != NULL ? check->reason : "the message is malformed");
    end_with_error(conn, &err);
}

static void end_incomplete(struct conn *conn, const char *why)
{
    struct err err = {0};

    err_set(&err, KMS_EINVALID, "the message is incomplete: %s", why);
    end_with_error(conn, &err);
}

/* Hands out whole messages until the input, the turn or the room for answers is used up. */
static void process(struct conn *conn)
{
    const struct conn_handler *handler = &conn->env->handler;
    enum mp_status status = MP_DONE;
    const uint8_t *message;
    size_t len;
    int left = MESSAGES_PER_TURN;

    conn->more = false;
    while (wants_input(conn) && !conn_input_empty(&conn->input) && left-- > 0) {
        if (conn_input_foreign(&conn->input)) {
            conn->env->malformed++;
            conn->state = CONN_BROKEN;
            return;
        }
        status = conn_input_next(&conn->input, &message, &len);
        if (status == MP_BAD)
            end_malformed(conn);
        if (status != MP_DONE)
            break;
        conn->env->requests++;
        conn->active_ms = clock_boot_ms();
        handler->handle(handler->arg, conn->ref, &conn->peer, message, len);
        conn_input_consume(&conn->input);
        conn->message_ms = conn_input_empty(&conn->input) ? 0 : conn->active_ms;
    }
    conn->more = status == MP_DONE && !conn_input_empty(&conn->input);
    conn_input_trim(&conn->input);
}

/* After the end of the stream there may be half a message; a whole one was handed out before. */
static void on_end_of_stream(struct conn *conn)
{
    if (!conn_input_empty(&conn->input) && !conn->more)
        end_incomplete(conn, "the connection was closed");
    conn->state = CONN_BROKEN;
}

static void discard(struct conn *conn)
{
    char scratch[4096];
    ssize_t n = read(conn->fd, scratch, sizeof scratch);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        conn->state = CONN_BROKEN;
}

static void fill(struct conn *conn)
{
    size_t room;
    ssize_t n;
    int rc = conn_input_room(&conn->input, &room);

    if (rc == KMS_ETOOBIG && conn->more) /* whole messages wait their turn */
        return;
    if (rc != 0) {
        struct err err = {0};

        err_set(&err, rc, "%s", rc == KMS_ENOMEM ? "out of memory" : "the message is too large");
        end_with_error(conn, &err);
        return;
    }
    n = read(conn->fd, conn->input.bytes + conn->input.end, room);
    if (n > 0) {
        if (conn_input_empty(&conn->input))
            conn->message_ms = clock_boot_ms();
        conn_input_added(&conn->input, (size_t)n);
    } else if (n == 0)
        on_end_of_stream(conn);
    else if (errno != EAGAIN && errno != EINTR)
        conn->state = CONN_BROKEN;
}

/* ---- events ---- */

static void on_readable(void *arg)
{
    struct conn *conn = arg;

    conn->in_callback = true;
    if (conn->state == CONN_ENDING)
        discard(conn);
    else if (wants_input(conn))
        fill(conn);
    if (conn->state == CONN_OPEN)
        process(conn);
    settle(conn);
}

static void on_writable(void *arg)
{
    struct conn *conn = arg;
    bool paused = !wants_input(conn);

    conn->in_callback = true;
    flush(conn);
    /* We did not read meanwhile: the peer was not late with its message. */
    if (paused && conn->message_ms != 0)
        conn->message_ms = clock_boot_ms();
    settle(conn);
}

static void on_timer(void *arg)
{
    struct conn *conn = arg;
    int64_t deadline = deadline_of(conn);

    conn->in_callback = true;
    if (conn->state != CONN_BROKEN && deadline != 0 && clock_boot_ms() >= deadline) {
        if (conn->state == CONN_OPEN && conn->message_ms != 0 && conn->output.len == 0)
            end_incomplete(conn, "it took too long");
        else
            conn->state = CONN_BROKEN;
    }
    settle(conn);
}

/* ---- life ---- */

int conn_new(struct conn_env *env, int fd, struct peer *peer, struct conn_ref ref,
             struct conn **ret, struct err *err)
{
    struct conn *conn = calloc(1, sizeof *conn);

    if (conn == NULL) {
        close(fd);
        peer_done(peer);
        return err_set(err, KMS_ENOMEM, "out of memory");
    }
    conn->env = env;
    conn->fd = fd;
    conn->peer = *peer;
    conn->ref = ref;
    conn->active_ms = clock_boot_ms();
    *peer = (struct peer){.pidfd = -1};
    conn_input_init(&conn->input);
    output_init(&conn->output, env->timing.output_max, env->limits, conn->peer.uid);
    conn->events = (struct conn_events){
        .on_readable = on_readable, .on_writable = on_writable, .on_timer = on_timer, .arg = conn};
    if (conn_events_init(&conn->events, env->base, fd) != 0) {
        conn_free(conn);
        return err_set(err, KMS_ENOMEM, "out of memory");
    }
    update_events(conn);
    *ret = conn;
    return 0;
}

void conn_free(struct conn *conn)
{
    if (conn == NULL)
        return;
    conn_events_done(&conn->events);
    conn->state = CONN_BROKEN;
    conn->in_callback = true; /* no event may be armed any more */
    conn->env->handler.gone(conn->env->handler.arg, conn->ref);
    output_fail(&conn->output);
    conn_input_done(&conn->input);
    peer_done(&conn->peer);
    close(conn->fd);
    free(conn);
}

void conn_stop(struct conn *conn)
{
    conn->stopping = true;
    if (!conn->in_callback)
        update_events(conn);
}

struct conn_ref conn_ref_of(const struct conn *conn)
{
    return conn->ref;
}

uint32_t conn_uid(const struct conn *conn)
{
    return conn->peer.uid;
}
