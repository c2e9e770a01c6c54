/* SPDX-License-Identifier: Apache-2.0 */
/* The stages of revoking, between revoke.c (begin, judge, record) and revoke_cleanup.c (phase two).
 * Worker threads. */
#ifndef KMS_AGENT_LEASE_REVOKE_PRIVATE_H
#define KMS_AGENT_LEASE_REVOKE_PRIVATE_H

#include "aws/iam_list.h"
#include "lease/aws_access.h"
#include "lease/revoke.h"

/* What phase two is doing; kept while the job waits for its budget. */
struct cleanup {
    size_t row;     /* of the cleanup table */
    unsigned round; /* passes after a DeleteConflict */
    bool listed;    /* names are those of the current row */
    char marker[321];
    struct iam_names names;
    bool fence_down; /* DeleteUser failed after the fence was deleted */
    bool begun, pause;
    bool deactivated; /* the MFA device at item: it remains to be deleted */
    unsigned mfa_tries;
    size_t item;
};

/* A failure that is kept while something else is asked or done. */
struct revoke_failure {
    bool kept;
    int rc;
    struct aws_result result;
    struct err err;
};

struct revoke_progress {
    struct aws_access access;
    struct aws_result result; /* of the last call */
    struct cleanup cleanup;
    struct retry retry; /* of a call that AWS throttled, in place */
    int64_t retry_limit_ms;
    struct recipe *stand_in; /* with today's credentials; NULL: the lease's own recipe is used */
    struct err frozen_err;   /* how the lease's own credentials failed */
    bool account_asked;      /* STS was asked whose today's credentials are */
    bool explained;          /* err says what is missing */
    struct revoke_failure denial;  /* its meaning is being found out */
    struct revoke_failure failure; /* of DeleteUser; the fence goes back up */
    struct way_visit visit;        /* of IAM's endpoint, during a run */
    int64_t call_began_ms;         /* boot clock: not before the last call's beginning */
    bool no_source;                /* the management credential was not to be had: no answer */
    bool sent_away;                /* IAM's endpoint is silent and another revocation asks it */
    bool begun;                    /* REVOKING is durable, lease is the record */
    bool verified;                 /* the user of that name is ours */
    bool ended;                    /* the key died in this job */
};

/* Outcomes of a stage beside 0 and errors. */
enum { STAGE_GONE = 1, STAGE_ABSENT = 2 };

/* Opens access with the management credentials of the lease's recipe, or those that stand in. 0, or
 * why there are none. */
int revoke_open(struct revoke *revoke, struct lease_worker *worker) KMS_MUST_CHECK;
/* After a failure that was judged: KMS_EAGAIN to go on with today's credentials of the secret; else
 * a negative KMS_E…, revoke->err with what is missing. */
int revoke_source_failed(struct revoke *revoke, int rc);
/* One call's worth of budget; KMS_EAGAIN with wake_ms set. */
int revoke_take(struct revoke *revoke) KMS_MUST_CHECK;
/* GetUser, unless this job, or this process moments ago, saw the user: 0 ours, STAGE_ABSENT no such
 * user, STAGE_GONE the name is a stranger's, or an error. */
int revoke_verify(struct revoke *revoke, struct err *err) KMS_MUST_CHECK;
/* What was seen of the user holds no more: the next revoke_verify() asks. */
void revoke_doubt(struct revoke *revoke);
/* Deny everything in place of the fence. */
int revoke_deny_now(struct revoke *revoke, struct err *err) KMS_MUST_CHECK;
/* Phase two: 0 never, STAGE_GONE DeleteUser said 200, STAGE_ABSENT, KMS_EAGAIN, or an error. */
int revoke_cleanup(struct revoke *revoke, struct err *err) KMS_MUST_CHECK;
/* Onto the way to IAM: 0, or KMS_EAWSDOWN: it is silent and another revocation asks it. */
int revoke_enter_way(struct revoke *revoke, struct err *err) KMS_MUST_CHECK;
/* Off it with what the last call showed. Fine when it was not entered. */
void revoke_leave_way(struct revoke *revoke, int rc);
/* Between two calls: an answer to the last one is news at once, the clean-up of which it was a part
 * may take long. */
void revoke_note_call(struct revoke *revoke);
/* The lease's management credential was not to be had: no answer. */
void revoke_note_no_source(struct revoke *revoke);
/* The key is dead; what is left is clean-up, or nothing. */
bool revoke_is_over(const struct lease *lease);
/* After a stage that went well: gone, or on to the next one. A client hears now; phase two waits
 * its turn. */
int revoke_after_stage(struct revoke *revoke, int outcome) KMS_MUST_CHECK;
/* A stage waits: KMS_EAGAIN; past the job's deadline KMS_ETIMEOUT: who asked hears now, and the due
 * index brings the rest. */
int revoke_wait(struct revoke *revoke);
/* Records a failed attempt (rc) and returns it: transient ones come back within 60 s for ever,
 * permanent ones go to the slow lane. */
int revoke_failed(struct revoke *revoke, int rc);

#endif
