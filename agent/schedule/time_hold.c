/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule/time_hold.h"

#include "base/clock.h"
#include "base/message_ids.h"
#include "common/log.h"

#include <stddef.h>

#define HOLD_MS 60000
#define ASKS_MAX 3

void time_hold_start(struct time_hold *hold)
{
    *hold = (struct time_hold){
        .until_ms = clock_boot_ms() + HOLD_MS,
        .doubts = clock_doubts(),
    };
}

static void hold_begin(struct time_hold *hold, const char *why)
{
    log_event(LOG_LEVEL_NOTICE, MESSAGE_ID_CLOCK, NULL, 0,
              "%s: expiries wait for AWS's time, %d s at most", why, HOLD_MS / 1000);
    hold->until_ms = clock_boot_ms() + HOLD_MS;
    hold->known = false;
}

void time_hold_jumped(struct time_hold *hold)
{
    clock_doubt_offset();
    hold_begin(hold, "the clock was set");
}

/* Another Date was not believed. */
static bool hold_doubted(struct time_hold *hold)
{
    if (hold->known)
        hold_begin(hold, "an answer has a time that is far from AWS's so far");
    else if (hold->asks >= ASKS_MAX)
        return false;
    hold->asks++;
    return true;
}

bool time_hold_look(struct time_hold *hold)
{
    unsigned doubts = clock_doubts();
    bool ask = doubts != hold->doubts && hold_doubted(hold);

    hold->doubts = doubts;
    hold->known = clock_offset(NULL);
    if (hold->known)
        hold->asks = 0;
    return ask && !hold->known;
}

bool time_hold_is_on(const struct time_hold *hold)
{
    return !clock_offset(NULL) && clock_boot_ms() < hold->until_ms;
}
