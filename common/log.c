/* SPDX-License-Identifier: Apache-2.0 */
#include "common/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOG_LINE_MAX 2048

static log_sink_fn *log_sink;
static void *log_sink_arg;
static atomic_int log_max_level = LOG_LEVEL_INFO;

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR:
        return "error";
    case LOG_LEVEL_WARNING:
        return "warning";
    case LOG_LEVEL_NOTICE:
        return "notice";
    case LOG_LEVEL_INFO:
        return "info";
    case LOG_LEVEL_DEBUG:
        break;
    }
    return "debug";
}

/* A peer's command line or an AWS answer must not be able to forge a line. */
static void blank_controls(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            *text = ' ';
}

/* One write per line, so that lines of several threads do not mix. */
static void stderr_sink(enum log_level level, const char *message, const struct log_field *fields,
                        size_t count)
{
    char line[LOG_LINE_MAX + 64];
    size_t len;

    snprintf(line, sizeof line, "%s: %s", level_name(level), message);
    len = strlen(line);
    for (size_t i = 0; i < count; i++) {
        if (!fields[i].value)
            continue;
        snprintf(line + len, sizeof line - len, " %s=%s", fields[i].name, fields[i].value);
        len += strlen(line + len);
    }
    blank_controls(line);
    if (len > sizeof line - 2)
        len = sizeof line - 2;
    line[len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0)
        return; /* nowhere left to complain */
}

void log_set_sink(log_sink_fn *sink, void *arg)
{
    log_sink = sink;
    log_sink_arg = arg;
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&log_max_level, (int)level, memory_order_relaxed);
}

static void deliver(enum log_level level, const char *message_id, const struct log_field *fields,
                    size_t count, const char *format, va_list args) KMS_PRINTF(5, 0);

static void deliver(enum log_level level, const char *message_id, const struct log_field *fields,
                    size_t count, const char *format, va_list args)
{
    char message[LOG_LINE_MAX];

    if ((int)level > atomic_load_explicit(&log_max_level, memory_order_relaxed))
        return;
    vsnprintf(message, sizeof message, format, args);
    if (log_sink)
        log_sink(level, message, message_id, fields, count, log_sink_arg);
    else
        stderr_sink(level, message, fields, count);
}

void log_write(enum log_level level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    deliver(level, NULL, NULL, 0, format, args);
    va_end(args);
}

void log_event(enum log_level level, const char *message_id, const struct log_field *fields,
               size_t count, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    deliver(level, message_id, fields, count, format, args);
    va_end(args);
}
