/* SPDX-License-Identifier: Apache-2.0 */
/* Finding a process again: real children, odd names, a reused pid simulated by a wrong start time,
 * inode or boot. */
#include "schedule/process.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct child {
    pid_t pid;
    int pidfd;
    struct lease_process process;
};

/* A child of that name; answers when it has taken it. */
static void child_start(struct child *child, const char *name)
{
    struct err err;
    int fds[2];
    char byte;

    assert_int_equal(pipe(fds), 0);
    child->pid = fork();
    if (child->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, name);
        if (write(fds[1], "x", 1) == 1)
            pause();
        _exit(0);
    }
    assert_int_equal(read(fds[0], &byte, 1), 1);
    close(fds[0]);
    close(fds[1]);
    child->pidfd = pidfd_open(child->pid, 0);
    assert_true(child->pidfd >= 0);
    assert_int_equal(process_describe(child->pidfd, child->pid, &child->process, &err), 0);
}

static void child_end(struct child *child)
{
    kill(child->pid, SIGKILL);
    waitpid(child->pid, NULL, 0);
    close(child->pidfd);
}

/* Field 22 of our own stat, by another way of counting. */
static uint64_t own_start_time(pid_t pid)
{
    unsigned long long start;
    char path[64];
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(
        fscanf(file,
               "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
               "%*d %*d %*d %*d %llu",
               &start),
        1);
    fclose(file);
    return start;
}

static void test_describe_and_reopen(void **state)
{
    struct child child;
    int pidfd;

    (void)state;
    child_start(&child, "plain");
    assert_int_equal(child.process.pid, child.pid);
    assert_int_equal(strlen(child.process.boot_id), 36);
    assert_true(child.process.start_time == own_start_time(child.pid));
    pidfd = process_reopen(&child.process);
    assert_true(pidfd >= 0);
    /* It is a pidfd of the child: the signal arrives. */
    assert_int_equal(pidfd_send_signal(pidfd, SIGTERM, NULL, 0), 0);
    assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
    close(pidfd);
    close(child.pidfd);
}

static void test_odd_names(void **state)
{
    static const char *const names[] = {") R 1 2 3", "a b) (c", "((((", ")))) 9 9 9", "sp ace"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct child plain, odd;
        int pidfd;

        child_start(&plain, "plain");
        child_start(&odd, names[i]);
        /* Started one after the other: a wrong field would not be this close. */
        assert_true(odd.process.start_time >= plain.process.start_time);
        assert_true(odd.process.start_time <= plain.process.start_time + 500);
        pidfd = process_reopen(&odd.process);
        assert_true(pidfd >= 0);
        close(pidfd);
        child_end(&plain);
        child_end(&odd);
    }
}

static void expect_gone(const struct lease_process *process)
{
    errno = 0;
    assert_int_equal(process_reopen(process), -1);
    assert_int_equal(errno, ESRCH);
}

static void test_reused_pid_is_another(void **state)
{
    struct lease_process other;
    struct child child;

    (void)state;
    child_start(&child, "plain");
    other = child.process;
    other.start_time++;
    expect_gone(&other);
    other = child.process;
    other.boot_id[0] = other.boot_id[0] == '0' ? '1' : '0';
    expect_gone(&other);
    other = child.process;
    other.pid = 0;
    expect_gone(&other);
    other = child.process;
    if (other.pidfd_inode != 0) {
        other.pidfd_inode++;
        expect_gone(&other);
    }
    other = child.process;
    other.pidfd_inode = 0; /* as an older kernel would have stored it */
    int pidfd = process_reopen(&other);
    assert_true(pidfd >= 0);
    close(pidfd);
    child_end(&child);
}

/* Where pidfds have inodes of their own they are stored; where all share one it must not be taken
 * for a fact. */
static void test_inode_only_where_unique(void **state)
{
    struct child first, second;
    struct stat a, b;

    (void)state;
    child_start(&first, "first");
    child_start(&second, "second");
    assert_int_equal(fstat(first.pidfd, &a), 0);
    assert_int_equal(fstat(second.pidfd, &b), 0);
    if (a.st_ino == b.st_ino)
        assert_int_equal(first.process.pidfd_inode, 0);
    else
        assert_true(first.process.pidfd_inode == a.st_ino &&
                    second.process.pidfd_inode == b.st_ino);
    child_end(&first);
    child_end(&second);
}

static void test_exited(void **state)
{
    struct lease_process ignored;
    struct child child;
    struct err err;

    (void)state;
    child_start(&child, "plain");
    kill(child.pid, SIGKILL);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child.pid, &info, WEXITED | WNOWAIT), 0);
    /* A zombie still has a stat file with the right start time. */
    assert_int_equal(process_describe(child.pidfd, child.pid, &ignored, &err), KMS_ENOLEASE);
    expect_gone(&child.process);
    waitpid(child.pid, NULL, 0);
    assert_int_equal(process_describe(child.pidfd, child.pid, &ignored, &err), KMS_ENOLEASE);
    expect_gone(&child.process);
    close(child.pidfd);
}

static void test_pid_of_another_process(void **state)
{
    struct lease_process ignored;
    struct child child;
    struct err err;

    (void)state;
    child_start(&child, "plain");
    assert_int_equal(process_describe(child.pidfd, getpid(), &ignored, &err), KMS_ENOLEASE);
    assert_int_equal(process_describe(child.pidfd, 0, &ignored, &err), KMS_ENOLEASE);
    child_end(&child);
}

/* No descriptor left is no proof of death. */
static void test_no_descriptors(void **state)
{
    struct lease_process ignored;
    struct rlimit limit, none;
    struct child child;
    struct err err = {0};
    int rc, described;

    (void)state;
    child_start(&child, "plain");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    errno = 0;
    rc = process_reopen(&child.process);
    none.rlim_cur = (rlim_t)errno;
    described = process_describe(child.pidfd, child.pid, &ignored, &err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(rc, -1);
    assert_int_equal(none.rlim_cur, EMFILE);
    assert_int_equal(described, KMS_ELIMIT);
    assert_non_null(strstr(err.message, "LimitNOFILE"));
    child_end(&child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_describe_and_reopen),
        cmocka_unit_test(test_odd_names),
        cmocka_unit_test(test_reused_pid_is_another),
        cmocka_unit_test(test_inode_only_where_unique),
        cmocka_unit_test(test_exited),
        cmocka_unit_test(test_pid_of_another_process),
        cmocka_unit_test(test_no_descriptors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
