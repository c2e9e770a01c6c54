/* SPDX-License-Identifier: Apache-2.0 */
/* kms-bench-spawn COUNT COMMAND… [--- COMMAND…]…: runs the commands in turn, COUNT times each, with
 * posix_spawn; one line for each: how long from the spawn to the exit status. */
#include "bench.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define COMMANDS_MAX 8
#define WARM 20

extern char **environ;

struct command {
    char **argv;
    struct samples samples;
};

static void run(struct command *command, int keep)
{
    uint64_t start = bench_now_ns();
    int status, rc;
    pid_t pid;

    rc = posix_spawnp(&pid, command->argv[0], NULL, NULL, command->argv, environ);
    errno = rc;
    if (rc != 0)
        bench_die("cannot run %s", command->argv[0]);
    if (waitpid(pid, &status, 0) != pid)
        bench_die("waitpid");
    errno = 0;
    if (status != 0)
        bench_die("%s ended with status %d", command->argv[0], status);
    if (keep)
        samples_add(&command->samples, bench_now_ns() - start);
}

int main(int argc, char **argv)
{
    struct command commands[COMMANDS_MAX] = {0};
    size_t count = 0, rounds;

    if (argc < 3)
        bench_die("usage: kms-bench-spawn COUNT COMMAND... [--- COMMAND...]...");
    rounds = bench_number(argv[1], 1) + WARM;
    commands[count++].argv = &argv[2];
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "---") != 0 || i + 1 == argc || count == COMMANDS_MAX)
            continue;
        argv[i] = NULL;
        commands[count++].argv = &argv[i + 1];
    }
    for (size_t round = 0; round < rounds; round++)
        for (size_t i = 0; i < count; i++)
            run(&commands[i], round >= WARM);
    for (size_t i = 0; i < count; i++) {
        printf("count=%zu p50_ns=%llu p99_ns=%llu\n", commands[i].samples.count,
               (unsigned long long)samples_at(&commands[i].samples, 0.5),
               (unsigned long long)samples_at(&commands[i].samples, 0.99));
        samples_free(&commands[i].samples);
    }
    return 0;
}
