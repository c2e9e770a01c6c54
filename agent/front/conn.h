/* SPDX-License-Identifier: Apache-2.0 */
/* One connection: bytes in, checked messages to the handler; answers out. Limits in size and time, back-pressure,
 * an orderly end after an error. Loop thread. */
#ifndef KMS_AGENT_FRONT_CONN_H
#define KMS_AGENT_FRONT_CONN_H

#include "front/front.h"
#include "front/output.h"

#include <event2/event.h>

/* Who gets the messages: service/, or a test. */
struct conn_handler {
    void (*handle)(void *arg, struct conn_ref ref, struct peer *peer, const uint8_t *message, size_t len);
    void (*gone)(void *arg, struct conn_ref ref);
    unsigned (*in_flight)(void *arg, struct conn_ref ref);
    void *arg;
};

struct conn;
/* What connections share; outlives them. */
struct conn_env {
    struct event_base *base;
    struct conn_handler handler;
    struct front_timing timing;
    struct limits *limits; /* counts what is not read; NULL: nobody does */
    void (*closed)(struct conn *conn, void *arg); /* ended by itself; the callee calls conn_free() */
    void *arg;
    uint64_t requests, malformed; /* counted */
};

/* Takes fd and the contents of peer, also on failure. */
int conn_new(struct conn_env *env, int fd, struct peer *peer, struct conn_ref ref, struct conn **ret,
             struct err *err) KMS_MUST_CHECK;
/* Closes; answers not yet written fail, the handler hears `gone`. NULL is fine. */
void conn_free(struct conn *conn);
/* See service_port.reply. */
bool conn_reply(struct conn *conn, const uint8_t *bytes, size_t len, output_written_fn *written, void *arg);
/* No new requests; closed once nothing is in flight. */
void conn_stop(struct conn *conn);
struct conn_ref conn_ref_of(const struct conn *conn);
uint32_t conn_uid(const struct conn *conn);

#endif
