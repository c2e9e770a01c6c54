/* SPDX-License-Identifier: Apache-2.0 */
/* Accepting connections. Out of descriptors, the waiting client is turned away with the help of a descriptor kept in
 * reserve and the listener rests for a moment: no busy loop (libevent's accept is level-triggered). Loop thread. */
#ifndef KMS_AGENT_FRONT_LISTENER_H
#define KMS_AGENT_FRONT_LISTENER_H

#include "common/err.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

struct listener;
struct listener_options {
    struct event_base *base;
    int fd;                                 /* listening; taken also on failure */
    const char *path;                       /* unlinked by listener_free(); NULL: passed in, left alone */
    int64_t pause_ms;                       /* rest after running out of descriptors */
    void (*accepted)(int fd, void *arg);    /* nonblocking, CLOEXEC; the callee takes it */
    void (*refused)(void *arg);             /* a client was turned away; may be NULL */
    void *arg;
};

int listener_new(const struct listener_options *options, struct listener **ret, struct err *err) KMS_MUST_CHECK;
/* False: clients do not find the socket at its path any more: another file is there, or none. */
bool listener_is_found(const struct listener *listener);
/* The path; NULL: an abstract address, or one that this process does not see. */
const char *listener_path(const struct listener *listener);
/* Closes; NULL is fine. */
void listener_free(struct listener *listener);

#endif
