/* SPDX-License-Identifier: Apache-2.0 */
/* Moving the fence of an IAM user: forward for a renewal, and to where the lease ends when that
 * came to nothing, in this process or in one that died of it. */
#include "aws/iam_user.h"
#include "base/clock.h"
#include "common/log.h"
#include "lease/lease_txn.h"
#include "lease/renew_private.h"
#include "model/fence.h"

#include <stdlib.h>

#define AGAIN_BASE_MS 10000
#define AGAIN_CAP_MS 60000

static int put_fence(struct renew *renew, struct aws_result *result)
{
    const struct lease *lease = &renew->lease;
    const struct secret_config *secret = renew->progress->secret;
    bool deny_role_hop =
        lease->recipe.deny_role_hop || (secret != NULL && secret->recipe.deny_role_hop);
    char *document = NULL;
    int rc = fence_user_document(lease->arn, renew->new_expires_ms, deny_role_hop, &document);

    if (rc != 0)
        return err_set(&renew->err, rc, "no memory for the fence");
    rc = iam_put_user_policy(&renew->progress->access.target, lease->user_name, FENCE_POLICY_NAME,
                             document, result, &renew->err);
    free(document);
    return rc;
}

int renew_move_fence(struct renew *renew, struct aws_result *result)
{
    struct renew_progress *p = renew->progress;
    int rc;

    if (!p->raised) {
        rc = lease_txn_raise_fence(renew->env, &renew->job.lease_id, renew->new_expires_ms,
                                   &renew->err);
        if (rc != 0)
            return rc;
        p->raised = true;
    }
    rc = put_fence(renew, result);
    p->unclear = p->unclear || rc == 0 || result->maybe_applied;
    return rc;
}

void renew_lower_fence(struct renew *renew)
{
    if (renew->progress->raised)
        lease_txn_post_lower_fence(renew->env, &renew->job.lease_id, !renew->progress->unclear);
}

static int settle_begin(struct renew *renew)
{
    int rc = store_read(renew->env->store, &renew->job.lease_id, &renew->lease, &renew->err);

    if (rc != 0)
        return rc;
    renew->progress->secret = config_secret(renew->config, renew->lease.secret);
    renew->new_expires_ms = renew->lease.expires_ms;
    return 0;
}

static int settle_call(struct renew *renew, struct lease_worker *worker)
{
    struct aws_access *access = &renew->progress->access;
    struct aws_result result = {0};
    int rc = aws_access_open(access, renew->env, worker, &renew->lease.recipe, SOURCE_IAM,
                             &renew->job, &renew->err);

    if (rc == 0)
        rc = aws_access_take(access, renew->env, AWS_IAM, BUDGET_REVOKE, &renew->job);
    if (rc == 0)
        rc = put_fence(renew, &result);
    if (rc == 0 || rc == KMS_EAGAIN)
        return rc;
    return aws_access_judge(access, renew->env, AWS_IAM, 0, &result, &renew->progress->retry, 0,
                            &renew->job, rc);
}

int renew_settle_fence(struct renew *renew, struct lease_worker *worker)
{
    struct lease *lease = &renew->lease;
    int64_t put_ms = clock_aws_ms();
    int rc = settle_begin(renew);

    if (rc != 0)
        return rc;
    if (lease->state != LEASE_ACTIVE || lease->fence_ms == 0 || lease->expires_ms <= put_ms)
        return 0; /* the revocation needs no fence any more */
    rc = settle_call(renew, worker);
    if (rc == KMS_EAGAIN)
        return rc;
    aws_access_done(&renew->progress->access);
    if (rc != 0)
        log_warning("secret \"%s\", user %s: a renewal that came to nothing may have moved the "
                    "fence, and it cannot be put back yet: %s",
                    lease->secret, lease->user_name, renew->err.message);
    return lease_txn_settle_fence(renew->env, lease, rc == 0 ? put_ms : 0,
                                  clock_aws_ms() + retry_wait_ms(3, AGAIN_BASE_MS, AGAIN_CAP_MS),
                                  &renew->err);
}
