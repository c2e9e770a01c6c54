/* SPDX-License-Identifier: Apache-2.0 */
/* A request from dispatch to its one answer. Loop thread; workers get at it only through the answer they encode. */
#ifndef KMS_AGENT_SERVICE_REQUEST_H
#define KMS_AGENT_SERVICE_REQUEST_H

#include "job/job.h"
#include "service/context.h"
#include "service/params.h"
#include "service/wire.h"

#define REQUEST_DEADLINE_MS 50000 /* clients wait 75 s: the agent's own sentence comes first */
#define REQUEST_ISSUE_DEADLINE_MS 60000

struct request {
    struct service *service;
    struct conn_ref conn;
    uint64_t msgid;
    struct request *next, **pprev; /* among those of its connection, while that is there */
    struct peer *peer;             /* the connection's: only until the operation's function returns */
    struct params params;
    struct config *config; /* referenced: the configuration that the request is judged by */
    struct job *job;       /* canceled when the connection goes; NULL: none, or it goes on regardless */
    bool gone;             /* nobody waits for the answer */
    bool in_room;          /* room for a long answer to uid is kept until the request is freed */
    uint32_t uid;
    int pidfd;             /* the peer's, when the lease is to be bound, counted in base/descriptors; else -1 */
};

/* NULL when out of memory. */
struct request *request_new(struct service *service, struct conn_ref conn, uint64_t msgid, struct peer *peer);
/* Keeps room for a long answer; KMS_EBUSY or KMS_ENOMEM: the request was answered. */
int request_keep_room(struct request *request) KMS_MUST_CHECK;
/* Keeps a pidfd of the peer for the time when the lease is there. 0; KMS_ELIMIT when there are no descriptors for one
 * more, KMS_EINVALID when the peer has none, KMS_EINTERNAL. While request->peer is there. */
int request_keep_pidfd(struct request *request, struct err *err) KMS_MUST_CHECK;
/* Gives it away, uncounted: the caller closes it or binds it; -1: none was kept. */
int request_take_pidfd(struct request *request);
/* As below, but a failure is only reported in err. */
int request_try_submit(struct request *request, struct job *job, bool cancelable, int64_t deadline_ms,
                       struct err *err) KMS_MUST_CHECK;
/* Sets job's deadline and hands it to the scheduler; cancelable: it dies with the connection. On failure the job stays
 * the caller's and the request is answered (and freed). */
int request_submit(struct request *request, struct job *job, bool cancelable, int64_t deadline_ms) KMS_MUST_CHECK;
/* Answers with what was written after wire_begin_result() and frees the request; wipes the writer. written (may be
 * NULL) runs once, false when the answer could not be made or nobody waits for it. */
void request_answer(struct request *request, struct wire_writer *writer, void (*written)(bool ok, void *arg), void *arg);
/* Answers with an error and frees the request. rc: the result when err says nothing. */
void request_fail(struct request *request, int rc, const struct err *err);
/* The connection is gone. */
void request_abandon(struct request *request);
/* An error for a message that has no struct request. */
void request_refuse(struct service *service, struct conn_ref conn, uint64_t msgid, const struct err *err);

#endif
