/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread_role.h"
#include "service/access.h"
#include "service/ops.h"
#include "service/text.h"

#include <stdio.h>
#include <string.h>

static int unknown_method(const struct wire_request *wire, struct err *err)
{
    char quote[TEXT_QUOTE_SIZE];

    text_quote(wire->method, wire->method_len, quote);
    err_set(err, KMS_EMETHOD, "there is no method \"%s\"", quote);
    return err_hint(err, "the methods are lease.*, secret.*, audit.* and agent.*, see PROTOCOL.md");
}

static int busy(struct err *err)
{
    err_set(err, KMS_EBUSY, "%d requests of this connection are in flight", PROTO_IN_FLIGHT_MAX);
    err->retry_after_ms = 100;
    return err->code;
}

/* All that can be said without looking at who asks; the method in *ret_method. */
static int decode(struct service *service, struct conn_ref conn, const uint8_t *message, size_t len,
                  struct wire_request *wire, struct params *ret, int *ret_method, struct err *err)
{
    int rc = wire_decode(message, len, wire, err);

    if (rc != 0)
        return rc;
    if (service_in_flight(service, conn) >= PROTO_IN_FLIGHT_MAX)
        return busy(err);
    *ret_method = proto_method_find(wire->method, wire->method_len);
    if (*ret_method < 0)
        return unknown_method(wire, err);
    return params_parse(wire, ops[*ret_method].known, ops[*ret_method].required, ret, err);
}

/* Whether the peer may call the method at all; if not, the request was answered. */
static bool is_admitted(struct request *request, enum kms_method method)
{
    enum kms_access access = proto_method_access(method);

    if (access == ACCESS_ANY)
        return true;
    if (!access_is_known(request->peer)) {
        access_deny_nobody(request);
        return false;
    }
    if (access != ACCESS_ADMIN || access_is_admin(request->config, request->peer))
        return true;
    access_deny_method(request, proto_method_name(method));
    return false;
}

/* Lists: an answer is a page of many rows. */
static bool is_long(enum kms_method method)
{
    return method == METHOD_LEASE_LIST || method == METHOD_AUDIT_LIST ||
           method == METHOD_SECRET_LIST;
}

void service_handle(struct service *service, struct conn_ref conn, struct peer *peer,
                    const uint8_t *message, size_t len)
{
    struct wire_request wire;
    struct request *request;
    struct params params;
    struct err err = {0};
    int method;

    ASSERT_ON_LOOP();
    if (decode(service, conn, message, len, &wire, &params, &method, &err) != 0) {
        request_refuse(service, conn, wire.msgid, &err);
        return;
    }
    request = request_new(service, conn, wire.msgid, peer);
    if (request == NULL) {
        err_set(&err, KMS_ENOMEM, "out of memory");
        request_refuse(service, conn, wire.msgid, &err);
        return;
    }
    request->params = params;
    if (!is_admitted(request, (enum kms_method)method))
        return;
    if (is_long((enum kms_method)method) && request_keep_room(request) != 0)
        return;
    ops[method].run(request);
}
