/* SPDX-License-Identifier: Apache-2.0 */
#include "service/sweep_round.h"

#include "base/random.h"
#include "common/log.h"
#include "lease/sweep.h"

#include <stdlib.h>

#define FIRST_MS 300000     /* what was left behind is fenced: no hurry after a start */
#define INTERVAL_MS 3600000 /* from the end of one to the next, and up to half as much more */

struct sweep_round {
    struct lease_env *env;
    struct schedule *schedule;
    struct event *timer;
    struct config *config; /* reference; NULL before the first start */
    struct sweep *running;
    struct sweep_place place; /* where a sweep that found too much goes on */
    bool denied;              /* AWS does not let us: off until a reload */
};

static void plan(struct sweep_round *round, int64_t ms)
{
    int64_t in_ms = ms + (int64_t)random_below((uint64_t)ms / 2 + 1);
    struct timeval tv;

#ifdef KMS_TEST_HOOKS
    const char *test_ms = getenv("KMS_TEST_SWEEP_MS");

    if (test_ms != NULL)
        in_ms = atoll(test_ms);
#endif
    tv = (struct timeval){(time_t)(in_ms / 1000), (suseconds_t)(in_ms % 1000 * 1000)};
    evtimer_add(round->timer, &tv);
}

/* Where one key may not list users the others go on. */
static void tell(struct sweep_round *round, const struct sweep *sweep)
{
    if (sweep->denied && !sweep->listed && sweep->config == round->config) {
        round->denied = true;
        log_notice("no sweeps for users that a lost store left behind, until the next reload: %s",
                   sweep->err.message);
        return;
    }
    for (size_t i = 0; i < sweep->unseen_count; i++)
        log_warning("sweep: user %s, in the path of secret \"%s\", could not be looked at: %s",
                    sweep->unseen[i].user_name, sweep->unseen[i].secret, sweep->unseen[i].error);
    if (sweep->failed > sweep->unseen_count)
        log_warning("sweep: %zu paths or users could not be looked at: %s",
                    sweep->failed - sweep->unseen_count, sweep->err.message);
}

static void on_finished(struct sweep *sweep, void *arg)
{
    struct sweep_round *round = arg;

    round->running = NULL;
    round->place = sweep->more ? sweep->place : (struct sweep_place){0};
    if (sweep->job.rc == 0)
        tell(round, sweep);
    if (sweep->job.rc == 0 && !round->denied)
        plan(round, INTERVAL_MS);
    sweep_free(sweep);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct sweep_round *round = arg;
    bool report_only = store_is_unswept(round->env->store);

    (void)fd;
    (void)what;
    if (round->running != NULL || round->denied)
        return;
    round->running = sweep_new(round->env, round->config, report_only, on_finished, round);
    if (round->running == NULL) {
        plan(round, INTERVAL_MS);
        return;
    }
    round->running->place = round->place;
    if (schedule_submit(round->schedule, &round->running->job) != 0) {
        sweep_free(round->running);
        round->running = NULL;
        plan(round, INTERVAL_MS);
    }
}

int sweep_round_new(struct event_base *base, struct lease_env *env, struct schedule *schedule,
                    struct sweep_round **ret, struct err *err)
{
    struct sweep_round *round = calloc(1, sizeof *round);

    if (round == NULL)
        return err_set(err, KMS_ENOMEM, "no memory for sweeps");
    round->env = env;
    round->schedule = schedule;
    round->timer = evtimer_new(base, on_timer, round);
    if (round->timer == NULL) {
        free(round);
        return err_set(err, KMS_ENOMEM, "no memory for sweeps");
    }
    *ret = round;
    return 0;
}

void sweep_round_free(struct sweep_round *round)
{
    if (round == NULL)
        return;
    event_free(round->timer);
    config_unref(round->config);
    free(round);
}

void sweep_round_start(struct sweep_round *round, struct config *config)
{
    struct config *old = round->config;

    round->config = config_ref(config);
    config_unref(old);
    round->denied = false;
    round->place = (struct sweep_place){0};
    plan(round, FIRST_MS);
}
