/* SPDX-License-Identifier: Apache-2.0 */
/* Turning the loop of a fake until something has happened. Included by schedule_fakes.h. */
#ifndef KMS_TESTS_UNIT_SCHEDULE_FAKES_WAIT_H
#define KMS_TESTS_UNIT_SCHEDULE_FAKES_WAIT_H

#include "schedule_fakes.h"

/* Turns the loop for so long. */
static inline void fake_turn(struct fake *fake, int ms)
{
    int64_t until = fake_boot(NULL) + ms;

    do {
        event_base_loop(fake->base, EVLOOP_NONBLOCK);
        usleep(500);
    } while (fake_boot(NULL) < until);
}

static inline size_t fake_notes(struct fake *fake)
{
    size_t count;

    pthread_mutex_lock(&fake->lock);
    count = fake->note_count;
    pthread_mutex_unlock(&fake->lock);
    return count;
}

/* Turns the loop until so many jobs have run, 20 s at most. */
static inline void fake_wait_notes(struct fake *fake, size_t count)
{
    int64_t until = fake_boot(NULL) + 20000;

    while (fake_notes(fake) < count && fake_boot(NULL) < until)
        fake_turn(fake, 1);
    assert_int_equal(fake_notes(fake), count);
}

static inline unsigned fake_claims(struct fake *fake)
{
    unsigned count;

    pthread_mutex_lock(&fake->lock);
    count = fake->claims;
    pthread_mutex_unlock(&fake->lock);
    return count;
}

/* A Date header: AWS's clock is ms ahead of the wall clock. */
static inline void fake_date(int64_t ms)
{
    int64_t now = clock_wall_ms();

    clock_observe_aws(now + ms - 500, now, now);
}

#endif
