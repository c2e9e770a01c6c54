/* SPDX-License-Identifier: Apache-2.0 */
/* Expiries wait for AWS's time after a start, after the clock was set, and after a Date that is far
 * from what was known: a minute at most. Loop thread. */
#ifndef KMS_AGENT_SCHEDULE_TIME_HOLD_H
#define KMS_AGENT_SCHEDULE_TIME_HOLD_H

#include <stdbool.h>
#include <stdint.h>

struct time_hold {
    int64_t until_ms; /* boot clock */
    bool known;       /* AWS's time, at the last look */
    unsigned doubts;  /* clock_doubts() at the last look */
    unsigned asks;    /* how often AWS's time was asked for since it was known */
};

void time_hold_start(struct time_hold *hold);
/* The clock was set: AWS's time should be asked for. */
void time_hold_jumped(struct time_hold *hold);
/* Looks at what the answers said since. True: AWS's time should be asked for. Dates that never agree
 * hold nothing up for longer, and are not asked for without end. */
bool time_hold_look(struct time_hold *hold);
bool time_hold_is_on(const struct time_hold *hold);

#endif
