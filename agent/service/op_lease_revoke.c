/* SPDX-License-Identifier: Apache-2.0 */
#include "base/message_ids.h"
#include "lease/lease_journal.h"
#include "lease/revoke.h"
#include "service/access.h"
#include "service/answer.h"
#include "service/ops.h"
#include "service/shared.h"

static void answer(struct request *request, const struct lease *lease)
{
    struct wire_writer writer = {0};

    wire_begin_result(&writer, request->msgid);
    wire_open_map(&writer, NULL);
    answer_put_revoked(&writer, lease);
    request_answer(request, &writer, NULL, NULL);
}

static void on_finished(struct revoke *revoke, void *arg)
{
    struct request *request = arg;
    struct err err = revoke->err;

    if (revoke->job.rc == 0) {
        lease_journal(LOG_LEVEL_NOTICE, MESSAGE_ID_REVOKED, &revoke->actor, NULL, &revoke->lease,
                      &revoke->lease.ended_by, "lease revoked on request");
        answer(request, &revoke->lease);
    } else {
        if (err.hint[0] == '\0' && revoke->lease.state == LEASE_REVOKING)
            err_hint(&err, "the lease is being revoked, the agent goes on trying");
        request_fail(request, revoke->job.rc, &err);
    }
    revoke_free(revoke);
}

/* Not canceled when the connection goes: what was asked to die shall die. */
static void revoke_one(struct request *request)
{
    struct lease_owner actor;
    struct lease lease;
    struct revoke *revoke;
    struct err err = {0};
    bool own;

    if (access_lease(request, true, &lease, &own) != 0)
        return;
    if (lease.state == LEASE_REVOKED) {
        answer(request, &lease);
        return;
    }
    access_owner(request->peer, NULL, &actor);
    shared_revoked(request->service->shared, &lease.id);
    revoke = revoke_new(request->service->options.env, &lease.id,
                        own ? REVOKE_CLIENT : REVOKE_ADMIN, &actor, on_finished, request);
    if (revoke == NULL) {
        err_set(&err, KMS_ENOMEM, "out of memory");
        request_fail(request, KMS_ENOMEM, &err);
        return;
    }
    if (request_submit(request, &revoke->job, false, REQUEST_DEADLINE_MS) != 0)
        revoke_free(revoke);
}

void op_lease_revoke(struct request *request)
{
    uint32_t given = request->params.given;
    struct err err = {0};

    if (given == PARAM_BIT(PARAM_LEASE_ID)) {
        revoke_one(request);
    } else if (given == (PARAM_BIT(PARAM_SECRET) | PARAM_BIT(PARAM_ALL)) && request->params.all) {
        op_revoke_all(request);
    } else {
        err_set(&err, KMS_EINVALID, "give either lease_id, or secret and all = true");
        request_fail(request, KMS_EINVALID, &err);
    }
}
