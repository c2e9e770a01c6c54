/* SPDX-License-Identifier: Apache-2.0 */
#include "service_manager.h"

#include "common/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>
#include <systemd/sd-login.h>

#include <time.h>

#define FIELDS_MAX 16
#define LINE_MAX_BYTES 2048
#define FIELD_REASON "KMS_REASON" /* as in base/message_ids.h */

/* ---- socket activation ---- */

int service_manager_listen_fds(int **ret, size_t *ret_count, struct err *err)
{
    int n = sd_listen_fds(1); /* checks LISTEN_PID, sets CLOEXEC, unsets the variables */
    int *fds;

    if (n < 0)
        return err_set(err, KMS_ECONFIG, "LISTEN_FDS: %s", strerror(-n));
    for (int i = 0; i < n; i++)
        if (sd_is_socket_unix(SD_LISTEN_FDS_START + i, SOCK_STREAM, 1, NULL, 0) <= 0)
            return err_set(
                err, KMS_ECONFIG,
                "descriptor %d from the service manager is no listening unix stream socket",
                SD_LISTEN_FDS_START + i);
    *ret = NULL;
    *ret_count = 0;
    if (n == 0)
        return 0;
    fds = calloc((size_t)n, sizeof *fds);
    if (fds == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    for (int i = 0; i < n; i++)
        fds[i] = SD_LISTEN_FDS_START + i;
    *ret = fds;
    *ret_count = (size_t)n;
    return 0;
}

/* ---- notifications; without a NOTIFY_SOCKET they do nothing ---- */

void service_manager_ready(const char *status)
{
    (void)sd_notifyf(0, "READY=1\nSTATUS=%s", status != NULL ? status : "");
}

void service_manager_status(const char *status)
{
    (void)sd_notifyf(0, "STATUS=%s", status);
}

/* systemd 253 and later pair RELOADING with READY by this time stamp; older ones ignore it. */
void service_manager_reloading(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                     (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u);
}

void service_manager_stopping(void)
{
    (void)sd_notify(0, "STOPPING=1");
}

void service_manager_ping(void)
{
    (void)sd_notify(0, "WATCHDOG=1");
}

int64_t service_manager_ping_interval_ms(void)
{
    uint64_t usec;

    return sd_watchdog_enabled(0, &usec) > 0 ? (int64_t)(usec / 2000) : 0;
}

void service_manager_extend(uint64_t usec)
{
    (void)sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%" PRIu64, usec);
}

int service_manager_unit_of_pid(int32_t pid, char *ret, size_t size)
{
    char *unit = NULL;
    int rc = -1;

    if (sd_pid_get_unit(pid, &unit) < 0)
        return -1;
    if (strlen(unit) < size) {
        strcpy(ret, unit);
        rc = 0;
    }
    free(unit);
    return rc;
}

/* ---- journal ---- */

static void to_journal(enum log_level level, const char *message, const char *message_id,
                       const struct log_field *fields, size_t count, void *arg)
{
    char text[FIELDS_MAX + 4][LINE_MAX_BYTES];
    struct iovec iov[FIELDS_MAX + 4];
    bool reason = message_id == NULL;
    int n = 0;

    (void)arg;
    snprintf(text[n++], LINE_MAX_BYTES, "MESSAGE=%s", message);
    snprintf(text[n++], LINE_MAX_BYTES, "PRIORITY=%d", (int)level);
    if (message_id != NULL)
        snprintf(text[n++], LINE_MAX_BYTES, "MESSAGE_ID=%s", message_id);
    for (size_t i = 0; i < count && n < FIELDS_MAX + 3; i++)
        if (fields[i].value != NULL) {
            reason = reason || strcmp(fields[i].name, FIELD_REASON) == 0;
            snprintf(text[n++], LINE_MAX_BYTES, "%s=%s", fields[i].name, fields[i].value);
        }
    if (!reason) /* the catalog prints it */
        snprintf(text[n++], LINE_MAX_BYTES, FIELD_REASON "=%s", message);
    for (int i = 0; i < n; i++)
        iov[i] = (struct iovec){.iov_base = text[i], .iov_len = strlen(text[i])};
    (void)sd_journal_sendv(iov, n);
}

/* ---- logfmt on stderr ---- */

struct line {
    char text[LINE_MAX_BYTES];
    size_t len;
};

static void put(struct line *line, char c)
{
    if (line->len < sizeof line->text - 1)
        line->text[line->len++] = c;
}

/* One line stays one line, whatever is in a value. */
static void put_text(struct line *line, const char *text)
{
    for (; *text != '\0'; text++)
        put(line, (unsigned char)*text < ' ' || *text == 0x7F ? ' ' : *text);
}

static void put_value(struct line *line, const char *value)
{
    if (value[0] != '\0' && strpbrk(value, " \"=\n\t\\") == NULL) {
        put_text(line, value);
        return;
    }
    put(line, '"');
    for (; *value != '\0'; value++) {
        if (*value == '"' || *value == '\\')
            put(line, '\\');
        put(line, (unsigned char)*value < ' ' ? ' ' : *value);
    }
    put(line, '"');
}

/* KMS_LEASE_ID is lease_id here. */
static void put_name(struct line *line, const char *name)
{
    if (strncmp(name, "KMS_", 4) == 0)
        name += 4;
    for (; *name != '\0'; name++)
        put(line, *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name);
}

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

static void to_stderr(enum log_level level, const char *message, const char *message_id,
                      const struct log_field *fields, size_t count, void *arg)
{
    struct line line = {.len = 0};

    (void)message_id;
    (void)arg;
    put_text(&line, level_name(level));
    put(&line, ' ');
    put_text(&line, message);
    for (size_t i = 0; i < count; i++) {
        if (fields[i].value == NULL)
            continue;
        put(&line, ' ');
        put_name(&line, fields[i].name);
        put(&line, '=');
        put_value(&line, fields[i].value);
    }
    line.text[line.len] = '\n'; /* put() leaves room for it */
    if (write(STDERR_FILENO, line.text, line.len + 1) < 0)
        return; /* nowhere to say it */
}

/* Source: systemd.exec(5), $JOURNAL_STREAM. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    uint64_t dev, ino;
    struct stat st;

    return stream != NULL && sscanf(stream, "%" SCNu64 ":%" SCNu64, &dev, &ino) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void service_manager_set_log_sink(void)
{
    log_set_sink(stderr_is_journal() ? to_journal : to_stderr, NULL);
}
