/* SPDX-License-Identifier: Apache-2.0 */
/* Logging through one sink (journal or stderr, chosen by the program). Never log a secret.
 * Any thread; the sink must be set before threads start.
 */
#ifndef KMS_COMMON_LOG_H
#define KMS_COMMON_LOG_H

#include "common/err.h"

#include <stddef.h>

/* Levels are syslog(3)'s numbers. */
enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_NOTICE = 5, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/* One structured field, e.g. { "KMS_LEASE_ID", "…" }; a NULL value is left out. */
struct log_field {
    const char *name, *value;
};

/* message_id: 32 hex digits of a MESSAGE_ID (sd_journal_send(3)) or NULL. */
typedef void log_sink_fn(enum log_level level, const char *message, const char *message_id,
                         const struct log_field *fields, size_t count, void *arg);

/* Sets the sink; NULL restores the default, lines on stderr. */
void log_set_sink(log_sink_fn *sink, void *arg);
/* Highest level that is passed on (default LOG_LEVEL_INFO). */
void log_set_level(enum log_level level);
void log_write(enum log_level level, const char *format, ...) KMS_PRINTF(2, 3);
void log_event(enum log_level level, const char *message_id, const struct log_field *fields, size_t count,
               const char *format, ...) KMS_PRINTF(5, 6);

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
