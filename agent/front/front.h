/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets: listeners, connections, limits, peers. Raw libevent events with own buffers. Loop thread. */
#ifndef KMS_AGENT_FRONT_FRONT_H
#define KMS_AGENT_FRONT_FRONT_H

#include "common/err.h"
#include "config/config.h"
#include "service/service.h"

#include <event2/event.h>

/* Limits in time and size; the defaults are the protocol's, tests shorten them. */
struct front_timing {
    int64_t message_ms;    /* a message must be complete this long after its first byte */
    int64_t idle_ms;       /* nothing in flight, or no progress of an answer, for this long: closed */
    int64_t linger_ms;     /* after an error that ends the connection: time for the peer to read it */
    int64_t accept_pause_ms; /* out of descriptors: the listener rests this long */
    size_t output_max;     /* unread answers above which nothing more is read */
    int64_t look_ms;       /* how often the socket file is looked at */
};
#define FRONT_OUTPUT_MAX 262144

struct front;
struct front_options {
    struct event_base *base;
    struct service *service;
    const struct agent_config *config;  /* socket path, mode, group and limits; read during front_new and front_set_limits */
    const int *listen_fds;              /* from the service manager; taken. NULL: bind config->socket */
    size_t listen_fd_count;
    const struct front_timing *timing;  /* NULL: the protocol's */
};

int front_new(const struct front_options *options, struct front **ret, struct err *err) KMS_MUST_CHECK;
void front_set_limits(struct front *front, const struct agent_config *config);
/* No new connections or requests; what is in flight may still be answered. */
void front_stop(struct front *front);
void front_free(struct front *front);

struct front_stats {
    unsigned connections;
    uint64_t accepted, refused, requests, malformed;
};
void front_stats(const struct front *front, struct front_stats *ret);

#endif
