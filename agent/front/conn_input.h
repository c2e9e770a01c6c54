/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that came in and the message being checked in them. No descriptor is touched here. Loop thread. */
#ifndef KMS_AGENT_FRONT_CONN_INPUT_H
#define KMS_AGENT_FRONT_CONN_INPUT_H

#include "common/err.h"
#include "common/mp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn_input {
    uint8_t *bytes;
    size_t start, end, size; /* unread: bytes[start .. end) */
    struct mp_check check;
};

void conn_input_init(struct conn_input *input);
/* Room for more bytes at bytes + end: at least one, at most 16 KiB; *ret_room of them. KMS_ENOMEM; KMS_ETOOBIG when a
 * whole message of the largest size is there already. */
int conn_input_room(struct conn_input *input, size_t *ret_room) KMS_MUST_CHECK;
/* n bytes were put there. */
void conn_input_added(struct conn_input *input, size_t n);
bool conn_input_empty(const struct conn_input *input);
/* The first unread byte cannot begin a request. */
bool conn_input_foreign(const struct conn_input *input);
/* Checks on; MP_DONE: *ret_message and *ret_len, valid until the next call that changes input. */
enum mp_status conn_input_next(struct conn_input *input, const uint8_t **ret_message, size_t *ret_len);
/* Wipes the message that conn_input_next() gave and starts on the next. */
void conn_input_consume(struct conn_input *input);
/* Frees what an idle connection does not need. */
void conn_input_trim(struct conn_input *input);
void conn_input_done(struct conn_input *input);

#endif
