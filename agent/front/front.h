/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets: listeners, connections, limits, peers. Raw libevent events with own buffers. Loop thread. */
#ifndef KMS_AGENT_FRONT_FRONT_H
#define KMS_AGENT_FRONT_FRONT_H

#include "common/err.h"
#include "config/config.h"
#include "service/service.h"

#include <event2/event.h>

struct front;
struct front_options {
    struct event_base *base;
    struct service *service;
    const struct agent_config *config;  /* socket path, mode, group and limits; read during front_new and front_set_limits */
    const int *listen_fds;              /* from the service manager; taken. NULL: bind config->socket */
    size_t listen_fd_count;
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
