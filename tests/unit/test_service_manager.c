/* SPDX-License-Identifier: Apache-2.0 */
/* The service manager's side played by the test: a notify socket, passed descriptors, stderr as
 * log. */
#include "service_manager.h"

#include "base/message_ids.h"
#include "common/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int notify_fd = -1;

static int open_notify_socket(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];

    (void)state;
    snprintf(name, sizeof name, "@kms-test-notify-%d", (int)getpid());
    memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
    notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setenv("NOTIFY_SOCKET", name, 1);
    return bind(notify_fd, (struct sockaddr *)&address,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name)));
}

static const char *received(void)
{
    static char text[512];
    ssize_t n = recv(notify_fd, text, sizeof text - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void test_notify(void **state)
{
    unsigned long long usec = 0;

    (void)state;
    service_manager_ready("3 secrets");
    assert_string_equal(received(), "READY=1\nSTATUS=3 secrets");
    service_manager_ready(NULL);
    assert_string_equal(received(), "READY=1\nSTATUS=");
    service_manager_status("busy");
    assert_string_equal(received(), "STATUS=busy");
    service_manager_reloading();
    assert_int_equal(sscanf(received(), "RELOADING=1\nMONOTONIC_USEC=%llu", &usec), 1);
    assert_true(usec > 0);
    service_manager_stopping();
    assert_string_equal(received(), "STOPPING=1");
    service_manager_ping();
    assert_string_equal(received(), "WATCHDOG=1");
    service_manager_extend(5000000);
    assert_string_equal(received(), "EXTEND_TIMEOUT_USEC=5000000");
}

static void test_watchdog(void **state)
{
    char pid[16];

    (void)state;
    unsetenv("WATCHDOG_USEC");
    assert_int_equal(service_manager_ping_interval_ms(), 0);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(service_manager_ping_interval_ms(), 15000);
    setenv("WATCHDOG_PID", "1", 1); /* meant for somebody else */
    assert_int_equal(service_manager_ping_interval_ms(), 0);
}

/* In a child, since descriptor 3 may be anything here. `make` answers the descriptor to pass. */
static int listen_in_child(int (*make)(void), int expected_rc, size_t expected_count)
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        struct err err = {0};
        int *fds = NULL, fd = make();
        size_t count = 99;
        char pid[16];

        if (fd != 3)
            dup2(fd, 3);
        fcntl(3, F_SETFD, 0);
        snprintf(pid, sizeof pid, "%d", (int)getpid());
        setenv("LISTEN_PID", pid, 1);
        setenv("LISTEN_FDS", "1", 1);
        setenv("LISTEN_FDNAMES", "agent", 1);
        int rc = service_manager_listen_fds(&fds, &count, &err);
        bool ok = rc == expected_rc && getenv("LISTEN_FDS") == NULL && getenv("LISTEN_PID") == NULL;

        if (rc == 0)
            ok = ok && count == expected_count && fds[0] == 3 && (fcntl(3, F_GETFD) & FD_CLOEXEC);
        else
            ok = ok && strstr(err.message, "descriptor 3") != NULL;
        free(fds);
        _exit(ok ? 0 : 1);
    }
    waitpid(child, &status, 0);
    return status;
}

static int unix_listener(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    bind(fd, (struct sockaddr *)&address,
         sizeof(sa_family_t)); /* an address of the kernel's choice */
    listen(fd, 1);
    return fd;
}

static int unix_not_listening(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int unix_datagram(void)
{
    return socket(AF_UNIX, SOCK_DGRAM, 0);
}

static int a_file(void)
{
    return open("/dev/null", O_RDONLY);
}

static void test_listen_fds(void **state)
{
    struct err err = {0};
    int *fds = (int *)state;
    size_t count = 99;

    unsetenv("LISTEN_FDS");
    assert_int_equal(service_manager_listen_fds(&fds, &count, &err), 0);
    assert_int_equal(count, 0);
    assert_null(fds);
    assert_int_equal(listen_in_child(unix_listener, 0, 1), 0);
    assert_int_equal(listen_in_child(unix_not_listening, KMS_ECONFIG, 0), 0);
    assert_int_equal(listen_in_child(unix_datagram, KMS_ECONFIG, 0), 0);
    assert_int_equal(listen_in_child(a_file, KMS_ECONFIG, 0), 0);
}

/* What a line on stderr looks like; stderr is a pipe here, so no journal. */
static void logged(const struct log_field *fields, size_t count, const char *message, char *ret,
                   size_t size)
{
    int saved = dup(STDERR_FILENO), pipe_fds[2];
    ssize_t n;

    assert_int_equal(pipe(pipe_fds), 0);
    dup2(pipe_fds[1], STDERR_FILENO);
    service_manager_set_log_sink();
    log_event(LOG_LEVEL_NOTICE, "5d1b8a6e0f3c4b7f9a52c1d47e90b3a1", fields, count, "%s", message);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(pipe_fds[1]);
    n = read(pipe_fds[0], ret, size - 1);
    ret[n > 0 ? n : 0] = '\0';
    close(pipe_fds[0]);
    log_set_sink(NULL, NULL);
}

static void test_logfmt(void **state)
{
    const struct log_field fields[] = {{"KMS_SECRET", "deploy"},
                                       {"KMS_PEER_UNIT", NULL},
                                       {"KMS_REASON", "a \"b\"\nc"},
                                       {"OTHER", ""}};
    char line[4096];

    (void)state;
    setenv("JOURNAL_STREAM", "1:2", 1); /* some other stream */
    logged(fields, 4, "lease\nissued", line, sizeof line);
    assert_string_equal(line,
                        "notice lease issued secret=deploy reason=\"a \\\"b\\\" c\" other=\"\"\n");
}

static void test_long_line(void **state)
{
    char text[600], line[4096];
    struct log_field fields[8];

    (void)state;
    memset(text, 'v', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (int i = 0; i < 8; i++)
        fields[i] = (struct log_field){"KMS_REASON", text};
    logged(fields, 8, "long", line, sizeof line);
    assert_int_equal(strlen(line), 2048);
    assert_int_equal(line[2047], '\n');
}

static char sent[4096]; /* the last entry, a field a line */

/* In place of libsystemd's. */
int sd_journal_sendv(const struct iovec *iov, int n);
int sd_journal_sendv(const struct iovec *iov, int n)
{
    size_t len = 0;

    for (int i = 0; i < n; i++)
        len += (size_t)snprintf(sent + len, sizeof sent - len, "%.*s\n", (int)iov[i].iov_len,
                                (const char *)iov[i].iov_base);
    return 0;
}

static void check_journal_fields(void)
{
    const struct log_field fields[] = {{FIELD_SECRET, "app"}, {FIELD_REASON, "expired"}};

    log_notice("to the journal");
    assert_string_equal(sent, "MESSAGE=to the journal\nPRIORITY=5\n");
    log_event(LOG_LEVEL_ERROR, MESSAGE_ID_STUCK, fields, 1, "denied");
    assert_string_equal(sent, "MESSAGE=denied\nPRIORITY=3\nMESSAGE_ID=" MESSAGE_ID_STUCK
                              "\nKMS_SECRET=app\nKMS_REASON=denied\n");
    log_event(LOG_LEVEL_NOTICE, MESSAGE_ID_REVOKED, fields, 2, "revoked");
    assert_non_null(strstr(sent, "\nKMS_SECRET=app\nKMS_REASON=expired\n"));
}

/* With the right stream the journal gets it: nothing on stderr. What the catalog prints as the
 * reason is always there. */
static void test_journal_stream(void **state)
{
    int saved = dup(STDERR_FILENO), pipe_fds[2];
    char stream[64], line[64];
    struct stat st;

    (void)state;
    assert_int_equal(pipe(pipe_fds), 0);
    fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
    fstat(pipe_fds[1], &st);
    snprintf(stream, sizeof stream, "%lu:%lu", (unsigned long)st.st_dev, (unsigned long)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    dup2(pipe_fds[1], STDERR_FILENO);
    service_manager_set_log_sink();
    check_journal_fields();
    dup2(saved, STDERR_FILENO);
    close(saved);
    assert_int_equal(read(pipe_fds[0], line, sizeof line), -1);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    log_set_sink(NULL, NULL);
}

static void test_unit_of_pid(void **state)
{
    char unit[8] = "same";

    (void)state;
    assert_int_equal(service_manager_unit_of_pid(0x3FFFFFF, unit, sizeof unit), -1);
    assert_string_equal(unit, "same");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notify),      cmocka_unit_test(test_watchdog),
        cmocka_unit_test(test_listen_fds),  cmocka_unit_test(test_logfmt),
        cmocka_unit_test(test_long_line),   cmocka_unit_test(test_journal_stream),
        cmocka_unit_test(test_unit_of_pid),
    };

    return cmocka_run_group_tests(tests, open_notify_socket, NULL);
}
