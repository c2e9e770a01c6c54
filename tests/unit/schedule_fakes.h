/* SPDX-License-Identifier: Apache-2.0 */
/* A scheduler over stand-ins: a due index in memory, jobs that only note what they were asked, a
 * wall clock that can be set. Included by the test programs of agent/schedule/. */
#ifndef KMS_TESTS_UNIT_SCHEDULE_FAKES_H
#define KMS_TESTS_UNIT_SCHEDULE_FAKES_H

#include "base/clock.h"
#include "schedule/schedule.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define FAKE_ROWS_MAX 4096
#define FAKE_LOG_MAX 8192

struct fake_row {
    struct claim_row row;
    int64_t at_ms; /* AWS time */
    bool expiry;   /* held while the clock is in doubt */
    bool gone;
};

/* What a job was asked, in the order of running. */
struct fake_note {
    struct uuid id;
    enum revoke_reason reason;
    enum job_lane lane;
    bool renewal;
    int64_t at_ms; /* boot clock */
};

struct fake {
    struct event_base *base;
    struct mailbox *mailbox;
    struct schedule *schedule;
    struct lease_env env;
    struct schedule_hooks hooks;
    pthread_mutex_t lock; /* all below */
    struct fake_row rows[FAKE_ROWS_MAX];
    size_t row_count;
    unsigned claims, claims_recover, claims_hold;
    size_t most_claimed;
    int claim_rc;
    bool keep_claim; /* do not answer: the test completes it */
    struct claim *kept;
    struct fake_note notes[FAKE_LOG_MAX];
    size_t note_count;
    unsigned jobs_alive, jobs_most; /* revoke and renew jobs made and not ended */
    unsigned busy, busy_most;       /* running at one moment */
    int work_ms;                    /* how long a job works */
    uint32_t hang_way;              /* jobs of this way … */
    int hang_ms;                    /* … work this long */
    int revoke_rc;
    enum lease_state after; /* what a revoke job finds or makes */
    bool revoke_none;       /* revoke_new answers NULL */
    struct lease bound[8];
    size_t bound_count;
    int bound_rc;
    unsigned bound_lists;
};

static struct fake *the_fake;
static _Atomic int64_t fake_shift_ms;

static int64_t fake_wall(void *arg)
{
    struct timespec ts;

    (void)arg;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 + atomic_load(&fake_shift_ms);
}

static int64_t fake_boot(void *arg)
{
    struct timespec ts;

    (void)arg;
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static inline struct uuid fake_id(unsigned number)
{
    struct uuid id = {{0}};

    id.bytes[0] = 1;
    id.bytes[13] = (uint8_t)(number >> 16);
    id.bytes[14] = (uint8_t)(number >> 8);
    id.bytes[15] = (uint8_t)number;
    return id;
}

static inline unsigned fake_number(const struct uuid *id)
{
    return (unsigned)id->bytes[13] << 16 | (unsigned)id->bytes[14] << 8 | id->bytes[15];
}

/* ---- the due index ---- */

static inline void fake_add_row(struct fake *fake, unsigned number, enum due_action action,
                                int64_t at_ms)
{
    pthread_mutex_lock(&fake->lock);
    assert_true(fake->row_count < FAKE_ROWS_MAX);
    fake->rows[fake->row_count++] =
        (struct fake_row){.row = {.id = fake_id(number), .action = action}, .at_ms = at_ms};
    pthread_mutex_unlock(&fake->lock);
}

static void fake_fill_claim(struct fake *fake, struct claim *claim)
{
    claim->count = 0;
    claim->next_ms = 0;
    claim->more = false;
    for (size_t i = 0; i < fake->row_count; i++) {
        struct fake_row *row = &fake->rows[i];

        if (row->gone || (row->expiry && claim->hold_expiries && row->at_ms <= claim->now_ms))
            continue;
        if (row->at_ms <= claim->now_ms && claim->count < claim->max && !claim->recover) {
            claim->rows[claim->count++] = row->row;
            row->gone = true;
        } else if (claim->next_ms == 0 || row->at_ms < claim->next_ms) {
            claim->next_ms = row->at_ms;
        }
    }
    if (claim->recover)
        claim->more = fake->claims_recover < 3;
    else
        claim->more = claim->next_ms != 0 && claim->next_ms <= claim->now_ms;
}

static void fake_answer_claim(struct claim *claim)
{
    struct fake *fake = the_fake;

    pthread_mutex_lock(&fake->lock);
    claim->op.rc = fake->claim_rc;
    if (claim->op.rc == 0)
        fake_fill_claim(fake, claim);
    if (claim->count > fake->most_claimed)
        fake->most_claimed = claim->count;
    pthread_mutex_unlock(&fake->lock);
    claim->op.done(&claim->op);
}

static void fake_claim(struct claim *claim)
{
    struct fake *fake = the_fake;
    bool keep;

    pthread_mutex_lock(&fake->lock);
    fake->claims++;
    fake->claims_recover += claim->recover;
    fake->claims_hold += claim->hold_expiries;
    keep = fake->keep_claim;
    if (keep)
        fake->kept = claim;
    pthread_mutex_unlock(&fake->lock);
    if (!keep)
        fake_answer_claim(claim);
}

/* ---- jobs ---- */

static void fake_note(struct job *job, enum revoke_reason reason, bool renewal)
{
    struct fake *fake = the_fake;
    int work_ms;

    pthread_mutex_lock(&fake->lock);
    assert_true(fake->note_count < FAKE_LOG_MAX);
    fake->notes[fake->note_count++] =
        (struct fake_note){job->lease_id, reason, job->lane, renewal, clock_boot_ms()};
    fake->busy++;
    if (fake->busy > fake->busy_most)
        fake->busy_most = fake->busy;
    work_ms = job->way != 0 && job->way == fake->hang_way ? fake->hang_ms : fake->work_ms;
    pthread_mutex_unlock(&fake->lock);
    for (int i = 0; i < work_ms && !atomic_load(&job->canceled); i++)
        usleep(1000);
    pthread_mutex_lock(&fake->lock);
    fake->busy--;
    pthread_mutex_unlock(&fake->lock);
}

static void fake_count_jobs(int change)
{
    pthread_mutex_lock(&the_fake->lock);
    the_fake->jobs_alive += (unsigned)change;
    if (the_fake->jobs_alive > the_fake->jobs_most)
        the_fake->jobs_most = the_fake->jobs_alive;
    pthread_mutex_unlock(&the_fake->lock);
}

static int fake_revoke_run(struct job *job, void *worker)
{
    struct revoke *revoke = QUEUE_OF(job, struct revoke, job);
    int rc;

    assert_non_null(worker);
    /* An exit is recorded only: its calls go by way, as those of due rows do. */
    assert_int_equal(revoke->only_begin, revoke->reason == REVOKE_PEER_EXIT);
    fake_note(job, revoke->reason, false);
    pthread_mutex_lock(&the_fake->lock);
    rc = the_fake->revoke_rc;
    if (rc == 0)
        revoke->lease.state = the_fake->after;
    pthread_mutex_unlock(&the_fake->lock);
    return rc;
}

static void fake_revoke_free(struct revoke *revoke)
{
    fake_count_jobs(-1);
    free(revoke);
}

static void fake_revoke_done(struct job *job)
{
    fake_revoke_free(QUEUE_OF(job, struct revoke, job));
}

static struct revoke *fake_revoke_new(struct lease_env *env, const struct uuid *lease_id,
                                      enum revoke_reason reason, const struct lease_owner *actor,
                                      void (*finished)(struct revoke *revoke, void *arg), void *arg)
{
    struct revoke *revoke;

    assert_ptr_equal(env, &the_fake->env);
    assert_null(actor);
    assert_null(finished); /* so that the job does phase one in one stretch and frees itself */
    assert_null(arg);
    if (the_fake->revoke_none)
        return NULL;
    revoke = calloc(1, sizeof *revoke);
    revoke->reason = reason;
    revoke->job.lane = LANE_REVOKE;
    revoke->job.run = fake_revoke_run;
    revoke->job.done = fake_revoke_done;
    revoke->job.internal = true;
    revoke->job.keyed = true;
    revoke->job.lease_id = *lease_id;
    fake_count_jobs(1);
    return revoke;
}

static int fake_renew_run(struct job *job, void *worker)
{
    assert_non_null(worker);
    fake_note(job, REVOKE_NONE, true);
    QUEUE_OF(job, struct renew, job)->lease.state = LEASE_ACTIVE;
    return 0;
}

static void fake_renew_done(struct job *job)
{
    struct renew *renew = QUEUE_OF(job, struct renew, job);

    renew->finished(renew, renew->arg);
}

static void fake_renew_free(struct renew *renew)
{
    fake_count_jobs(-1);
    free(renew);
}

static struct renew *fake_renew_new(struct lease_env *env, struct config *config,
                                    const struct uuid *lease_id, int64_t ttl_s,
                                    const struct lease_owner *actor,
                                    void (*finished)(struct renew *renew, void *arg), void *arg)
{
    struct renew *renew = calloc(1, sizeof *renew);

    assert_ptr_equal(env, &the_fake->env);
    assert_non_null(config);
    assert_null(actor);
    assert_int_equal(ttl_s, 0);
    renew->finished = finished;
    renew->arg = arg;
    renew->job.lane = LANE_MINT;
    renew->job.run = fake_renew_run;
    renew->job.done = fake_renew_done;
    renew->job.internal = true;
    renew->job.keyed = true;
    renew->job.lease_id = *lease_id;
    fake_count_jobs(1);
    return renew;
}

static int fake_list_bound(struct store *store, bool (*each)(const struct lease *lease, void *arg),
                           void *arg, struct err *err)
{
    struct fake *fake = the_fake;

    (void)store;
    pthread_mutex_lock(&fake->lock);
    fake->bound_lists++;
    for (size_t i = 0; fake->bound_rc == 0 && i < fake->bound_count; i++)
        if (!each(&fake->bound[i], arg))
            break;
    pthread_mutex_unlock(&fake->lock);
    return fake->bound_rc == 0 ? 0 : err_set(err, fake->bound_rc, "the store is broken");
}

static void *fake_worker_new(void *arg)
{
    assert_null(arg);
    return malloc(1);
}

/* ---- the rig ---- */

static inline void fake_schedule(struct fake *fake, unsigned threads_max, unsigned queue_max)
{
    static struct config config = {.refs = 1};
    struct schedule_options options = {.base = fake->base,
                                       .mailbox = fake->mailbox,
                                       .env = &fake->env,
                                       .config = &config,
                                       .threads_max = threads_max,
                                       .queue_max = queue_max,
                                       .hooks = &fake->hooks};
    struct err err;

    assert_int_equal(schedule_new(&options, &fake->schedule, &err), 0);
}

static int fake_setup(void **state)
{
    static const struct clock_source source = {fake_wall, fake_boot, NULL};
    struct fake *fake = calloc(1, sizeof *fake);
    struct err err;

    atomic_store(&fake_shift_ms, 0);
    clock_set_source(&source);
    clock_void_offset();
    pthread_mutex_init(&fake->lock, NULL);
    fake->after = LEASE_REVOKING;
    fake->hooks = (struct schedule_hooks){.claim = fake_claim,
                                          .revoke_new = fake_revoke_new,
                                          .revoke_free = fake_revoke_free,
                                          .renew_new = fake_renew_new,
                                          .renew_free = fake_renew_free,
                                          .list_bound = fake_list_bound,
                                          .worker_new = fake_worker_new,
                                          .worker_free = free};
    fake->base = event_base_new();
    assert_int_equal(mailbox_new(fake->base, &fake->mailbox, &err), 0);
    the_fake = fake;
    *state = fake;
    return 0;
}

static int fake_teardown(void **state)
{
    struct fake *fake = *state;

    if (fake->schedule != NULL)
        assert_int_equal(schedule_stop(fake->schedule, 10000), 0);
    schedule_free(fake->schedule);
    mailbox_free(fake->mailbox);
    event_base_free(fake->base);
    assert_int_equal(fake->jobs_alive, 0);
    clock_set_source(NULL);
    clock_void_offset();
    pthread_mutex_destroy(&fake->lock);
    free(fake);
    return 0;
}

#include "schedule_fakes_wait.h"

#endif
