/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule/process.h"

#include "base/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#ifndef PIDFS_MAGIC
#define PIDFS_MAGIC 0x50494446 /* "PIDF", Linux 6.9; linux/magic.h of older headers lacks it */
#endif
#define STAT_STARTTIME 22 /* proc(5), /proc/PID/stat */

/* Reads a small file of /proc as text; answers 0 or -1 with errno set. */
static int read_text(const char *path, char *ret, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), saved;
    ssize_t n;

    if (fd < 0)
        return -1;
    n = read(fd, ret, size - 1);
    saved = errno;
    close(fd);
    errno = saved;
    if (n < 0)
        return -1;
    ret[n] = '\0';
    return 0;
}

/* The name in field 2 may hold blanks and brackets, so fields count from the last ")". 0 or -1
 * (errno). */
static int read_start_time(int32_t pid, uint64_t *ret)
{
    char path[64], text[2048], *at, *end;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (read_text(path, text, sizeof text) != 0)
        return -1;
    at = strrchr(text, ')');
    for (int field = 2; at != NULL && field < STAT_STARTTIME; field++) {
        at = strchr(at, ' ');
        if (at != NULL)
            at++;
    }
    errno = EINVAL;
    if (at == NULL || *at < '0' || *at > '9')
        return -1;
    *ret = strtoull(at, &end, 10);
    return *end == ' ' ? 0 : -1;
}

/* Only pidfs (Linux 6.9) has an inode for each process; before, all pidfds share one. 0: no such
 * inode. */
static uint64_t pidfd_inode(int pidfd)
{
    struct statfs fs;
    struct stat st;

    if (fstatfs(pidfd, &fs) != 0 || (unsigned long)fs.f_type != PIDFS_MAGIC ||
        fstat(pidfd, &st) != 0)
        return 0;
    return (uint64_t)st.st_ino;
}

/* The pid of a pidfd in our pid namespace: -1 when it has exited, 0 when it lives elsewhere. 0 or
 * -1 (errno). */
static int pidfd_pid(int pidfd, int32_t *ret)
{
    char path[64], text[1024], *at;

    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
    if (read_text(path, text, sizeof text) != 0)
        return -1;
    at = strstr(text, "\nPid:");
    *ret = at != NULL ? (int32_t)strtol(at + 5, NULL, 10) : -1;
    return 0;
}

static bool lives(int pidfd)
{
    struct pollfd fd = {.fd = pidfd, .events = POLLIN};

    return poll(&fd, 1, 0) == 0;
}

static int read_boot_id(char ret[37])
{
    char text[64];

    if (read_text("/proc/sys/kernel/random/boot_id", text, sizeof text) != 0)
        return -1;
    text[strcspn(text, "\n")] = '\0';
    errno = EINVAL;
    if (strlen(text) != 36)
        return -1;
    memcpy(ret, text, 37);
    return 0;
}

/* By errno. What went wrong here says nothing about the process. */
static int cannot_read(const char *what, struct err *err)
{
    if (errno == EMFILE || errno == ENFILE)
        return descriptors_refuse(err);
    return err_set(err, KMS_EINTERNAL, "cannot read %s: %s", what, strerror(errno));
}

int process_describe(int pidfd, int32_t pid, struct lease_process *ret, struct err *err)
{
    struct lease_process process = {.pid = pid, .pidfd_inode = pidfd_inode(pidfd)};
    int32_t found;

    if (pidfd_pid(pidfd, &found) != 0)
        return cannot_read("what /proc tells of a pidfd", err);
    if (pid <= 0 || found != pid)
        return err_set(err, KMS_ENOLEASE, "process %d has exited or is in another pid namespace",
                       (int)pid);
    if (read_boot_id(process.boot_id) != 0)
        return cannot_read("the boot id", err);
    if (read_start_time(pid, &process.start_time) != 0) {
        if (errno != ENOENT && errno != ESRCH)
            return cannot_read("the start time of a process", err);
        return err_set(err, KMS_ENOLEASE, "process %d has exited", (int)pid);
    }
    /* It lives now, so the pid was its own while we read. */
    if (!lives(pidfd))
        return err_set(err, KMS_ENOLEASE, "process %d has exited", (int)pid);
    *ret = process;
    return 0;
}

/* 0 the same, else an errno: ESRCH it is not. */
static int compare(int pidfd, const struct lease_process *process)
{
    uint64_t start_time, inode = pidfd_inode(pidfd);

    if (process->pidfd_inode != 0 && inode != 0 && inode != process->pidfd_inode)
        return ESRCH;
    if (read_start_time(process->pid, &start_time) != 0)
        return errno == ENOENT ? ESRCH : errno;
    if (start_time != process->start_time || !lives(pidfd))
        return ESRCH;
    return 0;
}

int process_reopen(const struct lease_process *process)
{
    char boot_id[37];
    int pidfd, rc;

    errno = ESRCH;
    if (process->pid <= 0)
        return -1;
    if (read_boot_id(boot_id) != 0)
        return -1;
    if (strcmp(boot_id, process->boot_id) != 0) {
        errno = ESRCH;
        return -1;
    }
    pidfd = pidfd_open(process->pid, 0);
    if (pidfd < 0)
        return -1;
    rc = compare(pidfd, process);
    if (rc != 0) {
        close(pidfd);
        errno = rc;
        return -1;
    }
    return pidfd;
}
