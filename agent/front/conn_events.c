/* SPDX-License-Identifier: Apache-2.0 */
#include "front/conn_events.h"

#include "base/clock.h"

#include <stddef.h>

static void readable(evutil_socket_t fd, short what, void *arg)
{
    struct conn_events *events = arg;

    (void)fd;
    (void)what;
    events->on_readable(events->arg);
}

static void writable(evutil_socket_t fd, short what, void *arg)
{
    struct conn_events *events = arg;

    (void)fd;
    (void)what;
    events->on_writable(events->arg);
}

static void timer(evutil_socket_t fd, short what, void *arg)
{
    struct conn_events *events = arg;

    (void)fd;
    (void)what;
    events->timer_ms = 0;
    events->on_timer(events->arg);
}

int conn_events_init(struct conn_events *events, struct event_base *base, int fd)
{
    events->readable = event_new(base, fd, EV_READ | EV_PERSIST, readable, events);
    events->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, writable, events);
    events->timer = evtimer_new(base, timer, events);
    events->turn = evtimer_new(base, readable, events);
    return events->readable != NULL && events->writable != NULL && events->timer != NULL &&
                   events->turn != NULL
               ? 0
               : KMS_ENOMEM;
}

static void want(struct event *event, bool wanted, bool *is)
{
    if (wanted == *is)
        return;
    if (wanted)
        event_add(event, NULL);
    else
        event_del(event);
    *is = wanted;
}

/* Not event_active(): libevent runs what a callback makes active before it looks at anything else,
 * so a few connections full of requests would keep all others waiting. */
void conn_events_want_input(struct conn_events *events, bool wanted, bool turn)
{
    static const struct timeval next_turn = {0, 0};

    want(events->readable, wanted, &events->reading);
    if (turn)
        event_add(events->turn, &next_turn);
}

void conn_events_want_output(struct conn_events *events, bool wanted)
{
    want(events->writable, wanted, &events->writing);
}

void conn_events_call_by(struct conn_events *events, int64_t at_ms)
{
    struct timeval tv;
    int64_t now, ms;

    if (events->timer_ms != 0 && events->timer_ms <= at_ms)
        return;
    now = clock_boot_ms();
    ms = at_ms > now ? at_ms - now : 0;
    tv = (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    event_add(events->timer, &tv);
    events->timer_ms = at_ms;
}

void conn_events_done(struct conn_events *events)
{
    if (events->readable != NULL)
        event_free(events->readable);
    if (events->writable != NULL)
        event_free(events->writable);
    if (events->timer != NULL)
        event_free(events->timer);
    if (events->turn != NULL)
        event_free(events->turn);
    events->readable = events->writable = events->timer = events->turn = NULL;
}
