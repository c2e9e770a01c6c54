/* SPDX-License-Identifier: Apache-2.0 */
#include "front/front.h"

#include "base/descriptors.h"
#include "base/thread_role.h"
#include "common/mp.h"
#include "common/proto.h"
#include "front/conn.h"
#include "front/limits.h"
#include "front/listeners.h"
#include "front/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct front {
    struct conn_env env;
    struct limits limits;
    struct listeners *listeners;
    struct conn **slots; /* by conn_ref.slot; NULL: free */
    uint32_t slot_count;
    uint32_t generation;
    uint64_t accepted, refused;
};

static const struct front_timing default_timing = {.message_ms = PROTO_MESSAGE_MS,
                                                   .idle_ms = PROTO_IDLE_MS,
                                                   .linger_ms = 1000,
                                                   .accept_pause_ms = 250,
                                                   .output_max = FRONT_OUTPUT_MAX,
                                                   .look_ms = 2000};

/* ---- service/ as the handler of messages ---- */

static void handle(void *arg, struct conn_ref ref, struct peer *peer, const uint8_t *message,
                   size_t len)
{
    service_handle(arg, ref, peer, message, len);
}

static void gone(void *arg, struct conn_ref ref)
{
    service_gone(arg, ref);
}

static unsigned in_flight(void *arg, struct conn_ref ref)
{
    return service_in_flight(arg, ref);
}

static bool port_reply(void *arg, struct conn_ref ref, const uint8_t *bytes, size_t len,
                       void (*written)(bool ok, void *arg), void *written_arg)
{
    struct front *front = arg;
    struct conn *conn = ref.slot < front->slot_count ? front->slots[ref.slot] : NULL;

    if (conn != NULL && conn_ref_of(conn).generation == ref.generation)
        return conn_reply(conn, bytes, len, written, written_arg);
    if (written != NULL)
        written(false, written_arg);
    return false;
}

static unsigned port_connections(void *arg)
{
    const struct front *front = arg;

    return front->limits.count;
}

static size_t port_unread(void *arg, uint32_t uid)
{
    struct front *front = arg;

    return limits_unread(&front->limits, uid);
}

/* ---- connections ---- */

static uint32_t free_slot(const struct front *front)
{
    uint32_t slot = 0;

    while (slot < front->slot_count && front->slots[slot] != NULL)
        slot++;
    return slot;
}

static int make_slot(struct front *front, uint32_t *ret)
{
    uint32_t slot = free_slot(front);

    if (slot == front->slot_count) {
        uint32_t count = front->slot_count == 0 ? 64 : front->slot_count * 2;
        struct conn **slots = reallocarray(front->slots, count, sizeof *slots);

        if (slots == NULL)
            return KMS_ENOMEM;
        for (uint32_t i = front->slot_count; i < count; i++)
            slots[i] = NULL;
        front->slots = slots;
        front->slot_count = count;
    }
    *ret = slot;
    return 0;
}

static void on_closed(struct conn *conn, void *arg)
{
    struct front *front = arg;

    front->slots[conn_ref_of(conn).slot] = NULL;
    limits_drop(&front->limits, conn_uid(conn));
    conn_free(conn);
}

/* Says why before the door is shut: one error without a msgid, if the socket takes it at once. */
static void refuse(int fd, uint32_t uid, int code, const char *limit)
{
    uint8_t bytes[256];
    char message[96];
    struct mp_writer writer;

    snprintf(message, sizeof message, "too many connections of uid %u or in all", uid);
    mp_writer_init(&writer, bytes, sizeof bytes);
    mp_put_array(&writer, 4);
    mp_put_uint(&writer, 1);
    mp_put_nil(&writer);
    mp_put_map(&writer, 3);
    mp_put_str(&writer, "code");
    mp_put_str(&writer, err_name(code));
    mp_put_str(&writer, "message");
    mp_put_str(&writer, message);
    mp_put_str(&writer, "hint");
    mp_put_str(&writer, limit);
    mp_put_nil(&writer);
    if (!writer.overflow)
        (void)!send(fd, bytes, writer.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    close(fd);
}

/* The limit is taken before anything is allocated for the connection. */
static int admit(struct front *front, int fd, struct peer *peer)
{
    struct err err = {0};
    struct conn_ref ref;
    int rc = limits_take(&front->limits, peer->uid);
    uint32_t uid = peer->uid;

    if (rc == 0 && make_slot(front, &ref.slot) != 0) {
        limits_drop(&front->limits, uid);
        rc = KMS_ENOMEM;
    }
    if (rc != 0) {
        refuse(fd, uid, KMS_ELIMIT, "see max_connections_per_uid and max_connections");
        peer_done(peer);
        return rc;
    }
    ref.generation = ++front->generation;
    rc = conn_new(&front->env, fd, peer, ref, &front->slots[ref.slot], &err);
    if (rc != 0)
        limits_drop(&front->limits, uid);
    return rc;
}

static void on_accepted(int fd, void *arg)
{
    struct front *front = arg;
    struct err err = {0};
    struct peer peer;

    ASSERT_ON_LOOP();
    front->accepted++;
    if (peer_init(&peer, fd, &err) != 0) {
        front->refused++;
        close(fd);
        return;
    }
    if (admit(front, fd, &peer) != 0)
        front->refused++;
}

static void on_refused(void *arg)
{
    struct front *front = arg;

    front->refused++;
}

/* ---- life ---- */

static void on_lost(const char *path, const struct err *err, void *arg)
{
    (void)arg;
    service_socket_lost(path, err);
}

static int listen_on_all(struct front *front, const struct front_options *options, struct err *err)
{
    struct listeners_options listeners = {
        .config = options->config,
        .fds = options->listen_fds,
        .fd_count = options->listen_fd_count,
        .each = {.base = front->env.base,
                 .pause_ms = front->env.timing.accept_pause_ms,
                 .accepted = on_accepted,
                 .refused = on_refused,
                 .arg = front},
        .look_ms = front->env.timing.look_ms,
        .lost = on_lost,
    };

    return listeners_new(&listeners, &front->listeners, err);
}

int front_new(const struct front_options *options, struct front **ret, struct err *err)
{
    struct front *front = calloc(1, sizeof *front);
    struct service_port port = {.reply = port_reply,
                                .connections = port_connections,
                                .unread = port_unread,
                                .front = front};

    if (front == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    front->env =
        (struct conn_env){.base = options->base,
                          .handler = {.handle = handle,
                                      .gone = gone,
                                      .in_flight = in_flight,
                                      .arg = options->service},
                          .timing = options->timing != NULL ? *options->timing : default_timing,
                          .limits = &front->limits,
                          .closed = on_closed,
                          .arg = front};
    front->limits.max_unread = SERVICE_ANSWERS_UID_MAX;
    front_set_limits(front, options->config);
    service_set_port(options->service, &port);
    if (listen_on_all(front, options, err) != 0) {
        front_free(front);
        return err->code;
    }
    *ret = front;
    return 0;
}

void front_set_limits(struct front *front, const struct agent_config *config)
{
    limits_set(&front->limits, descriptors_share_out(config->max_connections),
               config->max_connections_per_uid);
}

static void close_listeners(struct front *front)
{
    listeners_free(front->listeners);
    front->listeners = NULL;
}

void front_stop(struct front *front)
{
    ASSERT_ON_LOOP();
    close_listeners(front);
    for (uint32_t i = 0; i < front->slot_count; i++)
        if (front->slots[i] != NULL)
            conn_stop(front->slots[i]);
}

void front_free(struct front *front)
{
    if (front == NULL)
        return;
    close_listeners(front);
    for (uint32_t i = 0; i < front->slot_count; i++)
        if (front->slots[i] != NULL)
            on_closed(front->slots[i], front);
    service_set_port(front->env.handler.arg, NULL);
    limits_done(&front->limits);
    free(front->slots);
    free(front);
}

void front_stats(const struct front *front, struct front_stats *ret)
{
    *ret = (struct front_stats){.connections = front->limits.count,
                                .accepted = front->accepted,
                                .refused = front->refused,
                                .requests = front->env.requests,
                                .malformed = front->env.malformed};
}
