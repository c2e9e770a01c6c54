/* SPDX-License-Identifier: Apache-2.0 */
#include "client/report.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_SIZE 1536

static void write_line(char *line, size_t size)
{
    size_t len = strlen(line);

    for (size_t i = 0; i < len; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7F)
            line[i] = ' ';
    if (len > size - 2)
        len = size - 2;
    line[len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0)
        return; /* nowhere left to complain */
}

void report_error(const char *program, const struct err *err)
{
    if (err->hint[0])
        report_line(program, "%s (%s)", err->message, err->hint);
    else
        report_line(program, "%s", err->message);
}

void report_line(const char *program, const char *format, ...)
{
    char line[LINE_SIZE];
    size_t len;
    va_list args;

    snprintf(line, sizeof line, "%s: ", program);
    len = strlen(line);
    va_start(args, format);
    vsnprintf(line + len, sizeof line - len, format, args);
    va_end(args);
    write_line(line, sizeof line);
}

int report_output(const char *bytes, size_t len, struct err *err)
{
    signal(SIGPIPE, SIG_IGN);
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, bytes, len);

        if (n < 0 && errno != EINTR)
            return err_set(err, KMS_EINTERNAL, "cannot write to standard output: %s",
                           strerror(errno));
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        }
    }
    return 0;
}
