/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule/due_pump.h"

#include "base/clock.h"
#include "base/message_ids.h"
#include "base/thread_role.h"
#include "common/log.h"
#include "lease/held.h"
#include "schedule/clock_watch.h"
#include "schedule/time_hold.h"

#include <pthread.h>
#include <stdlib.h>

#define EMPTY_GAP_MS 1000 /* a due row that a claim did not take: not at once again */
#define BEHIND_GAP_MS 10
#define BACK_MS 5000 /* AWS time against the boot clock: more than Dates and slewing make */
#define FAILED_GAP_MS 1000
#define OFFSET_STEP_MS 10 /* less than this is how milliseconds are cut */

/* A claim on its way to the store and back. It may come back when the pump is gone. */
struct flight {
    struct claim claim;
    struct mail mail;
    struct mailbox *mailbox;
    struct due_pump *pump; /* under flight_lock; NULL: gone, the flight frees itself */
};
static pthread_mutex_t flight_lock = PTHREAD_MUTEX_INITIALIZER;

struct due_pump {
    struct due_pump_options options;
    struct clock_watch *watch;
    struct event *again; /* the next look by the boot clock */
    struct flight *flight;
    bool running, in_flight;
    bool wanted;  /* look again when the claim is back */
    bool starved; /* more rows are due than there is room for */
    bool recover;
    bool dated;           /* recovery began anew when AWS's time was known */
    uint32_t release_way; /* answers again: what was put off is being pulled to now; 0 = none */
    bool revive;          /* AWS time went back, or the last process may have had a wrong one */
    int64_t apart_ms;     /* AWS time minus boot clock at the last look */
    bool failing;         /* the last claim failed; logged once */
    bool full;            /* … for want of room in the store */
    bool unrecorded;      /* the next claim writes nothing */
    size_t max;           /* rows of a claim: fewer may fit */
    int64_t next_ms;      /* AWS time of the oldest row left in the index, 0 = none */
    int64_t offset_ms;    /* AWS's clock as of the last look */
    struct time_hold hold;
};

static void pump_look_in(struct due_pump *pump, int64_t ms)
{
    struct timeval tv;

    if (ms > DUE_LOOK_MS)
        ms = DUE_LOOK_MS;
    tv = (struct timeval){(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};
    evtimer_add(pump->again, &tv);
}

static void pump_look_at_clock(struct due_pump *pump)
{
    if (time_hold_look(&pump->hold))
        pump->options.jumped(pump->options.arg);
}

/* AWS time that goes back leaves due rows far ahead. */
static void pump_check_time(struct due_pump *pump)
{
    int64_t apart_ms = clock_aws_ms() - clock_boot_ms();

    pump_look_at_clock(pump);
    (void)clock_offset(&pump->offset_ms);
    if (pump->hold.known && !pump->dated)
        pump->dated = pump->recover = true;
    if (apart_ms < pump->apart_ms - BACK_MS) {
        pump->revive = true;
        pump->flight->claim.revive_ms = 0;
    }
    pump->apart_ms = apart_ms;
}

/* As for what is revived: every other claim. */
static void pump_release(struct due_pump *pump, struct claim *claim)
{
    if (pump->release_way == 0) {
        pump->release_way = ways_take_released(pump->options.env->ways);
        claim->release_ms = 0;
    }
    claim->release_way = pump->release_way;
    claim->release = !pump->recover && !claim->revive && pump->release_way != 0 && !claim->release;
}

void due_pump_look(struct due_pump *pump)
{
    struct claim *claim = &pump->flight->claim;

    ASSERT_ON_LOOP();
    if (!pump->running)
        return;
    if (pump->in_flight) {
        pump->wanted = true;
        return;
    }
    if (!pump->recover && !row_jobs_hungry(pump->options.jobs)) {
        pump->starved = true;
        return;
    }
    pump->wanted = pump->starved = false;
    pump->in_flight = true;
    pump_check_time(pump);
    claim->env = pump->options.env;
    claim->now_ms = clock_aws_ms();
    claim->hold_expiries = time_hold_is_on(&pump->hold);
    claim->recover = pump->recover;
    /* Every other claim, so that what is due does not wait for a long index. */
    claim->revive = !pump->recover && pump->revive && !claim->revive;
    pump_release(pump, claim);
    claim->unrecorded = pump->unrecorded;
    claim->max = pump->max;
    claim->count = 0;
    pump->options.hooks->claim(claim);
}

/* When to look next, after a claim that left nothing more to take now. */
static void pump_plan(struct due_pump *pump, const struct claim *claim)
{
    int64_t now_boot = clock_boot_ms(), left_ms = DUE_LOOK_MS;

    if (time_hold_is_on(&pump->hold) && pump->hold.until_ms - now_boot < left_ms)
        left_ms = pump->hold.until_ms - now_boot;
    if (claim->next_ms != 0 && claim->next_ms > clock_aws_ms()) {
        clock_watch_set(pump->watch, claim->next_ms);
    } else {
        clock_watch_set(pump->watch, 0);
        if (claim->next_ms != 0 && !time_hold_is_on(&pump->hold))
            left_ms =
                claim->count == 0 && claim->next_ms <= claim->now_ms ? EMPTY_GAP_MS : BEHIND_GAP_MS;
    }
    pump_look_in(pump, left_ms);
}

/* No room to write, so what is due is done without; each look tries to write first. */
static void pump_store_full(struct due_pump *pump, const struct claim *claim)
{
    if (!pump->full)
        log_error("%s: revocations go on without a record, nothing is issued%s%s",
                  claim->op.err.message, claim->op.err.hint[0] != '\0' ? "; " : "",
                  claim->op.err.hint);
    pump->full = pump->unrecorded = true;
    pump->max = pump->max > 1 ? pump->max / 2 : 1;
    due_pump_look(pump);
}

static void pump_took_unrecorded(struct due_pump *pump, const struct claim *claim)
{
    pump->unrecorded = false;
    if (claim->op.rc == 0)
        row_jobs_add(pump->options.jobs, claim->rows, claim->count);
    clock_watch_set(pump->watch, claim->op.rc == 0 ? claim->next_ms : 0);
    pump_look_in(pump, FAILED_GAP_MS);
    if (claim->op.rc == 0 && claim->more)
        due_pump_look(pump);
}

static void pump_claim_failed(struct due_pump *pump, const struct claim *claim)
{
    if (claim->op.rc == KMS_ESTOREFULL) {
        pump_store_full(pump, claim);
        return;
    }
    if (!pump->failing)
        log_error("due leases cannot be read, trying again each second: %s", claim->op.err.message);
    pump->failing = true;
    pump_look_in(pump, FAILED_GAP_MS);
}

static void pump_claimed(struct due_pump *pump)
{
    struct claim *claim = &pump->flight->claim;

    pump->in_flight = false;
    if (!pump->running)
        return;
    if (claim->unrecorded) {
        pump_took_unrecorded(pump, claim);
        return;
    }
    if (claim->op.rc != 0) {
        pump_claim_failed(pump, claim);
        return;
    }
    if (pump->full)
        log_event(LOG_LEVEL_NOTICE, NULL, NULL, 0, "the lease store has room again");
    pump->failing = pump->full = false;
    pump->max = pump->max < CLAIM_MAX / 2 ? 2 * pump->max : CLAIM_MAX;
    held_written(claim);
    claim_tell_ended(claim);
    pump->next_ms = claim->next_ms;
    row_jobs_add(pump->options.jobs, claim->rows, claim->count);
    if (claim->recover && !claim->more) {
        pump->recover = false;
        pump->wanted = true; /* what recovery pulled to now */
    }
    if (claim->revive)
        claim->revive_ms = claim->revive_next_ms;
    if (claim->revive && claim->revive_ms == 0)
        pump->revive = false;
    if (claim->release)
        claim->release_ms = claim->release_next_ms;
    if (claim->release_done)
        pump->release_way = 0;
    if (claim->revive || pump->revive || claim->release || pump->release_way != 0)
        pump->wanted = true;
    pump_plan(pump, claim);
    if (claim->more || pump->wanted)
        due_pump_look(pump);
}

/* ---- a claim comes back ---- */

static void on_flight_mail(struct mail *mail)
{
    struct flight *flight = QUEUE_OF(mail, struct flight, mail);

    if (flight->pump != NULL) /* changes on this thread only */
        pump_claimed(flight->pump);
    else
        free(flight);
}

/* Writer thread. */
static void on_claim_done(struct store_op *op)
{
    struct flight *flight = QUEUE_OF(op, struct flight, claim.op);
    bool gone;

    pthread_mutex_lock(&flight_lock);
    gone = flight->pump == NULL;
    if (!gone)
        mailbox_post(flight->mailbox, &flight->mail);
    pthread_mutex_unlock(&flight_lock);
    if (gone)
        free(flight);
}

static struct flight *flight_new(struct due_pump *pump)
{
    struct flight *flight = calloc(1, sizeof *flight);

    if (flight == NULL)
        return NULL;
    flight->pump = pump;
    flight->mailbox = pump->options.mailbox;
    flight->mail.deliver = on_flight_mail;
    flight->claim.op.done = on_claim_done;
    return flight;
}

/* ---- the clock ---- */

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    struct due_pump *pump = arg;

    (void)fd;
    (void)what;
    pump_look_in(pump, DUE_LOOK_MS); /* even if this look leads nowhere */
    if (!clock_watch_check(pump->watch))
        due_pump_look(pump);
}

static void on_due(void *arg)
{
    due_pump_look(arg);
}

static void on_jumped(void *arg)
{
    struct due_pump *pump = arg;

    if (!pump->running)
        return;
    time_hold_jumped(&pump->hold);
    pump->options.jumped(pump->options.arg);
    due_pump_look(pump);
}

void due_pump_turned(struct due_pump *pump)
{
    int64_t offset_ms = pump->offset_ms, moved_ms;
    bool was_known = pump->hold.known;

    if (!pump->running)
        return;
    pump_look_at_clock(pump);
    (void)clock_offset(&offset_ms);
    moved_ms = offset_ms - pump->offset_ms;
    row_jobs_fill(pump->options.jobs);
    if ((pump->starved && row_jobs_hungry(pump->options.jobs)) || pump->hold.known != was_known ||
        moved_ms > OFFSET_STEP_MS || moved_ms < -OFFSET_STEP_MS)
        due_pump_look(pump);
}

int64_t due_pump_overdue_ms(const struct due_pump *pump)
{
    int64_t oldest_ms = row_jobs_oldest_ms(pump->options.jobs), late_ms = 0, waits_ms;

    if (pump->next_ms != 0 && clock_aws_ms() > pump->next_ms)
        late_ms = clock_aws_ms() - pump->next_ms;
    waits_ms = oldest_ms == 0 ? 0 : clock_boot_ms() - oldest_ms;
    return waits_ms > late_ms ? waits_ms : late_ms;
}

/* ---- life ---- */

int due_pump_new(const struct due_pump_options *options, struct due_pump **ret, struct err *err)
{
    struct due_pump *pump = calloc(1, sizeof *pump);

    if (pump == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    pump->options = *options;
    pump->max = CLAIM_MAX;
    pump->flight = flight_new(pump);
    pump->again = evtimer_new(options->base, on_again, pump);
    if (pump->flight == NULL || pump->again == NULL) {
        due_pump_free(pump);
        return err_set(err, KMS_ENOMEM, "out of memory");
    }
    *ret = pump;
    return 0;
}

int due_pump_start(struct due_pump *pump, struct err *err)
{
    int rc = clock_watch_new(pump->options.base, on_due, on_jumped, pump, &pump->watch, err);

    if (rc != 0)
        return rc;
    pump->running = true;
    pump->recover = pump->revive = true;
    pump->apart_ms = clock_aws_ms() - clock_boot_ms();
    time_hold_start(&pump->hold);
    pump_look_in(pump, DUE_LOOK_MS);
    due_pump_look(pump);
    return 0;
}

void due_pump_stop(struct due_pump *pump)
{
    pump->running = false;
    evtimer_del(pump->again);
    clock_watch_free(pump->watch);
    pump->watch = NULL;
}

void due_pump_free(struct due_pump *pump)
{
    if (pump == NULL)
        return;
    if (pump->watch != NULL)
        due_pump_stop(pump);
    if (pump->again != NULL)
        event_free(pump->again);
    if (pump->flight != NULL) {
        pthread_mutex_lock(&flight_lock);
        pump->flight->pump = NULL;
        pthread_mutex_unlock(&flight_lock);
        if (!pump->in_flight)
            free(pump->flight);
    }
    free(pump);
}
