/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to the agent and calls on it, one at a time. Libc only, no allocation: a struct call is
 * a megabyte and meant to be static. Every wait is bounded. One thread per struct. Source: PROTOCOL.md.
 */
#ifndef KMS_CLIENT_CALL_H
#define KMS_CLIENT_CALL_H

#include "common/err.h"
#include "common/mp.h"
#include "common/proto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CALL_CONNECT_MS 5000  /* for the agent to accept */
#define CALL_ANSWER_MS 75000  /* for an answer: the agent gives up after 60 s and says why */
#define CALL_PARAMS_MAX 15    /* parameters of one request */

struct call {
    int fd;                  /* -1 while closed; CLOEXEC and ≥ 10 */
    uint32_t id;             /* message id of the last request */
    struct mp_writer writer; /* of the request being built */
    size_t params_at;        /* offset of the map head of the parameters */
    unsigned params;
    size_t answer_len;
    uint8_t request[PROTO_REQUEST_MAX];
    uint8_t answer[PROTO_ANSWER_MAX];
};

/* Path of the socket: the option if given, else $KMS_AGENT_SOCKET if not empty, else the default. */
const char *call_socket_path(const char *option);

/* Connects; tries again for wait_ms while nobody listens. 0, KMS_ECONNECT or KMS_EUSAGE. */
int call_open(struct call *call, const char *path, int64_t wait_ms, struct err *err) KMS_MUST_CHECK;
/* Closes and wipes requests and answers; fine on a closed call. */
void call_close(struct call *call);

/* Starts a request; then the parameters, at most CALL_PARAMS_MAX; a NULL text is left out. */
void call_begin(struct call *call, enum kms_method method);
void call_put_text(struct call *call, const char *name, const char *value);
void call_put_uint(struct call *call, const char *name, uint64_t value);
void call_put_bool(struct call *call, const char *name, bool value);

/* Sends the request and waits for its answer. On 0 *ret_result is the result, inside call->answer and
 * valid until the next call. KMS_ECONNECT: no (whole) answer came; else the agent's own error, with its
 * message, hint and AWS fields in err. */
int call_run(struct call *call, int64_t timeout_ms, struct mp_cursor *ret_result, struct err *err)
    KMS_MUST_CHECK;

#endif
