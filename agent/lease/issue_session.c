/* SPDX-License-Identifier: Apache-2.0 */
/* Minting a session: the STS call, one commit, the reply. A session lost before the commit ends by
 * itself. */
#include "lease/identity.h"
#include "lease/issue_private.h"
#include "lease/lease_txn.h"
#include "lease/session_mint.h"
#include "model/ttl.h"

#include <stdio.h>
#include <string.h>

#define STS_LIMIT_MS 20000

/* STS's own Expiration is what counts: the lease ends with the session at the latest, and where no
 * dated policy ends the session it does not end before (a retried call made a later one). */
static void take_session(struct issue *issue)
{
    struct lease *lease = &issue->lease;

    snprintf(lease->access_key_id, sizeof lease->access_key_id, "%s",
             issue->credential.access_key_id);
    lease->credential_expires_ms = issue->credential.expires_ms;
    if (lease->credential_expires_ms != 0 &&
        (!issue->ttl.dated_policy || lease->credential_expires_ms < lease->expires_ms))
        lease->expires_ms = lease->credential_expires_ms;
    if (arn_account(lease->arn, lease->account_id) != 0)
        snprintf(lease->account_id, sizeof lease->account_id, "%s",
                 issue->progress->access.credential.account_id);
    lease->ready = true; /* sessions are usable at once */
}

/* The lease says what AWS was ready to give. */
static void take_lowered(struct issue *issue, const struct session_mint *mint)
{
    struct lease *lease = &issue->lease;

    if (mint->lowered[0] == '\0')
        return;
    issue->ttl.sts_s = mint->sts_s;
    lease->granted_ttl_s = issue->ttl.granted_s = mint->sts_s;
    lease->expires_ms = lease->created_ms + lease->granted_ttl_s * 1000;
    snprintf(lease->clamp_reason, sizeof lease->clamp_reason, "%s", mint->lowered);
}

static int step_mint(struct issue *issue, struct lease_worker *worker, struct err *err)
{
    struct issue_progress *p = issue->progress;
    struct lease *lease = &issue->lease;
    struct session_mint mint = {
        .env = issue->env,
        .secret = issue->secret,
        .lease = lease,
        .sts_s = issue->ttl.sts_s,
        .dated_policy = issue->ttl.dated_policy,
    };
    int rc;

    /* Tries may lie far apart, and AWS's time may have become known in between: the host's clock
     * would put the end of the dated policy anywhere. */
    issue_count_from_now(issue);
    p->called = true;
    p->access.target.http = worker->http;
    rc = session_mint(&mint, &p->access, &issue->credential, lease->arn, &p->result, err);
    aws_access_note_call(&p->result, &issue->call);
    if (rc == 0) {
        take_lowered(issue, &mint);
        take_session(issue);
    }
    return rc;
}

/* GetSessionToken's answer names neither account nor user; the management identity is both. */
static int step_identify(struct issue *issue, struct lease_worker *worker, struct err *err)
{
    struct issue_progress *p = issue->progress;
    struct lease *lease = &issue->lease;
    struct aws_target target = p->access.target;
    struct sts_identity identity;

    if (lease->recipe.method != SECRET_ACCESS_KEY)
        return 0;
    target.http = worker->http;
    if (identity_of(issue->env, &target, &identity, err) == 0) {
        snprintf(lease->arn, sizeof lease->arn, "%s", identity.arn);
        snprintf(lease->account_id, sizeof lease->account_id, "%s", identity.account_id);
    }
    err_clear(err); /* the session is good without its name */
    return 0;
}

static int step_grant_session(struct issue *issue, struct lease_worker *worker, struct err *err)
{
    struct lease_caps caps = {
        .per_secret = issue->secret->max_leases,
        .per_uid = issue->config->agent.max_leases_per_uid,
    };
    int rc = lease_txn_grant_session(issue->env, &issue->lease, &caps, &issue->call, err);

    (void)worker;
    if (rc == 0) {
        issue->lease.state = LEASE_ACTIVE;
        issue->progress->granted = true;
    }
    return rc;
}

#define NO_BUDGET AWS_STS, BUDGET_CLASS_COUNT, false

const struct issue_step issue_session_steps[] = {
    {"prepare", issue_prepare, NULL, 0, 0, NO_BUDGET, NULL},
    {"mint-session", step_mint, NULL, RETRY_TRANSIENT, STS_LIMIT_MS, AWS_STS, BUDGET_MINT, false,
     "could not get a session"},
    {"identify", step_identify, NULL, 0, 0, NO_BUDGET, "could not find out whose the session is"},
    {"record-grant", step_grant_session, NULL, 0, 0, NO_BUDGET, NULL},
};
const size_t issue_session_step_count = sizeof issue_session_steps / sizeof issue_session_steps[0];
