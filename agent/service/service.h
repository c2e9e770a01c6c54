/* SPDX-License-Identifier: Apache-2.0 */
/* From a checked message to an answer: decode, authorize, run or queue, encode. Loop thread. */
#ifndef KMS_AGENT_SERVICE_SERVICE_H
#define KMS_AGENT_SERVICE_SERVICE_H

#include "config/config.h"
#include "lease/lease_env.h"
#include "schedule/schedule.h"
#include "service/peer.h"

#include <stddef.h>
#include <stdint.h>

struct service;

/* A connection, by slot and generation: a reply to one that is gone goes nowhere. */
struct conn_ref {
    uint32_t slot;
    uint32_t generation;
};

/* How answers get out; given by front/. */
struct service_port {
    /* Queues bytes (copied, then wiped by front after writing). Answers false when the connection is gone.
     * `written(ok, arg)` runs exactly once, perhaps before reply() returns and also when reply() answers false:
     * the bytes are all with the kernel, or never will be. May be NULL. */
    bool (*reply)(void *front, struct conn_ref conn, const uint8_t *bytes, size_t len,
                  void (*written)(bool ok, void *arg), void *arg);
    unsigned (*connections)(void *front);  /* open ones, for agent.status; NULL: none */
    size_t (*unread)(void *front, uint32_t uid); /* bytes of answers that uid has not read; NULL: nobody counts */
    void *front;
};

/* Answers to one uid that may be in the agent's memory: those not read yet and the long ones under way. */
#define SERVICE_ANSWERS_UID_MAX 4194304

struct service_options {
    struct lease_env *env;
    struct schedule *schedule;
    struct config *config;         /* referenced; reload replaces it */
    const char *config_file;
    const char *version;           /* for agent.status; must outlive the service */
    void (*config_changed)(struct config *config, void *arg);  /* after a reload; main passes it on */
    void *arg;
};

int service_new(const struct service_options *options, struct service **ret, struct err *err) KMS_MUST_CHECK;
/* After front_free() and schedule_free(): no job may refer to it any more. */
void service_free(struct service *service);
void service_set_port(struct service *service, const struct service_port *port);
/* One whole message that mp_check accepted. The peer is copied where needed. */
void service_handle(struct service *service, struct conn_ref conn, struct peer *peer, const uint8_t *message, size_t len);
/* The connection is gone: its jobs are canceled. */
void service_gone(struct service *service, struct conn_ref conn);
/* Requests of conn being worked on (front stops reading at PROTO_IN_FLIGHT_MAX + 1). */
unsigned service_in_flight(const struct service *service, struct conn_ref conn);
/* What time brings (refreshing shared sessions, lazy audit lines); to be called every few seconds. */
void service_tick(struct service *service);
/* Hands the audit lines that wait to the store; before store_close(). */
void service_flush(struct service *service);
/* Reads the configuration again on a worker; a bad one keeps the old. finished(rc, err, arg) may be NULL. */
void service_reload(struct service *service, void (*finished)(int rc, const struct err *err, void *arg), void *arg);
/* How a management identity of a secret did at AWS (main tries each in the background): shown by agent.status to admins.
 * identity: the ARN or key id; account may be empty; error: one sentence, NULL or empty when ok. All copied. */
void service_set_identity(struct service *service, const char *secret, const char *identity, const char *account,
                          bool ok, const char *error);
/* Encodes an error answer for a message that never became a request (malformed, late): bytes of it in ret, 0 if it
 * does not fit. For front/. */
size_t service_error_answer(uint64_t msgid, const struct err *err, uint8_t *ret, size_t size);
/* Brings rotations of management keys that were interrupted to their end, in the background; after a reload it is
 * done by itself. Once the scheduler runs. */
void service_start_root_keys(struct service *service);
/* Clients do not find the socket at path: one line in the log. err: why it cannot be mended; NULL: it was made anew. */
void service_socket_lost(const char *path, const struct err *err);
/* One line for STATUS= and `kmsctl status`. */
void service_status_line(struct service *service, char *ret, size_t size);

#endif
