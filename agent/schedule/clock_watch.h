/* SPDX-License-Identifier: Apache-2.0 */
/* Wakes the loop at a time of AWS's clock, and when the wall clock jumps. libevent's timers are
 * monotonic and know of neither, so a CLOCK_REALTIME timerfd with cancel-on-set stands beside them.
 * Loop thread. */
#ifndef KMS_AGENT_SCHEDULE_CLOCK_WATCH_H
#define KMS_AGENT_SCHEDULE_CLOCK_WATCH_H

#include "common/err.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

struct clock_watch;
/* due: the time that was set has come. jumped: the wall clock was set; the caller voids what it
 * knew of it. */
int clock_watch_new(struct event_base *base, void (*due)(void *arg), void (*jumped)(void *arg),
                    void *arg, struct clock_watch **ret, struct err *err) KMS_MUST_CHECK;
void clock_watch_free(struct clock_watch *watch);
/* due at aws_ms (AWS time by today's offset); 0: only jumps are watched. */
void clock_watch_set(struct clock_watch *watch, int64_t aws_ms);
/* Compares wall and boot clock; calls jumped and answers true when they moved apart. For systems
 * without cancel-on-set, and for clocks that are not the kernel's. */
bool clock_watch_check(struct clock_watch *watch);

#endif
