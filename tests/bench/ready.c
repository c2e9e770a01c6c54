/* SPDX-License-Identifier: Apache-2.0 */
/* kms-bench-ready NOTIFY_SOCKET COMMAND…: how long from posix_spawn to READY=1 (sd_notify(3)); then
 * SIGTERM, and the end of the command is waited for. */
#include "bench.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_S 60

extern char **environ;

static int bind_notify(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval wait = {.tv_sec = WAIT_S};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof address.sun_path)
        bench_die("the socket's path is too long");
    strcpy(address.sun_path, path);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) != 0 ||
        setenv("NOTIFY_SOCKET", path, 1) != 0)
        bench_die("cannot listen on %s", path);
    return fd;
}

static void wait_ready(int fd)
{
    char message[4096];
    ssize_t n;

    do {
        n = recv(fd, message, sizeof message - 1, 0);
        if (n < 0)
            bench_die("no READY=1");
        message[n] = '\0';
    } while (strstr(message, "READY=1") == NULL);
}

int main(int argc, char **argv)
{
    uint64_t start, took;
    int fd, rc;
    pid_t pid;

    if (argc < 3)
        bench_die("usage: kms-bench-ready NOTIFY_SOCKET COMMAND...");
    fd = bind_notify(argv[1]);
    start = bench_now_ns();
    rc = posix_spawnp(&pid, argv[2], NULL, NULL, &argv[2], environ);
    errno = rc;
    if (rc != 0)
        bench_die("cannot run %s", argv[2]);
    wait_ready(fd);
    took = bench_now_ns() - start;
    kill(pid, SIGTERM);
    if (waitpid(pid, NULL, 0) != pid)
        bench_die("waitpid");
    printf("p50_ns=%llu\n", (unsigned long long)took);
    close(fd);
    return 0;
}
