/* SPDX-License-Identifier: Apache-2.0 */
/* All sockets that clients connect to. The agent's own file is made anew when somebody removed or
 * replaced it; what the service manager passed in is only watched. Loop thread. */
#ifndef KMS_AGENT_FRONT_LISTENERS_H
#define KMS_AGENT_FRONT_LISTENERS_H

#include "config/config.h"
#include "front/listener.h"

#include <stddef.h>

struct listeners;
struct listeners_options {
    const struct agent_config *config; /* path, mode and group; copied */
    const int *fds;                    /* from the service manager; taken. NULL: bind */
    size_t fd_count;
    struct listener_options each; /* base, pause_ms, accepted, refused, arg */
    int64_t look_ms;              /* how often the files are looked at; 0: never */
    /* Clients do not find the socket. err: why it cannot be mended, told once; NULL: it was. */
    void (*lost)(const char *path, const struct err *err, void *arg);
};

int listeners_new(const struct listeners_options *options, struct listeners **ret,
                  struct err *err) KMS_MUST_CHECK;
/* Closes all; NULL is fine. */
void listeners_free(struct listeners *listeners);

#endif
