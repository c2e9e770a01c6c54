/* SPDX-License-Identifier: Apache-2.0 */
/* Who connected, over real sockets and real processes. Cases that need another uid run as root
 * only. */
#include "front/peer.h"

#include "front/unit.h"

#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[64], path[96];
static int listen_fd = -1;

static int open_listener(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)state;
    snprintf(directory, sizeof directory, "/tmp/kms-test-XXXXXX");
    if (mkdtemp(directory) == NULL || chmod(directory, 0755) != 0)
        return -1;
    snprintf(path, sizeof path, "%s/s", directory);
    memcpy(address.sun_path, path, strlen(path) + 1);
    listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listen_fd, (struct sockaddr *)&address, sizeof address) != 0)
        return -1;
    return chmod(path, 0777) != 0 || listen(listen_fd, 8) != 0 ? -1 : 0;
}

static int close_listener(void **state)
{
    (void)state;
    close(listen_fd);
    unlink(path);
    return rmdir(directory);
}

static int connect_here(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(address.sun_path, path, strlen(path) + 1);
    return connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
}

/* A child that runs `be`, which connects, and then waits to be killed. */
static pid_t start(void (*be)(void))
{
    pid_t child = fork();

    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        be();
        for (;;)
            pause();
    }
    assert_true(child > 0);
    return child;
}

static int accept_peer(struct peer *peer)
{
    struct err err = {0};
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    assert_true(fd >= 0);
    assert_int_equal(peer_init(peer, fd, &err), 0);
    return fd;
}

static void stop(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* ---- */

static void be_plain(void)
{
    prctl(PR_SET_NAME, "a\tb\xFF"
                       "name");
    if (connect_here() < 0)
        _exit(1);
}

static void test_own_uid(void **state)
{
    struct peer peer;
    pid_t child = start(be_plain);
    int fd = accept_peer(&peer);

    (void)state;
    assert_int_equal(peer.uid, geteuid());
    assert_int_equal(peer.gid, getegid());
    assert_int_equal(peer.pid, child);
    assert_true(peer.pidfd >= 0);
    assert_false(pidfd_has_ended(peer.pidfd));
    assert_string_equal(peer.command, "a?b?name");
    stop(child);
    assert_true(pidfd_has_ended(peer.pidfd));
    peer_done(&peer);
    assert_int_equal(peer.pidfd, -1);
    close(fd);
}

static void be_user_with_groups(void)
{
    static const gid_t groups[] = {2001, 2002, 2003};

    if (setgroups(3, groups) != 0 || setresgid(1000, 1000, 1000) != 0 ||
        setresuid(1000, 1000, 1000) != 0 || connect_here() < 0)
        _exit(1);
}

static void test_groups(void **state)
{
    struct peer peer;
    pid_t child;
    int fd;

    (void)state;
    if (geteuid() != 0)
        skip();
    child = start(be_user_with_groups);
    fd = accept_peer(&peer);
    assert_int_equal(peer.uid, 1000);
    assert_int_equal(peer.gid, 1000);
    assert_int_equal(peer.group_count, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(peer.groups[i], 2001 + i);
    stop(child);
    peer_done(&peer);
    close(fd);
}

static void be_in_many_groups(void)
{
    gid_t groups[500];

    for (unsigned i = 0; i < 500; i++)
        groups[i] = 3000 + i;
    if (setgroups(500, groups) != 0 || connect_here() < 0)
        _exit(1);
}

static void test_many_groups(void **state)
{
    struct peer peer;
    pid_t child;
    int fd;

    (void)state;
    if (geteuid() != 0)
        skip();
    child = start(be_in_many_groups);
    fd = accept_peer(&peer);
    assert_int_equal(peer.group_count, 500);
    assert_int_equal(peer.groups[499], 3499);
    stop(child);
    peer_done(&peer);
    close(fd);
}

static void be_nobody(void)
{
    if (setgroups(0, NULL) != 0 || setresgid(65534, 65534, 65534) != 0 ||
        setresuid(65534, 65534, 65534) != 0 || connect_here() < 0)
        _exit(1);
}

/* The facts are told as they are; that 65534 is nobody is policy's business. */
static void test_nobody(void **state)
{
    struct peer peer;
    pid_t child;
    int fd;

    (void)state;
    if (geteuid() != 0)
        skip();
    child = start(be_nobody);
    fd = accept_peer(&peer);
    assert_int_equal(peer.uid, 65534);
    assert_int_equal(peer.group_count, 0);
    stop(child);
    peer_done(&peer);
    close(fd);
}

static void be_dropping(void)
{
    if (connect_here() < 0 || setresgid(1000, 1000, 1000) != 0 || setresuid(1000, 1000, 1000) != 0)
        _exit(1);
}

/* Identity is taken at connect(): dropping privileges later changes nothing. */
static void test_drops_after_connect(void **state)
{
    struct peer peer;
    pid_t child;
    int fd;

    (void)state;
    if (geteuid() != 0)
        skip();
    child = start(be_dropping);
    fd = accept_peer(&peer);
    assert_int_equal(peer.uid, 0);
    stop(child);
    peer_done(&peer);
    close(fd);
}

static void be_effective_user(void)
{
    if (setresuid(0, 1000, 0) != 0 || connect_here() < 0)
        _exit(1);
}

static void test_effective_uid_counts(void **state)
{
    struct peer peer;
    pid_t child;
    int fd;

    (void)state;
    if (geteuid() != 0)
        skip();
    child = start(be_effective_user);
    fd = accept_peer(&peer);
    assert_int_equal(peer.uid, 1000);
    stop(child);
    peer_done(&peer);
    close(fd);
}

/* The connector is dead and reaped before we look: the uid is known, nothing that needs the process
 * is. */
static void test_connector_exited(void **state)
{
    struct peer peer;
    char unit[64] = "x";
    pid_t child = fork();
    int fd;

    (void)state;
    if (child == 0)
        _exit(connect_here() < 0);
    waitpid(child, NULL, 0);
    fd = accept_peer(&peer);
    assert_int_equal(peer.uid, geteuid());
    assert_true(pidfd_has_ended(peer.pidfd));
    assert_string_equal(peer.command, "");
    peer.look_up_unit(&peer);
    assert_string_equal(peer.unit, "");
    assert_int_equal(unit_of_process(child, peer.pidfd, unit, sizeof unit), -1);
    assert_string_equal(unit, "");
    peer_done(&peer);
    close(fd);
}

static int keeper_pipe[2];

static void be_passing_on(void)
{
    int fd = connect_here();

    if (fd < 0 || fork() != 0) /* the child keeps the connection */
        _exit(fd < 0);
    prctl(PR_SET_PDEATHSIG, 0);
    close(keeper_pipe[1]);
    char byte;
    if (read(keeper_pipe[0], &byte, 1) == 0) /* the test is over */
        _exit(0);
}

/* A connection that outlives its maker: still the maker's, and the maker has ended. */
static void test_passed_on(void **state)
{
    struct peer peer;
    pid_t child;
    int fd;

    (void)state;
    assert_int_equal(pipe(keeper_pipe), 0);
    child = start(be_passing_on);
    waitpid(child, NULL, 0);
    fd = accept_peer(&peer);
    assert_int_equal(peer.pid, child);
    assert_true(pidfd_has_ended(peer.pidfd));
    peer.look_up_unit(&peer);
    assert_string_equal(peer.unit, "");
    close(keeper_pipe[0]);
    close(keeper_pipe[1]);
    peer_done(&peer);
    close(fd);
}

static void test_no_unix_socket(void **state)
{
    struct err err = {0};
    struct peer peer;
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(peer_init(&peer, fds[0], &err), KMS_EDENIED);
    close(fds[0]);
    close(fds[1]);
}

static void test_unit_of_cgroup(void **state)
{
    static const struct {
        const char *path, *unit;
    } cases[] = {
        {"/system.slice/web.service", "web.service"},
        {"/system.slice/web.service/payload", "web.service"},
        {"/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service"},
        {"/user.slice/user-1000.slice/user@1000.service/app.slice/x.service", "user@1000.service"},
        {"/user.slice/user-1000.slice/session-3.scope", "session-3.scope"},
        {"/init.scope", "init.scope"},
        {"/machine.slice/docker-ab.scope/system.slice/web.service", "docker-ab.scope"},
        {"/system.slice/_cgroup.service", "cgroup.service"},
        {"/", NULL},
        {"/system.slice", NULL},
        {"/docker/0123abcd", NULL},
        {"/docker/web.service", NULL},
        {"/../system.slice/web.service", NULL},
        {"/system.slice/../web.service", NULL},
        {"/.service", NULL},
        {"system.slice/web.service", NULL},
    };
    char unit[32];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int rc = unit_of_cgroup(cases[i].path, unit, sizeof unit);

        assert_int_equal(rc, cases[i].unit != NULL ? 0 : -1);
        if (rc == 0)
            assert_string_equal(unit, cases[i].unit);
    }
    assert_int_equal(unit_of_cgroup("/system.slice/web.service", unit, 11), -1);
    assert_int_equal(unit_of_cgroup("/system.slice/web.service", unit, 12), 0);
}

/* ---- a unit made by hand in the cgroup tree ---- */

static const char *cgroup_root(void)
{
    static const char *const roots[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};

    for (int i = 0; i < 2; i++) {
        char file[64];

        snprintf(file, sizeof file, "%s/cgroup.procs", roots[i]);
        if (access(file, W_OK) == 0)
            return roots[i];
    }
    return NULL;
}

static char cgroup[128], other_cgroup[128];

static void be_in_cgroup(void)
{
    char file[160];
    FILE *procs;

    snprintf(file, sizeof file, "%s/cgroup.procs", cgroup);
    procs = fopen(file, "we");
    if (procs == NULL || fprintf(procs, "0\n") < 0 || fclose(procs) != 0 || connect_here() < 0)
        _exit(1);
}

static void be_in_other_cgroup(void)
{
    memcpy(cgroup, other_cgroup, sizeof cgroup);
    be_in_cgroup();
}

static void test_unit_of_process(void **state)
{
    const char *root = cgroup_root();
    struct peer peer;
    char unit[64];
    struct peer other_peer;
    pid_t child, other;
    int fd, other_fd;

    (void)state;
    if (root == NULL)
        skip();
    snprintf(other_cgroup, sizeof other_cgroup, "%s/kms-other-%d.service", root, (int)getpid());
    snprintf(cgroup, sizeof cgroup, "%s/kms-test-%d.service", root, (int)getpid());
    if (mkdir(cgroup, 0755) != 0)
        skip();
    assert_int_equal(mkdir(other_cgroup, 0755), 0);
    child = start(be_in_cgroup);
    fd = accept_peer(&peer);
    assert_false(peer.unit_looked_up);
    peer.look_up_unit(&peer);
    assert_true(peer.unit_looked_up);
    assert_string_equal(peer.unit, strrchr(cgroup, '/') + 1);
    /* As if the pid had been given to a process of another unit: it has a unit of its own, but the
     * kernel says another cgroup for this pidfd. */
    other = start(be_in_other_cgroup);
    other_fd = accept_peer(&other_peer);
    assert_int_equal(unit_of_process(other, other_peer.pidfd, unit, sizeof unit), 0);
    assert_string_equal(unit, strrchr(other_cgroup, '/') + 1);
    assert_int_equal(unit_of_process(other, peer.pidfd, unit, sizeof unit), -1);
    stop(other);
    peer_done(&other_peer);
    close(other_fd);
    rmdir(other_cgroup);
    assert_int_equal(unit_of_process(0, peer.pidfd, unit, sizeof unit), -1);
    assert_int_equal(unit_of_process(child, -1, unit, sizeof unit), -1);
    stop(child);
    peer.look_up_unit(&peer); /* looked up anew each time: it has ended */
    assert_string_equal(peer.unit, "");
    peer_done(&peer);
    close(fd);
    rmdir(cgroup);
}

#define T(f) cmocka_unit_test_setup_teardown(f, open_listener, close_listener)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_own_uid),
        T(test_groups),
        T(test_many_groups),
        T(test_nobody),
        T(test_drops_after_connect),
        T(test_effective_uid_counts),
        T(test_connector_exited),
        T(test_passed_on),
        T(test_unit_of_process),
        cmocka_unit_test(test_no_unix_socket),
        cmocka_unit_test(test_unit_of_cgroup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
