/* SPDX-License-Identifier: Apache-2.0 */
/* One line on stderr about what went wrong. Libc only. */
#ifndef KMS_CLIENT_REPORT_H
#define KMS_CLIENT_REPORT_H

#include "common/err.h"

#include <stddef.h>

/* "PROGRAM: MESSAGE (HINT)", one write, control characters blanked. */
void report_error(const char *program, const struct err *err);
/* "PROGRAM: " and the text, the same way. */
void report_line(const char *program, const char *format, ...) KMS_PRINTF(2, 3);

/* Writes all of it to standard output. A reader that went away is an error like others (SIGPIPE is ignored from here
 * on): a lease must not outlive it unseen. Not for a process that executes a command afterwards. */
int report_output(const char *bytes, size_t len, struct err *err) KMS_MUST_CHECK;

#endif
