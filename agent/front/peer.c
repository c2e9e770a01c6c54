/* SPDX-License-Identifier: Apache-2.0 */
#include "front/peer.h"

#include "front/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5; Debian 12's headers are older */
#endif
#define GROUPS_FIRST 32

static void look_up_unit(struct peer *peer)
{
    peer->unit_looked_up = true;
    peer->unit[0] = '\0';
    (void)unit_of_process(peer->pid, peer->pidfd, peer->unit, sizeof peer->unit);
}

static int read_groups(struct peer *peer, int fd)
{
    socklen_t len = GROUPS_FIRST * sizeof(gid_t);

    for (int attempt = 0; attempt < 3; attempt++) {
        gid_t *groups = malloc(len > 0 ? len : 1);

        if (groups == NULL)
            return -1;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0) {
            peer->groups = groups;
            peer->group_count = len / sizeof(gid_t);
            return 0;
        }
        free(groups);
        if (errno != ERANGE || len > PEER_GROUPS_MAX * sizeof(gid_t))
            return -1;
    }
    return -1;
}

static bool is_up(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLRDHUP};

    return poll(&poll_fd, 1, 0) == 0;
}

/* The effective uid, from /proc/PID/status: the directory's owner is root for processes that are
 * not dumpable. */
static bool has_uid(int32_t pid, uint32_t uid)
{
    char path[64], line[256];
    unsigned real, effective = 0;
    bool found = false;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = sscanf(line, "Uid: %u %u", &real, &effective) == 2;
    fclose(file);
    return found && effective == uid;
}

/* The pid may have been given to another process since connect(). While the socket is up its owner
 * most likely lives; where that is wrong the lease is bound to a stranger of the same uid, which
 * can only shorten its life. */
static int open_pidfd(int fd, int32_t pid, uint32_t uid)
{
    int pidfd;

    errno = ESRCH;
    if (pid <= 0)
        return -1;
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd >= 0 && (!is_up(fd) || !has_uid(pid, uid) || pidfd_has_ended(pidfd))) {
        close(pidfd);
        errno = ESRCH;
        return -1;
    }
    return pidfd;
}

/* -1: errno. */
static int read_pidfd(int fd, int32_t pid, uint32_t uid)
{
    int pidfd = -1;
    socklen_t len = sizeof pidfd;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) == 0)
        return pidfd;
    /* Any other error: the kernel knows the option and the process is gone. */
    return errno == ENOPROTOOPT ? open_pidfd(fd, pid, uid) : -1;
}

/* The kernel's 15 characters, made harmless: any process may name itself as it likes. */
static void read_command(struct peer *peer)
{
    char path[64];
    ssize_t n = -1;
    int fd;

    if (peer->pid <= 0)
        return;
    snprintf(path, sizeof path, "/proc/%d/comm", (int)peer->pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, peer->command, sizeof peer->command - 1);
        close(fd);
    }
    if (n <= 0 || pidfd_has_ended(peer->pidfd)) {
        memset(peer->command, 0, sizeof peer->command);
        return;
    }
    peer->command[n] = '\0';
    peer->command[strcspn(peer->command, "\n")] = '\0';
    for (char *p = peer->command; *p != '\0'; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
}

int peer_init(struct peer *peer, int fd, struct err *err)
{
    struct ucred cred;
    socklen_t len = sizeof cred;

    *peer = (struct peer){.pidfd = -1, .look_up_unit = look_up_unit};
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0 || read_groups(peer, fd) != 0)
        return err_set(err, KMS_EDENIED, "the kernel does not tell who connected: %s",
                       strerror(errno));
    peer->uid = cred.uid;
    peer->gid = cred.gid;
    peer->pid = cred.pid;
    peer->pidfd = read_pidfd(fd, cred.pid, cred.uid);
    peer->pidfd_error = peer->pidfd < 0 ? errno : 0;
    read_command(peer);
    return 0;
}

void peer_done(struct peer *peer)
{
    if (peer->pidfd >= 0)
        close(peer->pidfd);
    free(peer->groups);
    peer->groups = NULL;
    peer->group_count = 0;
    peer->pidfd = -1;
}
