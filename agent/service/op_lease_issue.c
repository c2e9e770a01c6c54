/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/message_ids.h"
#include "lease/issue.h"
#include "lease/lease_journal.h"
#include "model/partition.h"
#include "schedule/process.h"
#include "service/access.h"
#include "service/answer.h"
#include "service/failure.h"
#include "service/ops.h"
#include "service/shared.h"

#include <stdlib.h>
#include <string.h>

#define MINT_BURST_S 10 /* burst = rate × this */

/* ---- the answer and what became of it ---- */

struct delivery {
    struct lease_env *env;
    struct uuid lease_id;
};

static void on_written(bool ok, void *arg)
{
    struct delivery *delivery = arg;

    if (ok)
        issue_delivered(delivery->env, &delivery->lease_id);
    else
        issue_undelivered(delivery->env, &delivery->lease_id);
    free(delivery);
}

/* Takes the pidfd kept since the request came in; before the answer, so that no holder is
 * unwatched. */
static int bind_lease(struct request *request, const struct issue *issue, struct err *err)
{
    if (!issue->lease.bound)
        return 0;
    return schedule_bind(request->service->options.schedule, &issue->lease.id,
                         request_take_pidfd(request), err);
}

static void answer(struct request *request, const struct issue *issue)
{
    struct lease_env *env = request->service->options.env;
    struct delivery *delivery = malloc(sizeof *delivery);
    struct wire_writer writer = {0};
    struct err err = {0};
    int rc = delivery == NULL ? err_set(&err, KMS_ENOMEM, "out of memory") : 0;

    if (rc == 0 && !request->gone)
        rc = bind_lease(request, issue, &err);
    if (rc != 0 || request->gone) {
        free(delivery);
        issue_undelivered(env, &issue->lease.id);
        request_fail(request, rc != 0 ? rc : KMS_ECANCELED, &err);
        return;
    }
    *delivery = (struct delivery){.env = env, .lease_id = issue->lease.id};
    lease_journal(LOG_LEVEL_NOTICE, MESSAGE_ID_ISSUED, &issue->lease.owner, NULL, &issue->lease,
                  &issue->call, "lease issued");
    wire_begin_result(&writer, request->msgid);
    wire_open_map(&writer, NULL);
    answer_put_credential(&writer, &(struct answer_credential){.lease = &issue->lease,
                                                               .credential = &issue->credential,
                                                               .region = request->params.region});
    request_answer(request, &writer, on_written, delivery);
}

static void on_finished(struct issue *issue, void *arg)
{
    struct request *request = arg;

    request->job = NULL;
    if (issue->job.rc == 0) {
        answer(request, issue);
    } else {
        failure_record(request->service,
                       &(struct failure){.actor = &issue->lease.owner,
                                         .secret = request->params.secret,
                                         .lease = issue->recorded ? &issue->lease : NULL,
                                         .err = &issue->err,
                                         .audited = issue->recorded});
        request_fail(request, issue->job.rc, &issue->err);
    }
    issue_free(issue);
}

/* ---- the request ---- */

static int check_region(const struct params *params, const struct secret_config *secret,
                        struct err *err)
{
    const char *partition, *own;

    if (params->region[0] == '\0')
        return 0;
    own = partition_of_region(secret->recipe.region);
    partition = partition_of_region(params->region);
    if (partition == NULL)
        return err_set(err, KMS_EINVALID, "region %s is none of AWS", params->region);
    if (own != NULL && strcmp(partition, own) != 0)
        return err_set(err, KMS_EINVALID, "region %s is in partition %s, the secret's in %s",
                       params->region, partition, own);
    return 0;
}

static int check_rate(struct request *request, const struct secret_config *secret, struct err *err)
{
    double rate = request->config->agent.mint_rate_per_uid;
    int64_t wait_ms;

    if (rate <= 0 || secret->recipe.type != CREDENTIAL_IAM_USER ||
        rate_take(&request->service->mints, request->peer->uid, rate,
                  rate * MINT_BURST_S > 1 ? rate * MINT_BURST_S : 1, clock_boot_ms(), NULL,
                  &wait_ms))
        return 0;
    err_set(err, KMS_ELIMIT, "uid %u asks for IAM users faster than mint_rate_per_uid = %g allows",
            request->peer->uid, rate);
    err->retry_after_ms = (uint32_t)(wait_ms < 3600000 ? wait_ms : 3600000);
    return err->code;
}

/* The pidfd is watched whatever the pid says; the rest of the description serves a restart. */
static int describe(struct request *request, struct lease_process *ret, struct err *err)
{
    const struct peer *peer = request->peer;
    int rc = request_keep_pidfd(request, err);

    return rc == 0 && peer->pid > 0 ? process_describe(peer->pidfd, peer->pid, ret, err) : rc;
}

static void start(struct request *request, const struct issue_params *issue_params)
{
    struct issue *issue =
        issue_new(request->service->options.env, issue_params, on_finished, request);
    struct err err = {0};

    if (issue == NULL) {
        err_set(&err, KMS_ENOMEM, "out of memory");
        request_fail(request, KMS_ENOMEM, &err);
        return;
    }
    if (request_submit(request, &issue->job, true, REQUEST_ISSUE_DEADLINE_MS) != 0)
        issue_free(issue);
}

/* A lease of the request's own. */
static void issue_own(struct request *request, const struct secret_config *secret,
                      const struct rule *rule)
{
    const struct params *params = &request->params;
    struct issue_params issue_params = {
        .config = request->config, .secret = secret, .ttl_s = params->ttl_s, .bind = params->bind};
    struct err err = {0};
    int rc = 0;

    access_owner(request->peer, rule, &issue_params.owner);
    if (params->bind)
        rc = describe(request, &issue_params.process, &err);
    if (rc == 0)
        rc = check_rate(request, secret, &err);
    if (rc == 0) {
        start(request, &issue_params);
        return;
    }
    failure_record(
        request->service,
        &(struct failure){.actor = &issue_params.owner, .secret = secret->name, .err = &err});
    request_fail(request, rc, &err);
}

void op_lease_issue(struct request *request)
{
    const struct params *params = &request->params;
    const struct rule *rule;
    const struct secret_config *secret = access_secret(request, params->secret, &rule);
    struct err err = {0};
    int rc;

    if (secret == NULL)
        return;
    rc = check_region(params, secret, &err);
    if (rc != 0)
        request_fail(request, rc, &err);
    else if (!shared_applies(secret, params->ttl_s) || !shared_issue(request, secret, rule))
        issue_own(request, secret, rule); /* bind holds for these only */
}
