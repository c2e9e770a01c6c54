/* SPDX-License-Identifier: Apache-2.0 */
/* Every libsystemd call: socket activation, notifications, journal, unit of a peer. */
#ifndef KMS_AGENT_SERVICE_MANAGER_H
#define KMS_AGENT_SERVICE_MANAGER_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Listening unix stream sockets passed in (family and type checked, CLOEXEC set, LISTEN_* unset). *ret is malloc'd;
 * count 0 when there are none. Main thread. */
int service_manager_listen_fds(int **ret, size_t *ret_count, struct err *err) KMS_MUST_CHECK;
void service_manager_ready(const char *status);
void service_manager_status(const char *status);
/* RELOADING=1 with MONOTONIC_USEC; follow with service_manager_ready(). */
void service_manager_reloading(void);
void service_manager_stopping(void);
/* WATCHDOG=1. */
void service_manager_ping(void);
/* Interval at which to ping (half of WatchdogSec) in milliseconds, 0 = no watchdog. */
int64_t service_manager_ping_interval_ms(void);
/* Sends log lines to the journal when stderr is connected to it (JOURNAL_STREAM), else logfmt lines on stderr. */
void service_manager_set_log_sink(void);
/* System unit of a pid by sd_pid_get_unit; -1 if none. The caller checks the pidfd afterwards. */
int service_manager_unit_of_pid(int32_t pid, char *ret, size_t size);
/* Extend the start or stop timeout by usec. */
void service_manager_extend(uint64_t usec);

#endif
