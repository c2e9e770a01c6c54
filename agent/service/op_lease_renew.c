/* SPDX-License-Identifier: Apache-2.0 */
#include "base/message_ids.h"
#include "lease/lease_journal.h"
#include "lease/renew.h"
#include "service/access.h"
#include "service/answer.h"
#include "service/failure.h"
#include "service/ops.h"
#include "service/shared.h"

static void on_finished(struct renew *renew, void *arg)
{
    struct request *request = arg;
    struct wire_writer writer = {0};

    request->job = NULL;
    if (renew->job.rc != 0) {
        failure_record(request->service, &(struct failure){.actor = &renew->actor,
                                                           .secret = renew->lease.secret,
                                                           .lease = &renew->lease,
                                                           .err = &renew->err});
        request_fail(request, renew->job.rc, &renew->err);
        renew_free(renew);
        return;
    }
    shared_renewed(request->service->shared, renew, request->params.ttl_s);
    lease_journal(LOG_LEVEL_NOTICE, MESSAGE_ID_RENEWED, &renew->actor, NULL, &renew->lease,
                  &renew->call, "lease renewed");
    wire_begin_result(&writer, request->msgid);
    wire_open_map(&writer, NULL);
    answer_put_credential(&writer, &(struct answer_credential){.lease = &renew->lease,
                                                               .credential = &renew->credential});
    request_answer(request, &writer, NULL, NULL);
    renew_free(renew);
}

/* The owner needs today's authorization too: what the secret no longer allows is not prolonged. */
void op_lease_renew(struct request *request)
{
    const struct params *params = &request->params;
    struct lease_owner actor;
    struct lease lease;
    struct renew *renew;
    const struct rule *rule;
    struct err err = {0};

    if (access_lease(request, false, &lease, NULL) != 0 ||
        access_secret(request, lease.secret, &rule) == NULL)
        return;
    access_owner(request->peer, rule, &actor);
    renew = renew_new(request->service->options.env, request->config, &lease.id, params->ttl_s,
                      &actor, on_finished, request);
    if (renew == NULL) {
        err_set(&err, KMS_ENOMEM, "out of memory");
        request_fail(request, KMS_ENOMEM, &err);
        return;
    }
    renew->job.way = recipe_way(&lease.recipe);
    if (request_submit(request, &renew->job, true, REQUEST_DEADLINE_MS) != 0)
        renew_free(renew);
}
