/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection waits for: input, room for output, a moment. Each wish may be told again and again; libevent hears
 * of changes only, since most requests change nothing. Loop thread. */
#ifndef KMS_AGENT_FRONT_CONN_EVENTS_H
#define KMS_AGENT_FRONT_CONN_EVENTS_H

#include "common/err.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

struct conn_events {
    /* Set before conn_events_init(). */
    void (*on_readable)(void *arg);
    void (*on_writable)(void *arg);
    void (*on_timer)(void *arg); /* perhaps too early: look at the clock, and ask again */
    void *arg;
    /* conn_events' own. */
    struct event *readable, *writable, *timer, *turn;
    bool reading, writing;
    int64_t timer_ms; /* boot clock; 0: the timer is not set */
};

/* Nothing is wanted yet. 0 or KMS_ENOMEM (conn_events_done() is needed then too). */
int conn_events_init(struct conn_events *events, struct event_base *base, int fd) KMS_MUST_CHECK;
/* turn: on_readable() runs in the next turn of the loop whether or not there is new input; others come first. */
void conn_events_want_input(struct conn_events *events, bool wanted, bool turn);
void conn_events_want_output(struct conn_events *events, bool wanted);
/* on_timer() runs at at_ms (boot clock) at the latest; only an earlier moment than one asked for before changes
 * anything. */
void conn_events_call_by(struct conn_events *events, int64_t at_ms);
void conn_events_done(struct conn_events *events);

#endif
