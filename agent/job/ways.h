/* SPDX-License-Identifier: Apache-2.0 */
/* Which ways (endpoints, sources of management credentials) are silent. While one is, one job at a
 * time asks it, so that the others do not each wait for a timeout; its first answer ends that, and
 * what was put off meanwhile is to be released. Any thread; never waits. Where a struct ways is asked
 * for NULL is fine: no way is ever silent. */
#ifndef KMS_AGENT_JOB_WAYS_H
#define KMS_AGENT_JOB_WAYS_H

#include <stdbool.h>
#include <stdint.h>

struct ways;

/* A job's stay on a way, between ways_enter() and ways_leave(). */
struct way_visit {
    uint32_t way; /* 0: not on one */
    bool probe;   /* it alone asks a silent way */
};

enum way_news {
    WAY_NOTHING, /* it was not asked */
    WAY_ANSWERED,
    WAY_UNANSWERED,
    WAY_TIMED_OUT /* unanswered, and it took long */
};

/* NULL when out of memory. */
struct ways *ways_new(void);
void ways_free(struct ways *ways);
/* Steps onto a way: true, or false: it is silent and another job asks it right now. */
bool ways_enter(struct ways *ways, uint32_t way, struct way_visit *ret);
/* Off it, with what the job found. Answers whether a silence ended: the way waits for
 * ways_take_released() now. Fine without ways_enter(). */
bool ways_leave(struct ways *ways, struct way_visit *visit, enum way_news news);
/* News of a way that needs no ways_enter(). */
bool ways_note(struct ways *ways, uint32_t way, enum way_news news);
/* A way whose silence ended and that nobody has taken yet, 0 = none. */
uint32_t ways_take_released(struct ways *ways);

#endif
