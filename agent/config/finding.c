/* SPDX-License-Identifier: Apache-2.0 */
#include "config/finding.h"

#include <stdarg.h>
#include <stdio.h>

void finding_add(struct findings *findings, const char *file, int line, const char *format, ...)
{
    char text[FINDING_MAX];
    int length;
    va_list args;

    if (line > 0)
        length = snprintf(text, sizeof(text), "%s:%d: ", file, line);
    else
        length = snprintf(text, sizeof(text), "%s: ", file);
    if (length > 0 && (size_t)length < sizeof(text)) {
        va_start(args, format);
        vsnprintf(text + length, sizeof(text) - (size_t)length, format, args);
        va_end(args);
    }
    findings->count++;
    if (findings->report != NULL)
        findings->report(text, findings->arg);
}
