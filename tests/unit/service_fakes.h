/* SPDX-License-Identifier: Apache-2.0 */
/* The layers below service/ played by the test: a store in memory, jobs that run when told to, a
 * configuration made of values. Included by one test program only. */
#ifndef KMS_TESTS_SERVICE_FAKES_H
#define KMS_TESTS_SERVICE_FAKES_H

#include "lease/issue.h"
#include "lease/overdue.h"
#include "lease/renew.h"
#include "lease/revoke.h"
#include "lease/root_survey.h"
#include "lease/rotate_root.h"
#include "lease/sweep.h"
#include "schedule/process.h"
#include "service/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAKE_MAX 512

static struct fakes {
    struct lease leases[FAKE_MAX]; /* newest first */
    size_t lease_count;
    struct audit audits[FAKE_MAX]; /* oldest first */
    size_t audit_count;
    struct job *jobs[FAKE_MAX]; /* submitted, not yet run */
    size_t job_count;
    unsigned overdue_reads;
    int submit_rc;
    struct issue *issue; /* the last one made */
    struct issue_params issue_params;
    struct renew *renew;
    struct revoke *revoke;
    enum revoke_reason revoke_reasons[FAKE_MAX];
    size_t revokes, freed;
    unsigned delivered, undelivered, bound, loads, canceled;
    struct root_survey *survey; /* submitted last; it has no run: the test finishes it */
    struct rotation *rotation;  /* the same */
    int bind_rc, load_rc;
} fakes;

/* ---- configuration ---- */

static struct rule fake_rules[] = {
    {.kind = RULE_USER, .id = 1000, .text = "user:app"},
    {.kind = RULE_GROUP, .id = 2000, .text = "group:ops"},
    {.kind = RULE_UNIT, .text = "unit:web.service"},
    {.kind = RULE_USER, .id = 65534, .text = "user:nobody"},
    {.kind = RULE_USER, .id = UINT32_MAX, .text = "user:minus-one"},
};
static struct rule fake_admins[] = {{.kind = RULE_GROUP, .id = 3000, .text = "group:kms-admin"}};
static struct secret_config fake_secrets[2];
static struct config fake_config = {
    .agent = {.admins = {fake_admins, 1}, .agent_id = (char[]){"a"}},
    .secrets = fake_secrets,
    .secret_count = 2,
    .refs = 1};
static struct config fake_next_config;

static void fake_set_config(void)
{
    memset(fake_secrets, 0, sizeof fake_secrets);
    strcpy(fake_secrets[0].name, "deploy");
    fake_secrets[0].allow =
        (struct rule_list){fake_rules, sizeof fake_rules / sizeof fake_rules[0]};
    fake_secrets[0].recipe =
        (struct recipe){.region = "eu-west-1", .path = "/kms/", .max_ttl_s = 86400};
    strcpy(fake_secrets[1].name, "hidden");
    fake_config.agent.mint_rate_per_uid = 0;
    fake_next_config = fake_config;
}

struct config *config_ref(struct config *config)
{
    config->refs++;
    return config;
}

void config_unref(struct config *config)
{
    if (config != NULL)
        config->refs--;
}

const struct secret_config *config_secret(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->secret_count; i++)
        if (strcmp(config->secrets[i].name, name) == 0)
            return &config->secrets[i];
    return NULL;
}

int config_load(const char *file, struct config **ret, struct err *err)
{
    (void)file;
    fakes.loads++;
    if (fakes.load_rc != 0)
        return err_set(err, fakes.load_rc, "agent.conf:3: unknown option \"sockt\"");
    fake_next_config.refs = 1;
    *ret = &fake_next_config;
    return 0;
}

/* ---- store ---- */

static struct lease *fake_lease(const struct uuid *id)
{
    for (size_t i = 0; i < fakes.lease_count; i++)
        if (uuid_equal(&fakes.leases[i].id, id))
            return &fakes.leases[i];
    return NULL;
}

int store_read(struct store *store, const struct uuid *id, struct lease *ret, struct err *err)
{
    (void)store;
    if (fake_lease(id) == NULL)
        return err_set(err, KMS_ENOLEASE, "the store's own words");
    *ret = *fake_lease(id);
    return 0;
}

int store_audit(struct store_txn *txn, const struct audit *audit, struct err *err)
{
    (void)txn;
    (void)err;
    fakes.audits[fakes.audit_count] = *audit;
    fakes.audits[fakes.audit_count].sequence = fakes.audit_count + 1;
    fakes.audit_count++;
    return 0;
}

int store_count_secret(struct store_txn *txn, const char *secret, uint64_t *ret, struct err *err)
{
    (void)txn;
    (void)secret;
    (void)err;
    *ret = 42;
    return 0;
}

void store_submit(struct store *store, struct store_op *op)
{
    (void)store;
    op->rc = op->apply(NULL, op->arg, &op->err);
    op->done(op);
}

int store_run(struct store *store, store_apply_fn *apply, void *arg, bool urgent, struct err *err)
{
    (void)store;
    (void)urgent;
    return apply(NULL, arg, err);
}

int store_list(struct store *store, const struct lease_filter *filter, const struct uuid *cursor,
               size_t scan_max, bool (*each)(const struct lease *lease, void *arg), void *arg,
               struct uuid *ret_cursor, struct err *err)
{
    size_t i = 0;

    (void)store;
    (void)err;
    if (cursor != NULL)
        i = (size_t)(fake_lease(cursor) - fakes.leases) + 1;
    for (; i < fakes.lease_count && scan_max > 0; i++, scan_max--) {
        const struct lease *lease = &fakes.leases[i];

        if ((filter->has_uid && filter->uid != lease->owner.uid) ||
            (filter->secret != NULL && strcmp(filter->secret, lease->secret) != 0) ||
            (filter->state != LEASE_NONE && filter->state != lease->state) ||
            (filter->live_only && !lease_is_live(lease)))
            continue;
        if (!each(lease, arg)) {
            *ret_cursor = lease->id;
            return 0;
        }
    }
    *ret_cursor = i < fakes.lease_count ? fakes.leases[i - 1].id : (struct uuid){0};
    return 0;
}

int store_list_audit(struct store *store, uint64_t before, size_t scan_max,
                     bool (*each)(const struct audit *audit, void *arg), void *arg,
                     uint64_t *ret_next, struct err *err)
{
    uint64_t at = before == 0 || before > fakes.audit_count ? fakes.audit_count + 1 : before;

    (void)store;
    (void)err;
    while (--at > 0 && scan_max-- > 0)
        if (!each(&fakes.audits[at - 1], arg))
            break;
    *ret_next = at;
    return 0;
}

bool store_is_volatile(const struct store *store)
{
    (void)store;
    return false;
}

int store_stats(struct store *store, struct store_stats *ret, struct err *err)
{
    (void)store;
    (void)err;
    *ret = (struct store_stats){.live = 12, .revoking = 3, .stuck = 1, .issuing_allowed = true};
    return 0;
}

/* ---- scheduler ---- */

int schedule_submit(struct schedule *schedule, struct job *job)
{
    (void)schedule;
    if (fakes.submit_rc != 0)
        return fakes.submit_rc;
    fakes.jobs[fakes.job_count++] = job;
    return 0;
}

void schedule_cancel(struct schedule *schedule, struct job *job)
{
    (void)schedule;
    atomic_store(&job->canceled, true);
    fakes.canceled++;
}

int schedule_bind(struct schedule *schedule, const struct uuid *lease_id, int pidfd,
                  struct err *err)
{
    (void)schedule;
    (void)lease_id;
    close(pidfd);
    if (fakes.bind_rc != 0)
        return err_set(err, fakes.bind_rc, "cannot watch");
    fakes.bound++;
    return 0;
}

void schedule_stats(const struct schedule *schedule, struct schedule_stats *ret)
{
    (void)schedule;
    *ret = (struct schedule_stats){.oldest_overdue_ms = 2500};
}

int process_describe(int pidfd, int32_t pid, struct lease_process *ret, struct err *err)
{
    (void)pidfd;
    (void)err;
    *ret = (struct lease_process){.pid = pid, .start_time = 7};
    return 0;
}

/* Runs what was submitted and has a run function (service's own jobs). */
static void fake_run_jobs(void)
{
    for (size_t i = 0; i < fakes.job_count; i++) {
        struct job *job = fakes.jobs[i];

        if (job->run == NULL)
            continue;
        fakes.jobs[i] = fakes.jobs[--fakes.job_count];
        job->rc = atomic_load(&job->canceled) ? KMS_ECANCELED : job->run(job, NULL);
        job->done(job);
        i = (size_t)-1; /* it may have submitted more */
    }
}

/* ---- lease/ ---- */

struct issue *issue_new(struct lease_env *env, const struct issue_params *params,
                        void (*finished)(struct issue *issue, void *arg), void *arg)
{
    fakes.issue = calloc(1, sizeof *fakes.issue);
    fakes.issue->env = env;
    fakes.issue->finished = finished;
    fakes.issue->arg = arg;
    fakes.issue_params = *params;
    return fakes.issue;
}

void issue_free(struct issue *issue)
{
    aws_credential_done(&issue->credential);
    fakes.freed++;
    free(issue);
}

void issue_delivered(struct lease_env *env, const struct uuid *lease_id)
{
    (void)env;
    (void)lease_id;
    fakes.delivered++;
}

void issue_undelivered(struct lease_env *env, const struct uuid *lease_id)
{
    (void)env;
    (void)lease_id;
    fakes.undelivered++;
}

struct renew *renew_new(struct lease_env *env, struct config *config, const struct uuid *lease_id,
                        int64_t ttl_s, const struct lease_owner *actor,
                        void (*finished)(struct renew *renew, void *arg), void *arg)
{
    (void)env;
    (void)config;
    fakes.renew = calloc(1, sizeof *fakes.renew);
    fakes.renew->ttl_s = ttl_s;
    fakes.renew->actor = *actor;
    fakes.renew->lease = *fake_lease(lease_id);
    fakes.renew->finished = finished;
    fakes.renew->arg = arg;
    return fakes.renew;
}

void renew_free(struct renew *renew)
{
    aws_credential_done(&renew->credential);
    fakes.freed++;
    free(renew);
}

struct revoke *revoke_new(struct lease_env *env, const struct uuid *lease_id,
                          enum revoke_reason reason, const struct lease_owner *actor,
                          void (*finished)(struct revoke *revoke, void *arg), void *arg)
{
    (void)env;
    fakes.revoke = calloc(1, sizeof *fakes.revoke);
    fakes.revoke->reason = reason;
    fakes.revoke->actor = *actor;
    fakes.revoke->lease = *fake_lease(lease_id);
    fakes.revoke->finished = finished;
    fakes.revoke->arg = arg;
    fakes.revoke_reasons[fakes.revokes++] = reason;
    return fakes.revoke;
}

void revoke_free(struct revoke *revoke)
{
    fakes.freed++;
    free(revoke);
}

struct sweep *sweep_new(struct lease_env *env, struct config *config, bool report_only,
                        void (*finished)(struct sweep *sweep, void *arg), void *arg)
{
    (void)env;
    (void)config;
    (void)report_only;
    (void)finished;
    (void)arg;
    return NULL;
}

void sweep_free(struct sweep *sweep)
{
    (void)sweep;
}

int overdue_read(struct store *store, size_t scan_max, struct overdue *ret, struct err *err)
{
    (void)store;
    (void)scan_max;
    (void)err;
    fakes.overdue_reads++;
    *ret = (struct overdue){0};
    return 0;
}

/* All revocations submitted come to their end, those that follow too. */
static void fake_finish_revokes(void)
{
    while (fakes.job_count > 0) {
        struct revoke *revoke = QUEUE_OF(fakes.jobs[--fakes.job_count], struct revoke, job);

        revoke->lease.state = LEASE_REVOKING;
        fake_lease(&revoke->lease.id)->state = LEASE_REVOKING;
        revoke->finished(revoke, revoke->arg);
    }
}

/* ---- management keys ---- */

struct root_survey *root_survey_new(struct lease_env *env, struct config *config, int64_t delay_ms,
                                    void (*finished)(struct root_survey *survey, void *arg),
                                    void *arg)
{
    fakes.survey = calloc(1, sizeof *fakes.survey);
    fakes.survey->env = env;
    fakes.survey->config = config_ref(config);
    fakes.survey->delay_ms = delay_ms;
    fakes.survey->finished = finished;
    fakes.survey->arg = arg;
    return fakes.survey;
}

void root_survey_free(struct root_survey *survey)
{
    config_unref(survey->config);
    if (fakes.survey == survey)
        fakes.survey = NULL;
    free(survey);
}

struct rotation *rotation_new(struct lease_env *env, struct config *config,
                              const struct secret_config *secret, const struct lease_owner *actor,
                              void (*finished)(struct rotation *rotation, void *arg), void *arg)
{
    fakes.rotation = calloc(1, sizeof *fakes.rotation);
    fakes.rotation->env = env;
    fakes.rotation->config = config_ref(config);
    fakes.rotation->secret = secret;
    fakes.rotation->resume = actor == NULL;
    if (actor != NULL)
        fakes.rotation->actor = *actor;
    fakes.rotation->finished = finished;
    fakes.rotation->arg = arg;
    return fakes.rotation;
}

void rotation_free(struct rotation *rotation)
{
    config_unref(rotation->config);
    if (fakes.rotation == rotation)
        fakes.rotation = NULL;
    free(rotation);
}

static void fake_take_job(const struct job *job)
{
    for (size_t i = 0; i < fakes.job_count; i++)
        if (fakes.jobs[i] == job)
            fakes.jobs[i] = fakes.jobs[--fakes.job_count];
}

/* The survey under way ends; canceled ones with KMS_ECANCELED. */
static void fake_finish_survey(int rc)
{
    struct root_survey *survey = fakes.survey;

    fake_take_job(&survey->job);
    survey->job.rc = atomic_load(&survey->job.canceled) ? KMS_ECANCELED : rc;
    survey->finished(survey, survey->arg);
}

static void fake_finish_rotation(int rc)
{
    struct rotation *rotation = fakes.rotation;

    fake_take_job(&rotation->job);
    rotation->job.rc = atomic_load(&rotation->job.canceled) ? KMS_ECANCELED : rc;
    rotation->finished(rotation, rotation->arg);
}

/* At the end of a test, as at the end of the agent: nothing more is taken. */
static void fake_end_root_jobs(void)
{
    fakes.submit_rc = KMS_ESTOPPING;
    if (fakes.survey != NULL)
        fake_finish_survey(KMS_ECANCELED);
    if (fakes.rotation != NULL)
        fake_finish_rotation(KMS_ECANCELED);
}

#endif
