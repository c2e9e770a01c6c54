/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule/row_jobs.h"

#include "base/clock.h"
#include "schedule/id_map.h"

#include <stdlib.h>

/* A job in being, made from a row. */
struct row_job {
    struct id_node node; /* revocations: in revoking */
    struct row_job *prev, *next;
    struct row_jobs *jobs;
    enum row_class row_class;
    uint32_t way;
    bool renewal;
    int64_t claimed_ms;
    /* A row of the lease came while the job ran. It may be from after the job's own commit, so it
     * is taken up when the job has ended. */
    bool again;
    struct claim_row again_row;
};

struct row_jobs {
    struct row_jobs_options options;
    struct row_queue queues[ROW_CLASS_COUNT];
    struct id_map revoking; /* leases that a job is being made or run for */
    struct row_job *first;
};

struct row_jobs *row_jobs_new(const struct row_jobs_options *options)
{
    struct row_jobs *jobs = calloc(1, sizeof *jobs);

    if (jobs == NULL)
        return NULL;
    jobs->options = *options;
    for (unsigned i = 0; i < ROW_CLASS_COUNT; i++)
        row_queue_init(&jobs->queues[i], i);
    return jobs;
}

void row_jobs_free(struct row_jobs *jobs)
{
    if (jobs == NULL || jobs->first != NULL)
        return;
    for (unsigned i = 0; i < ROW_CLASS_COUNT; i++)
        row_queue_done(&jobs->queues[i]);
    free(jobs);
}

static struct row_job *row_job_new(struct row_jobs *jobs, const struct claim_row *row,
                                   int64_t claimed_ms)
{
    struct row_job *row_job = calloc(1, sizeof *row_job);

    if (row_job == NULL)
        return NULL;
    row_job->jobs = jobs;
    row_job->row_class = row_class_of(row);
    row_job->renewal = row_is_renewal(row);
    row_job->way = row->way;
    row_job->claimed_ms = claimed_ms;
    row_job->next = jobs->first;
    if (jobs->first != NULL)
        jobs->first->prev = row_job;
    jobs->first = row_job;
    row_queue_count_job(&jobs->queues[row_job->row_class], row_job->way, 1);
    if (!row_job->renewal)
        id_map_add(&jobs->revoking, &row->id, &row_job->node);
    return row_job;
}

static void row_job_free(struct row_job *row_job)
{
    struct row_jobs *jobs = row_job->jobs;

    if (row_job->prev != NULL)
        row_job->prev->next = row_job->next;
    else
        jobs->first = row_job->next;
    if (row_job->next != NULL)
        row_job->next->prev = row_job->prev;
    row_queue_count_job(&jobs->queues[row_job->row_class], row_job->way, -1);
    if (!row_job->renewal)
        id_map_remove(&jobs->revoking, &row_job->node);
    free(row_job);
}

static void start(struct row_jobs *jobs, const struct claim_row *row, int64_t claimed_ms);

/* The job is still whole here: what it found tells whether the lease's process matters any more. */
static void on_ended(struct job *job, void *arg)
{
    struct row_job *row_job = arg;
    struct row_jobs *jobs = row_job->jobs;
    enum lease_state state = row_job->renewal ? QUEUE_OF(job, struct renew, job)->lease.state
                                              : QUEUE_OF(job, struct revoke, job)->lease.state;
    struct claim_row row;
    bool again;

    if (state == LEASE_REVOKING || state == LEASE_REVOKED)
        jobs->options.lease_ended(&job->lease_id, jobs->options.arg);
    again = row_job->again && state != LEASE_REVOKED;
    row = row_job->again_row;
    row_job_free(row_job);
    if (again)
        start(jobs, &row, clock_boot_ms());
}

static void on_renewed(struct renew *renew, void *arg)
{
    struct row_jobs *jobs = arg;

    jobs->options.hooks->renew_free(renew);
}

static void start_revoke(struct row_jobs *jobs, const struct claim_row *row,
                         struct row_job *row_job)
{
    const struct schedule_hooks *hooks = jobs->options.hooks;
    /* Without a callback: phase one is done in one stretch, and the job frees itself. */
    struct revoke *revoke =
        hooks->revoke_new(jobs->options.env, &row->id, REVOKE_NONE, NULL, NULL, NULL);

    if (revoke != NULL && row->slow)
        revoke->job.lane = LANE_BACKGROUND;
    if (revoke != NULL)
        revoke->job.way = row->way;
    if (revoke != NULL && tasks_submit(jobs->options.tasks, &revoke->job, on_ended, row_job) == 0)
        return;
    if (revoke != NULL)
        hooks->revoke_free(revoke);
    row_job_free(row_job);
}

static void start_renew(struct row_jobs *jobs, const struct claim_row *row, struct row_job *row_job)
{
    const struct schedule_hooks *hooks = jobs->options.hooks;
    struct renew *renew = hooks->renew_new(jobs->options.env, *jobs->options.config, &row->id, 0,
                                           NULL, on_renewed, jobs);

    if (renew != NULL) {
        renew->settle_only = row->action == DUE_FENCE;
        renew->job.way = row->way;
    }
    if (renew != NULL && tasks_submit(jobs->options.tasks, &renew->job, on_ended, row_job) == 0)
        return;
    if (renew != NULL)
        hooks->renew_free(renew);
    row_job_free(row_job);
}

/* A row that cannot become a job now (the lease's queue is full, no memory) comes back through the
 * due index. */
static void start(struct row_jobs *jobs, const struct claim_row *row, int64_t claimed_ms)
{
    bool renewal = row_is_renewal(row);
    struct row_job *row_job;
    struct id_node *node;

    /* Not watched (yet): the row comes back, and a lease whose process cannot be found again lives
     * to its end. */
    if (row->action == DUE_RENEW && !jobs->options.process_lives(&row->id, jobs->options.arg))
        return;
    node = renewal ? NULL : id_map_find(&jobs->revoking, &row->id);
    if (node != NULL) {
        row_job = QUEUE_OF(node, struct row_job, node);
        row_job->again = true;
        row_job->again_row = *row;
        return;
    }
    row_job = row_job_new(jobs, row, claimed_ms);
    if (row_job == NULL)
        return;
    if (renewal)
        start_renew(jobs, row, row_job);
    else
        start_revoke(jobs, row, row_job);
}

void row_jobs_fill(struct row_jobs *jobs)
{
    struct claim_row row;
    int64_t claimed_ms;

    for (unsigned i = 0; i < ROW_CLASS_COUNT; i++)
        while (row_queue_pop(&jobs->queues[i], &row, &claimed_ms))
            start(jobs, &row, claimed_ms);
}

void row_jobs_add(struct row_jobs *jobs, const struct claim_row *rows, size_t count)
{
    int64_t now = clock_boot_ms();

    for (size_t i = 0; i < count; i++)
        row_queue_push(&jobs->queues[row_class_of(&rows[i])], &rows[i], now);
    row_jobs_fill(jobs);
}

bool row_jobs_hungry(const struct row_jobs *jobs)
{
    return row_queue_hungry(&jobs->queues[ROW_EARLY]) && row_queue_hungry(&jobs->queues[ROW_KEY]);
}

int64_t row_jobs_oldest_ms(const struct row_jobs *jobs)
{
    int64_t oldest_ms = 0, ms;

    for (const struct row_job *row_job = jobs->first; row_job != NULL; row_job = row_job->next)
        if (oldest_ms == 0 || row_job->claimed_ms < oldest_ms)
            oldest_ms = row_job->claimed_ms;
    for (unsigned i = 0; i < ROW_CLASS_COUNT; i++) {
        ms = row_queue_oldest_ms(&jobs->queues[i]);
        if (ms != 0 && (oldest_ms == 0 || ms < oldest_ms))
            oldest_ms = ms;
    }
    return oldest_ms;
}

unsigned row_jobs_count(const struct row_jobs *jobs)
{
    unsigned count = 0;

    for (unsigned i = 0; i < ROW_CLASS_COUNT; i++)
        count += jobs->queues[i].running;
    return count;
}
