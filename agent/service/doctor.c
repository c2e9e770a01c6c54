/* SPDX-License-Identifier: Apache-2.0 */
#include "service/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const level_names[] = {
    [DOCTOR_OK] = "ok", [DOCTOR_INFO] = "info", [DOCTOR_WARN] = "warn", [DOCTOR_FAIL] = "fail"};

void doctor_say(struct doctor_lines *lines, enum doctor_level level, const char *what,
                const char *secret, const char *format, ...)
{
    struct doctor_line line = {.level = level, .what = what}, *grown;
    va_list args;
    int n;

    lines->failed |= level == DOCTOR_FAIL;
    grown = lines->count < DOCTOR_LINES_MAX
                ? reallocarray(lines->items, lines->count + 1, sizeof(*grown))
                : NULL;
    if (grown == NULL) {
        lines->dropped = true;
        return;
    }
    lines->items = grown;
    va_start(args, format);
    n = vasprintf(&line.text, format, args);
    va_end(args);
    if (n < 0) {
        lines->dropped = true;
        return;
    }
    if (secret != NULL)
        snprintf(line.secret, sizeof(line.secret), "%s", secret);
    lines->items[lines->count++] = line;
}

static void put_line(struct wire_writer *writer, enum doctor_level level, const char *what,
                     const char *secret, const char *text)
{
    wire_open_map(writer, NULL);
    wire_put_str(writer, "level", level_names[level]);
    wire_put_str(writer, "what", what);
    wire_put_opt(writer, "secret", secret);
    wire_put_str(writer, "text", text);
    wire_close(writer);
}

void doctor_put(struct wire_writer *writer, const struct doctor_lines *lines)
{
    wire_open_map(writer, NULL);
    wire_put_bool(writer, "ok", !lines->failed);
    wire_open_array(writer, "lines");
    for (size_t i = 0; i < lines->count; i++) {
        const struct doctor_line *line = &lines->items[i];

        put_line(writer, line->level, line->what, line->secret, line->text);
    }
    if (lines->dropped)
        put_line(writer, DOCTOR_WARN, "doctor", NULL,
                 "there is more to tell than one answer holds: name a secret");
    wire_close(writer);
    wire_close(writer);
}

void doctor_lines_done(struct doctor_lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        free(lines->items[i].text);
    free(lines->items);
    *lines = (struct doctor_lines){0};
}
