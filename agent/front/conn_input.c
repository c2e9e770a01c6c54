/* SPDX-License-Identifier: Apache-2.0 */
#include "front/conn_input.h"

#include "base/secret.h"
#include "common/proto.h"

#include <string.h>

#define SIZE_FIRST 2048
#define SIZE_MAX_BYTES ((size_t)PROTO_REQUEST_MAX)
#define ROOM_MAX 16384

void conn_input_init(struct conn_input *input)
{
    *input = (struct conn_input){0};
    mp_check_init(&input->check, &mp_request_limits);
}

/* Moves what is unread to the front; the checker's offsets are relative to it. */
static void compact(struct conn_input *input)
{
    size_t len = input->end - input->start;

    if (input->start == 0)
        return;
    memmove(input->bytes, input->bytes + input->start, len);
    secret_wipe(input->bytes + len, input->end - len);
    input->start = 0;
    input->end = len;
}

static int grow(struct conn_input *input)
{
    size_t size = input->size == 0 ? SIZE_FIRST : input->size * 2;
    uint8_t *bytes = wiping_realloc(input->bytes, size);

    if (bytes == NULL)
        return KMS_ENOMEM;
    input->bytes = bytes;
    input->size = size;
    return 0;
}

int conn_input_room(struct conn_input *input, size_t *ret_room)
{
    compact(input);
    if (input->end == SIZE_MAX_BYTES)
        return KMS_ETOOBIG;
    if (input->end == input->size && grow(input) != 0)
        return KMS_ENOMEM;
    *ret_room = input->size - input->end < ROOM_MAX ? input->size - input->end : ROOM_MAX;
    return 0;
}

void conn_input_added(struct conn_input *input, size_t n)
{
    input->end += n;
}

bool conn_input_empty(const struct conn_input *input)
{
    return input->start == input->end;
}

bool conn_input_foreign(const struct conn_input *input)
{
    return !conn_input_empty(input) && input->bytes[input->start] != PROTO_FIRST_BYTE;
}

enum mp_status conn_input_next(struct conn_input *input, const uint8_t **ret_message,
                               size_t *ret_len)
{
    enum mp_status status;

    if (conn_input_empty(input))
        return MP_MORE;
    status = mp_check_feed(&input->check, input->bytes + input->start, input->end - input->start);
    if (status == MP_DONE) {
        *ret_message = input->bytes + input->start;
        *ret_len = input->check.offset;
    }
    return status;
}

void conn_input_consume(struct conn_input *input)
{
    secret_wipe(input->bytes + input->start, input->check.offset);
    input->start += input->check.offset;
    if (conn_input_empty(input))
        input->start = input->end = 0;
    mp_check_init(&input->check, &mp_request_limits);
}

void conn_input_trim(struct conn_input *input)
{
    if (!conn_input_empty(input) || input->size <= SIZE_FIRST)
        return;
    wiping_free(input->bytes);
    input->bytes = NULL;
    input->start = input->end = input->size = 0;
}

void conn_input_done(struct conn_input *input)
{
    wiping_free(input->bytes);
    *input = (struct conn_input){0};
}
