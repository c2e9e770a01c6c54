/* SPDX-License-Identifier: Apache-2.0 */
/* The service's own state, private to service/. Loop thread. */
#ifndef KMS_AGENT_SERVICE_CONTEXT_H
#define KMS_AGENT_SERVICE_CONTEXT_H

#include "service/rate.h"
#include "service/room.h"
#include "service/service.h"

struct request;
struct root_round;
struct shared;

/* Requests of a connection slot. */
struct conn_requests {
    uint32_t generation;
    unsigned count;
    struct request *first;
};

/* How a secret's management identity did. */
struct identity {
    char secret[SECRET_NAME_MAX + 1];
    char identity[AWS_ARN_MAX + 1];
    char account[AWS_ACCOUNT_MAX + 1];
    bool ok;
    char error[256];
};

struct service {
    struct service_options options;
    struct config *config; /* referenced: today's */
    struct service_port port;
    struct conn_requests *conns; /* by slot */
    uint32_t conn_count;
    struct identity *identities;
    size_t identity_count;
    struct rate mints, denials, failures;
    struct room room; /* for long answers */
    struct reload *reload; /* running, or NULL */
    struct root_round *root_round;
    struct shared *shared; /* sessions handed out again */
    int64_t started_boot_ms, started_wall_ms;
    int64_t overdue_ms, overdue_until_ms; /* agent.status: what was read, and until when it is good (boot clock) */
};

#endif
