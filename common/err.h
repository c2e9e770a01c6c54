/* SPDX-License-Identifier: Apache-2.0 */
/* Error values and error texts.
 *
 * Every fallible function returns 0 or one of the negative KMS_E… values below; the origin of a failure
 * fills a `struct err`, callers add one clause with err_context(). A struct err never holds a secret.
 * Libc only; usable from every thread (no shared state).
 */
#ifndef KMS_COMMON_ERR_H
#define KMS_COMMON_ERR_H

#include <stdint.h>

/* The closed list of codes; see KMS_ERROR rows in ops.def for their wire names. */
enum kms_error {
    KMS_OK = 0,
#define KMS_ERROR(name, value, wire, text) KMS_E##name = (value),
#include "common/ops.def"
};

#define ERR_MESSAGE_MAX 640
#define ERR_HINT_MAX 256

/* What went wrong, for a person and for the wire. All strings NUL-terminated, possibly empty. */
struct err {
    int code;                       /* KMS_E…, 0 while nothing failed */
    char message[ERR_MESSAGE_MAX];  /* one sentence: what is wrong and where */
    char hint[ERR_HINT_MAX];        /* what to do about it */
    char aws_action[64];            /* AWS action that failed, "CreateUser" */
    char aws_code[128];             /* AWS error code, "AccessDenied" */
    char aws_request_id[80];        /* AWS request id */
    uint32_t retry_after_ms;        /* when to try again, 0 = unknown */
};

#define KMS_PRINTF(a, b) __attribute__((format(printf, a, b)))
#define KMS_MUST_CHECK __attribute__((warn_unused_result))

/* Makes err say nothing (err may be NULL in all functions here). */
void err_clear(struct err *err);
/* Sets code and message (cut to fit, other fields cleared); returns code. */
int err_set(struct err *err, int code, const char *format, ...) KMS_PRINTF(3, 4);
/* Puts "CLAUSE: " in front of the message; returns err->code. */
int err_context(struct err *err, const char *format, ...) KMS_PRINTF(2, 3);
/* Sets the hint; returns err->code. */
int err_hint(struct err *err, const char *format, ...) KMS_PRINTF(2, 3);
/* Wire name of a code ("not_allowed"), never NULL; "internal" for unknown values. */
const char *err_name(int code);
/* Code of a wire name, KMS_EINTERNAL if unknown. */
int err_code(const char *wire_name);

#endif
