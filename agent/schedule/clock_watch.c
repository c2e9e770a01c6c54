/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule/clock_watch.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* Wall against boot clock between two looks: slewing makes 30 ms a minute at most. */
#define JUMP_MS 1000
/* Armed for ever rather than disarmed: only an armed timer tells of a jump. */
#define FAR_MS (100LL * 365 * 86400 * 1000)

#ifdef KMS_TEST_HOOKS
#define TEST_TICK_MS 50 /* a shifted test clock moves without the kernel's knowledge */
#endif

struct clock_watch {
    int fd;
    struct event *event, *tick;
    int64_t apart_ms;      /* wall minus boot at the last look */
    int64_t boot_shift_ms; /* of a test, at the last look */
    bool missed;           /* setting the timer told of a jump; reading it will not again */
    void (*due)(void *arg);
    void (*jumped)(void *arg);
    void *arg;
};

static int64_t kernel_wall_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void watch_jumped(struct clock_watch *watch)
{
    watch->missed = false;
    watch->apart_ms = clock_wall_ms() - clock_boot_ms();
    watch->jumped(watch->arg);
}

bool clock_watch_check(struct clock_watch *watch)
{
    int64_t apart_ms = clock_wall_ms() - clock_boot_ms(), moved_ms = apart_ms - watch->apart_ms;

    if (moved_ms > JUMP_MS || moved_ms < -JUMP_MS) {
        watch_jumped(watch);
        return true;
    }
    watch->apart_ms = apart_ms;
    return false;
}

static void on_timerfd(evutil_socket_t fd, short what, void *arg)
{
    struct clock_watch *watch = arg;
    uint64_t count;
    ssize_t n = read(fd, &count, sizeof count);

    (void)what;
    if (watch->missed || (n < 0 && errno == ECANCELED))
        watch_jumped(watch);
    else if (n == (ssize_t)sizeof count)
        watch->due(watch->arg);
}

void clock_watch_set(struct clock_watch *watch, int64_t aws_ms)
{
    /* The timer is the kernel's wall clock, which a test clock may differ from. */
    int64_t left_ms = aws_ms == 0 ? FAR_MS : aws_ms - clock_aws_ms(), at_ms;
    struct itimerspec spec = {0};

    if (left_ms < 0)
        left_ms = 0;
    if (left_ms > FAR_MS)
        left_ms = FAR_MS;
    at_ms =
        kernel_wall_ms() + left_ms + 1; /* the clocks are cut to milliseconds: never too early */
    spec.it_value.tv_sec = (time_t)(at_ms / 1000);
    spec.it_value.tv_nsec = (long)(at_ms % 1000) * 1000000;
    /* ECANCELED: the clock was set and nobody has read of it yet. The timer runs all the same. */
    if (timerfd_settime(watch->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec, NULL) != 0 &&
        errno == ECANCELED) {
        watch->missed = true;
        event_active(watch->event, EV_READ, 0);
    }
}

#ifdef KMS_TEST_HOOKS
/* The kernel tells of the end of a suspend as of a jump (clock_was_set() in timekeeping_resume());
 * so here. */
static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct clock_watch *watch = arg;
    int64_t boot_shift_ms = clock_boot_shift_ms();

    (void)fd;
    (void)what;
    if (boot_shift_ms == watch->boot_shift_ms) {
        clock_watch_check(watch);
        return;
    }
    watch->boot_shift_ms = boot_shift_ms;
    watch_jumped(watch);
}

static void watch_tick(struct clock_watch *watch, struct event_base *base)
{
    struct timeval tick = {0, TEST_TICK_MS * 1000};

    watch->tick = event_new(base, -1, EV_PERSIST, on_tick, watch);
    if (watch->tick != NULL)
        event_add(watch->tick, &tick);
}
#else
static void watch_tick(struct clock_watch *watch, struct event_base *base)
{
    (void)watch;
    (void)base;
}
#endif

int clock_watch_new(struct event_base *base, void (*due)(void *arg), void (*jumped)(void *arg),
                    void *arg, struct clock_watch **ret, struct err *err)
{
    struct clock_watch *watch = calloc(1, sizeof *watch);

    if (watch == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    watch->due = due;
    watch->jumped = jumped;
    watch->arg = arg;
    watch->apart_ms = clock_wall_ms() - clock_boot_ms();
    watch->fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (watch->fd >= 0)
        watch->event = event_new(base, watch->fd, EV_READ | EV_PERSIST, on_timerfd, watch);
    if (watch->event == NULL || event_add(watch->event, NULL) != 0) {
        err_set(err, KMS_EINTERNAL, "cannot watch the clock: %s", strerror(errno));
        clock_watch_free(watch);
        return KMS_EINTERNAL;
    }
    watch_tick(watch, base);
    clock_watch_set(watch, 0);
    *ret = watch;
    return 0;
}

void clock_watch_free(struct clock_watch *watch)
{
    if (watch == NULL)
        return;
    if (watch->tick != NULL)
        event_free(watch->tick);
    if (watch->event != NULL)
        event_free(watch->event);
    if (watch->fd >= 0)
        close(watch->fd);
    free(watch);
}
