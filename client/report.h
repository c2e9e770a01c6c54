/* SPDX-License-Identifier: Apache-2.0 */
/* One line on stderr about what went wrong. Libc only. */
#ifndef KMS_CLIENT_REPORT_H
#define KMS_CLIENT_REPORT_H

#include "common/err.h"

/* "PROGRAM: MESSAGE (HINT)", one write, control characters blanked. */
void report_error(const char *program, const struct err *err);
/* "PROGRAM: " and the text, the same way. */
void report_line(const char *program, const char *format, ...) KMS_PRINTF(2, 3);

#endif
