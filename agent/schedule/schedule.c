/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule/schedule.h"

#include "base/thread_role.h"
#include "common/log.h"
#include "schedule/bell.h"
#include "schedule/bound_scan.h"
#include "schedule/due_pump.h"
#include "schedule/hooks.h"
#include "schedule/peer_exit.h"
#include "schedule/row_jobs.h"
#include "schedule/tasks.h"

#include <stdlib.h>

struct schedule {
    struct schedule_options options;
    struct config *config; /* today's, referenced */
    struct tasks *tasks;
    struct row_jobs *rows;
    struct due_pump *pump;
    struct peer_exit *peers;
    struct bound_scan *scan;
    struct bell *bell;
    unsigned threads_left; /* after schedule_stop() */
    bool stopped;
};

static void on_turned(void *arg)
{
    struct schedule *schedule = arg;

    due_pump_turned(schedule->pump);
}

static bool on_process_lives(const struct uuid *lease_id, void *arg)
{
    struct schedule *schedule = arg;

    return peer_exit_lives(schedule->peers, lease_id);
}

static void on_lease_ended(const struct uuid *lease_id, void *arg)
{
    struct schedule *schedule = arg;

    peer_exit_unbind(schedule->peers, lease_id);
}

static void on_jumped(void *arg)
{
    struct schedule *schedule = arg;

    tasks_advance(schedule->tasks); /* a jump may be the end of a suspend, which libevent's clock
                                       sleeps through */
    if (schedule->options.clock_lost != NULL)
        schedule->options.clock_lost(schedule->options.clock_lost_arg);
}

static void on_rung(void *arg)
{
    struct schedule *schedule = arg;

    due_pump_look(schedule->pump);
}

void schedule_poke(void *schedule)
{
    bell_ring(schedule);
}

static int new_tasks(struct schedule *schedule, struct err *err)
{
    const struct schedule_options *options = &schedule->options;
    struct tasks_options tasks = {.base = options->base,
                                  .pool = {.mailbox = options->mailbox,
                                           .threads_max = options->threads_max,
                                           .queue_max = options->queue_max,
                                           .context_new = options->hooks->worker_new,
                                           .context_free = options->hooks->worker_free},
                                  .turned = on_turned,
                                  .arg = schedule};

    return tasks_new(&tasks, &schedule->tasks, err);
}

static int new_pump(struct schedule *schedule, struct err *err)
{
    const struct schedule_options *options = &schedule->options;
    struct row_jobs_options rows = {.hooks = options->hooks,
                                    .env = options->env,
                                    .tasks = schedule->tasks,
                                    .config = &schedule->config,
                                    .process_lives = on_process_lives,
                                    .lease_ended = on_lease_ended,
                                    .arg = schedule};
    struct due_pump_options pump = {.base = options->base,
                                    .mailbox = options->mailbox,
                                    .env = options->env,
                                    .hooks = options->hooks,
                                    .jumped = on_jumped,
                                    .arg = schedule};

    schedule->rows = row_jobs_new(&rows);
    if (schedule->rows == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    pump.jobs = schedule->rows;
    return due_pump_new(&pump, &schedule->pump, err);
}

static int new_peers(struct schedule *schedule, struct err *err)
{
    const struct schedule_options *options = &schedule->options;
    struct peer_exit_options peers = {options->base, options->env, options->hooks, schedule->tasks};
    struct bound_scan_options scan = {options->base, options->env, options->hooks, schedule->tasks,
                                      NULL};
    int rc = peer_exit_new(&peers, &schedule->peers, err);

    if (rc != 0)
        return rc;
    scan.peers = schedule->peers;
    return bound_scan_new(&scan, &schedule->scan, err);
}

int schedule_new(const struct schedule_options *options, struct schedule **ret, struct err *err)
{
    struct schedule *schedule = calloc(1, sizeof *schedule);
    int rc;

    if (schedule == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    schedule->options = *options;
    if (options->hooks == NULL)
        schedule->options.hooks = &schedule_hooks_default;
    schedule->config = config_ref(options->config);
    rc = new_tasks(schedule, err);
    if (rc == 0)
        rc = new_pump(schedule, err);
    if (rc == 0)
        rc = new_peers(schedule, err);
    if (rc == 0) {
        schedule->bell = bell_new(schedule, options->mailbox, on_rung);
        if (schedule->bell == NULL)
            rc = err_set(err, KMS_ENOMEM, "out of memory");
    }
    if (rc != 0) {
        schedule_free(schedule);
        return rc;
    }
    options->env->due_changed = schedule_poke;
    options->env->due_changed_arg = schedule;
    *ret = schedule;
    return 0;
}

int schedule_start(struct schedule *schedule, struct err *err)
{
    int rc;

    ASSERT_ON_LOOP();
    rc = due_pump_start(schedule->pump, err);
    if (rc == 0)
        bound_scan_start(schedule->scan);
    return rc;
}

unsigned schedule_stop(struct schedule *schedule, int64_t wait_ms)
{
    ASSERT_ON_LOOP();
    if (schedule->stopped)
        return schedule->threads_left;
    schedule->stopped = true;
    due_pump_stop(schedule->pump);
    bound_scan_stop(schedule->scan);
    peer_exit_stop(schedule->peers);
    schedule->threads_left = tasks_stop(schedule->tasks, wait_ms);
    if (schedule->threads_left > 0)
        log_warning("%u jobs did not end in time; they are made good at the next start",
                    schedule->threads_left);
    return schedule->threads_left;
}

void schedule_free(struct schedule *schedule)
{
    if (schedule == NULL)
        return;
    if (schedule->tasks != NULL && schedule->scan != NULL && schedule_stop(schedule, 0) > 0)
        return;
    bell_free(schedule->bell);
    bound_scan_free(schedule->scan);
    peer_exit_free(schedule->peers);
    due_pump_free(schedule->pump);
    row_jobs_free(schedule->rows);
    tasks_free(schedule->tasks);
    config_unref(schedule->config);
    free(schedule);
}

int schedule_submit(struct schedule *schedule, struct job *job)
{
    return tasks_submit(schedule->tasks, job, NULL, NULL);
}

void schedule_cancel(struct schedule *schedule, struct job *job)
{
    tasks_cancel(schedule->tasks, job);
}

int schedule_bind(struct schedule *schedule, const struct uuid *lease_id, int pidfd,
                  struct err *err)
{
    return peer_exit_bind(schedule->peers, lease_id, pidfd, err);
}

void schedule_unbind(struct schedule *schedule, const struct uuid *lease_id)
{
    peer_exit_unbind(schedule->peers, lease_id);
}

void schedule_set_config(struct schedule *schedule, struct config *config)
{
    struct config *old = schedule->config;

    schedule->config = config_ref(config);
    config_unref(old);
}

void schedule_stats(const struct schedule *schedule, struct schedule_stats *ret)
{
    *ret = (struct schedule_stats){
        .bound_processes = (unsigned)peer_exit_count(schedule->peers),
        .oldest_overdue_ms = due_pump_overdue_ms(schedule->pump),
    };
    tasks_load(schedule->tasks, &ret->waiting_jobs, &ret->busy_leases);
    for (unsigned i = 0; i < LANE_COUNT; i++)
        pool_load(tasks_pool(schedule->tasks), i, &ret->lane_waiting[i], &ret->lane_running[i]);
}

void schedule_advance(struct schedule *schedule)
{
    tasks_advance(schedule->tasks);
    peer_exit_advance(schedule->peers);
    due_pump_look(schedule->pump);
}

int64_t schedule_next_ms(const struct schedule *schedule)
{
    return tasks_next_ms(schedule->tasks);
}

bool schedule_run_one(struct schedule *schedule, void *worker, uint64_t pick)
{
    return pool_run_one(tasks_pool(schedule->tasks), worker, pick);
}
