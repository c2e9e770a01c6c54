/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: a peer's bytes, as a connection treats them: collected in pieces, validated, decoded
 * by msgpack-c, checked as parameters of a method, and answered with an error. The first byte says
 * how the bytes arrive. */
#include "common/mp.h"
#include "common/proto.h"
#include "front/conn_input.h"
#include "service/ops.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static bool is_within(const char *p, size_t len, const uint8_t *message, size_t message_len)
{
    const uint8_t *q = (const uint8_t *)p;

    return q >= message && len <= message_len && q <= message + message_len - len;
}

static void answer(uint64_t msgid, const struct err *err)
{
    struct wire_writer writer = {0};
    struct mp_check check;

    wire_put_error(&writer, msgid, err);
    require(wire_end(&writer) == 0);
    mp_check_init(&check, &mp_answer_limits);
    require(mp_check_feed(&check, writer.bytes, writer.len) == MP_DONE);
    require(check.offset == writer.len && check.has_msgid && check.msgid == msgid);
    wire_done(&writer);
}

static void handle(const uint8_t *message, size_t len, const struct mp_check *check)
{
    struct wire_request request;
    struct params params;
    struct err err = {0};
    int method;

    if (wire_decode(message, len, &request, &err) != 0) {
        require(err.code == KMS_EINVALID);
        answer(request.msgid, &err);
        return;
    }
    require(check->has_msgid && check->msgid == request.msgid);
    require(is_within(request.method, request.method_len, message, len));
    require(request.count <= WIRE_VALUES_MAX);
    for (size_t i = 0; i < request.count; i++)
        require(is_within(request.values[i].name, request.values[i].name_len, message, len));
    method = proto_method_find(request.method, request.method_len);
    for (int i = method < 0 ? 0 : method; i < (method < 0 ? METHOD_COUNT : method + 1); i++) {
        err_clear(&err);
        if (params_parse(&request, ops[i].known, ops[i].required, &params, &err) != 0)
            answer(request.msgid, &err);
        else
            require(strlen(params.secret) <= SECRET_NAME_MAX && params.limit > 0 &&
                    params.limit <= PROTO_LIST_LIMIT_MAX);
    }
}

/* What whole messages and what end the bytes have; the same in whatever pieces they come. */
struct outcome {
    size_t messages, bytes;
    enum mp_status status;
};

static enum mp_status take_messages(struct conn_input *input, struct outcome *outcome)
{
    enum mp_status status = MP_MORE;
    const uint8_t *message;
    size_t len;

    while (!conn_input_empty(input) &&
           (status = conn_input_next(input, &message, &len)) == MP_DONE) {
        require(len <= PROTO_REQUEST_MAX);
        handle(message, len, &input->check);
        outcome->messages++;
        outcome->bytes += len;
        conn_input_consume(input);
    }
    return conn_input_empty(input) ? MP_MORE : status;
}

static struct outcome feed(const uint8_t *data, size_t size, size_t piece)
{
    struct outcome outcome = {.status = MP_MORE};
    struct conn_input input;

    conn_input_init(&input);
    for (size_t at = 0; at < size && outcome.status != MP_BAD;) {
        size_t room = 0, n = size - at < piece ? size - at : piece;

        if (conn_input_room(&input, &room) != 0) {
            require(input.end - input.start == PROTO_REQUEST_MAX);
            break;
        }
        n = n < room ? n : room;
        memcpy(input.bytes + input.end, data + at, n);
        conn_input_added(&input, n);
        at += n;
        outcome.status = take_messages(&input, &outcome);
        conn_input_trim(&input);
    }
    conn_input_done(&input);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole, pieces;

    if (size == 0 || size > 4 * PROTO_REQUEST_MAX)
        return 0;
    whole = feed(data + 1, size - 1, PROTO_REQUEST_MAX);
    pieces = feed(data + 1, size - 1, 1 + data[0] % 64u);
    require(whole.messages == pieces.messages && whole.bytes == pieces.bytes &&
            whole.status == pieces.status);
    return 0;
}
