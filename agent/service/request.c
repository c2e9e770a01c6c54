/* SPDX-License-Identifier: Apache-2.0 */
#include "service/request.h"

#include "base/clock.h"
#include "base/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct conn_requests *conn_of(struct service *service, struct conn_ref conn)
{
    struct conn_requests *conns;

    if (conn.slot >= service->conn_count) {
        uint32_t count = (conn.slot + 64) & ~UINT32_C(63);

        conns = reallocarray(service->conns, count, sizeof *conns);
        if (conns == NULL)
            return NULL;
        for (uint32_t i = service->conn_count; i < count; i++)
            conns[i] = (struct conn_requests){0};
        service->conns = conns;
        service->conn_count = count;
        /* The lists' heads have moved. */
        for (uint32_t i = 0; i < count; i++)
            if (conns[i].first != NULL)
                conns[i].first->pprev = &conns[i].first;
    }
    return &service->conns[conn.slot];
}

static void link_to(struct conn_requests *requests, struct request *request)
{
    requests->generation = request->conn.generation;
    requests->count++;
    request->next = requests->first;
    request->pprev = &requests->first;
    if (request->next != NULL)
        request->next->pprev = &request->next;
    requests->first = request;
}

static void unlink_from_conn(struct request *request)
{
    if (request->pprev == NULL)
        return;
    *request->pprev = request->next;
    if (request->next != NULL)
        request->next->pprev = request->pprev;
    request->pprev = NULL;
    request->service->conns[request->conn.slot].count--;
}

struct request *request_new(struct service *service, struct conn_ref conn, uint64_t msgid,
                            struct peer *peer)
{
    struct conn_requests *requests = conn_of(service, conn);
    struct request *request = requests != NULL ? calloc(1, sizeof *request) : NULL;

    if (request == NULL)
        return NULL;
    request->service = service;
    request->conn = conn;
    request->msgid = msgid;
    request->peer = peer;
    request->uid = peer->uid;
    request->config = config_ref(service->config);
    request->pidfd = -1;
    link_to(requests, request);
    return request;
}

int request_keep_pidfd(struct request *request, struct err *err)
{
    const struct peer *peer = request->peer;
    int error = peer->pidfd_error;

    if (peer->pidfd >= 0) {
        if (!descriptors_take_bound())
            return descriptors_refuse(err);
        request->pidfd = fcntl(peer->pidfd, F_DUPFD_CLOEXEC, 10);
        if (request->pidfd >= 0)
            return 0;
        error = errno;
        descriptors_give_bound();
    }
    if (error == EMFILE || error == ENFILE)
        return descriptors_refuse(err);
    if (peer->pidfd >= 0)
        return err_set(err, KMS_EINTERNAL, "the lease cannot be bound: %s", strerror(error));
    err_set(err, KMS_EINVALID, "the lease cannot be bound: the process is not known");
    return err_hint(err, "it has exited, or the kernel has no pidfds; ask without bind");
}

int request_take_pidfd(struct request *request)
{
    int pidfd = request->pidfd;

    if (pidfd >= 0)
        descriptors_give_bound();
    request->pidfd = -1;
    return pidfd;
}

static void request_free(struct request *request)
{
    unlink_from_conn(request);
    if (request->in_room)
        room_give(&request->service->room, request->uid);
    if (request->pidfd >= 0)
        close(request_take_pidfd(request));
    config_unref(request->config);
    free(request);
}

int request_keep_room(struct request *request)
{
    const struct service_port *port = &request->service->port;
    size_t unread = port->unread != NULL ? port->unread(port->front, request->uid) : 0;
    struct err err = {0};
    int rc = room_take(&request->service->room, request->uid, unread, &err);

    if (rc != 0)
        request_fail(request, rc, &err);
    else
        request->in_room = true;
    return rc;
}

int request_try_submit(struct request *request, struct job *job, bool cancelable,
                       int64_t deadline_ms, struct err *err)
{
    int rc;

    job->deadline_ms = clock_boot_ms() + deadline_ms;
    request->job = cancelable ? job : NULL;
    rc = schedule_submit(request->service->options.schedule, job);
    if (rc == 0)
        return 0;
    request->job = NULL;
    err_set(err, rc,
            rc == KMS_ESTOPPING ? "the agent is stopping" : "the agent has too much to do");
    err->retry_after_ms = rc == KMS_EBUSY ? 1000 : 0;
    return rc;
}

int request_submit(struct request *request, struct job *job, bool cancelable, int64_t deadline_ms)
{
    struct err err = {0};
    int rc = request_try_submit(request, job, cancelable, deadline_ms, &err);

    if (rc != 0)
        request_fail(request, rc, &err);
    return rc;
}

/* Out of the count of what is in flight first: front/ looks at it when it gets the answer. */
static bool send_answer(struct request *request, struct wire_writer *writer,
                        void (*written)(bool ok, void *arg), void *arg)
{
    struct service_port *port = &request->service->port;

    unlink_from_conn(request);
    if (request->gone || port->reply == NULL) {
        if (written != NULL)
            written(false, arg);
        return false;
    }
    return port->reply(port->front, request->conn, writer->bytes, writer->len, written, arg);
}

void request_answer(struct request *request, struct wire_writer *writer,
                    void (*written)(bool ok, void *arg), void *arg)
{
    struct err err = {0};
    int rc = wire_end(writer);

    if (rc == 0) {
        (void)send_answer(request, writer, written, arg);
        wire_done(writer);
        request_free(request);
        return;
    }
    wire_done(writer);
    if (written != NULL)
        written(false, arg);
    err_set(&err, rc, rc == KMS_ENOMEM ? "out of memory" : "the answer could not be encoded");
    request_fail(request, rc, &err);
}

/* Codes of the agent's inside are no words for peers. */
static void make_public(int rc, struct err *err)
{
    if (err->code == 0)
        err_set(err, rc, "%s", "the request failed");
    if (err->code == KMS_ECANCELED)
        err_set(err, KMS_ESTOPPING, "the agent is stopping");
    else if (err->code == KMS_EREFUSED)
        err->code = KMS_EENDED;
    else if (err->code == KMS_EAGAIN)
        err->code = KMS_EBUSY;
}

void request_fail(struct request *request, int rc, const struct err *err)
{
    struct wire_writer writer = {0};
    struct err public = *err;

    make_public(rc, &public);
    wire_put_error(&writer, request->msgid, &public);
    if (wire_end(&writer) == 0)
        (void)send_answer(request, &writer, NULL, NULL);
    wire_done(&writer);
    request_free(request);
}

void request_abandon(struct request *request)
{
    unlink_from_conn(request);
    request->gone = true;
    request->peer = NULL;
    if (request->job != NULL)
        schedule_cancel(request->service->options.schedule, request->job);
}

void request_refuse(struct service *service, struct conn_ref conn, uint64_t msgid,
                    const struct err *err)
{
    struct wire_writer writer = {0};

    wire_put_error(&writer, msgid, err);
    if (wire_end(&writer) == 0 && service->port.reply != NULL)
        (void)service->port.reply(service->port.front, conn, writer.bytes, writer.len, NULL, NULL);
    wire_done(&writer);
}
