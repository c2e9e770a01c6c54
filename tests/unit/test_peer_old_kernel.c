/* SPDX-License-Identifier: Apache-2.0 */
/* Peers on a kernel like Debian 12's own (6.1): a seccomp filter takes SO_PEERPIDFD and
 * PIDFD_GET_INFO away, as kernels before 6.5 and 6.13 answer. What must hold: less is known, never
 * something wrong. */
#include "front/peer.h"

#include "front/unit.h"
#include "service_manager.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PIDFD_GET_INFO_NUMBER 0xC040FF0Bu
#define ARG_LOW(n) ((uint32_t)(offsetof(struct seccomp_data, args) + 8 * (n))) /* little endian */
#define REFUSE(error) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))

static int take_away(void **state)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getsockopt, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARG_LOW(2)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 77, 0, 5),
        REFUSE(ENOPROTOOPT),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARG_LOW(1)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PIDFD_GET_INFO_NUMBER, 0, 1),
        REFUSE(ENOTTY),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};

    (void)state;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* A listener at an address of the kernel's choice. */
static int make_listener(struct sockaddr_un *ret, socklen_t *ret_len)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    *ret_len = sizeof *ret;
    assert_int_equal(bind(fd, (struct sockaddr *)ret, sizeof(sa_family_t)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)ret, ret_len), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

enum then { THEN_WAIT, THEN_EXIT, THEN_CLOSE, THEN_PASS_ON, THEN_DROP };

static int stop_pipe[2];

static void connect_and(const struct sockaddr_un *address, socklen_t len, enum then then)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    char byte;

    if (connect(fd, (const struct sockaddr *)address, len) != 0)
        _exit(1);
    if (then == THEN_EXIT)
        _exit(0);
    if (then == THEN_CLOSE)
        close(fd);
    if (then == THEN_DROP && setresuid(1000, 1000, 1000) != 0)
        _exit(1);
    if (then == THEN_PASS_ON && fork() != 0)
        _exit(0);
    close(stop_pipe[1]);
    if (read(stop_pipe[0], &byte, 1) <= 0)
        _exit(0);
}

/* A child connects and does `then`; the peer as we see it. Whoever is left ends with release(). */
static pid_t meet(enum then then, struct peer *peer, int *ret_fd)
{
    struct sockaddr_un address;
    struct err err = {0};
    socklen_t len;
    int listen_fd = make_listener(&address, &len);
    pid_t child;

    assert_int_equal(pipe(stop_pipe), 0);
    child = fork();
    if (child == 0)
        connect_and(&address, len, then);
    if (then == THEN_EXIT || then == THEN_PASS_ON)
        waitpid(child, NULL, 0);
    else
        usleep(100000); /* it has done what it does */
    *ret_fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(*ret_fd >= 0);
    assert_int_equal(peer_init(peer, *ret_fd, &err), 0);
    assert_int_equal(peer->pid, child);
    close(listen_fd);
    return child;
}

static void release(pid_t child, struct peer *peer, int fd)
{
    close(stop_pipe[0]);
    close(stop_pipe[1]);
    waitpid(child, NULL, 0);
    peer_done(peer);
    close(fd);
}

static void test_the_filter_works(void **state)
{
    int fds[2], pidfd = -1;
    socklen_t len = sizeof pidfd;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(getsockopt(fds[0], SOL_SOCKET, 77, &pidfd, &len), -1);
    assert_int_equal(errno, ENOPROTOOPT);
    close(fds[0]);
    close(fds[1]);
}

static void test_living(void **state)
{
    struct peer peer;
    int fd;
    pid_t child = meet(THEN_WAIT, &peer, &fd);

    (void)state;
    assert_true(peer.pidfd >= 0);
    assert_false(pidfd_has_ended(peer.pidfd));
    char unit[257], expected[257];

    /* The same that systemd says, which is nothing outside of any unit. */
    if (service_manager_unit_of_pid(child, expected, sizeof expected) != 0)
        expected[0] = '\0';
    (void)unit_of_process(child, peer.pidfd, unit, sizeof unit);
    assert_string_equal(unit, expected);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_true(pidfd_has_ended(peer.pidfd));
    peer.look_up_unit(&peer);
    assert_string_equal(peer.unit, "");
    release(child, &peer, fd);
}

/* Exited, closed, or gone with the connection passed on: no pidfd, so nothing that needs one. */
static void test_gone(void **state)
{
    static const enum then cases[] = {THEN_EXIT, THEN_CLOSE, THEN_PASS_ON};

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct peer peer;
        int fd;
        pid_t child = meet(cases[i], &peer, &fd);

        assert_int_equal(peer.uid, geteuid());
        assert_int_equal(peer.pidfd, -1);
        assert_string_equal(peer.command, "");
        peer.look_up_unit(&peer);
        assert_string_equal(peer.unit, "");
        release(child, &peer, fd);
    }
}

/* The pid belongs to another uid by now: it may be another process. */
static void test_other_uid(void **state)
{
    struct peer peer;
    pid_t child;
    int fd;

    (void)state;
    if (geteuid() != 0)
        skip();
    child = meet(THEN_DROP, &peer, &fd);
    assert_int_equal(peer.uid, 0);
    assert_int_equal(peer.pidfd, -1);
    release(child, &peer, fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_filter_works),
        cmocka_unit_test(test_living),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_other_uid),
    };

    return cmocka_run_group_tests(tests, take_away, NULL);
}
