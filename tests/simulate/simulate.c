/* SPDX-License-Identifier: Apache-2.0 */
/* Runs seeds: kms-simulate [--seed N] [--count N] [--seconds N] [--jobs N] [--failures N]
 * [--trace]. A failing seed is told with the command that replays it; exit status 1. Each block of
 * seeds has a process of its own: what crashes leave behind in memory goes with it. */
#include "base/secret.h"
#include "cloud.h"
#include "common/log.h"
#include "history.h"
#include "sim.h"
#include "world.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 100
#define JOBS_MAX 64
#define FAILURES_MAX 20
#define EVERYDAY_S 20 /* without arguments: as many seeds as fit, as a part of `make check` */

struct options {
    uint64_t seed, count, seconds;
    unsigned jobs, failures;
    bool trace;
};

static void no_log(enum log_level level, const char *message, const char *message_id,
                   const struct log_field *fields, size_t count, void *arg)
{
    (void)message_id;
    (void)fields;
    (void)count;
    (void)arg;
    sim_note("log %d: %s", level, message);
}

/* Exit status of a block's process: 0 or 1. */
static int run_block(uint64_t first, uint64_t count, bool trace)
{
    for (uint64_t seed = first; seed < first + count; seed++) {
        if (history_run(seed, trace))
            continue;
        printf("seed %llu, at %.3f s: %s\n  replay: make simulate SEED=%llu N=1 TRACE=1\n",
               (unsigned long long)seed, (double)(sim.now_ms - SIM_START_MS) / 1000, sim.violation,
               (unsigned long long)seed);
        fflush(stdout);
        return 1;
    }
    fflush(stdout);
    return 0;
}

static int64_t real_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void start_block(const struct options *options, uint64_t *next)
{
    uint64_t left = options->seed + options->count - *next;
    uint64_t count = left < BLOCK ? left : BLOCK;
    pid_t pid = fork();

    if (pid == 0)
        _exit(run_block(*next, count, options->trace));
    if (pid < 0) {
        perror("fork");
        exit(2);
    }
    *next += count;
}

/* One process ends: 1 for a violation or a crash of the simulator. */
static unsigned wait_block(void)
{
    int status;

    if (wait(&status) < 0)
        return 0;
    if (WIFEXITED(status))
        return WEXITSTATUS(status) != 0;
    printf("a block was ended by signal %d\n", WTERMSIG(status));
    return 1;
}

static int run_all(const struct options *options)
{
    uint64_t next = options->seed, end = options->seed + options->count;
    int64_t begun_ms = real_ms(), limit_ms = (int64_t)options->seconds * 1000;
    unsigned running = 0, failures = 0;

    while (next < end && failures < options->failures &&
           (limit_ms == 0 || real_ms() - begun_ms < limit_ms)) {
        if (running == options->jobs) {
            failures += wait_block();
            running--;
        }
        start_block(options, &next);
        running++;
    }
    while (running-- > 0)
        failures += wait_block();
    printf("%llu seeds from %llu in %.1f s, %u violations\n",
           (unsigned long long)(next - options->seed), (unsigned long long)options->seed,
           (double)(real_ms() - begun_ms) / 1000, failures);
    return failures > 0;
}

static int parse(int argc, char **argv, struct options *options)
{
    static const struct option longs[] = {{"seed", required_argument, NULL, 's'},
                                          {"count", required_argument, NULL, 'n'},
                                          {"seconds", required_argument, NULL, 't'},
                                          {"jobs", required_argument, NULL, 'j'},
                                          {"failures", required_argument, NULL, 'f'},
                                          {"trace", no_argument, NULL, 'v'},
                                          {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (option == 's')
            options->seed = strtoull(optarg, NULL, 0);
        else if (option == 'n')
            options->count = strtoull(optarg, NULL, 0);
        else if (option == 't')
            options->seconds = strtoull(optarg, NULL, 0);
        else if (option == 'j')
            options->jobs = (unsigned)strtoul(optarg, NULL, 0);
        else if (option == 'f')
            options->failures = (unsigned)strtoul(optarg, NULL, 0);
        else if (option == 'v')
            options->trace = true;
        else
            return -1;
    }
    return options->jobs == 0 || options->jobs > JOBS_MAX ? -1 : 0;
}

/* Descriptors of killed agents are closed, but there may be many at once. */
static void raise_limits(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    struct options options = {.seed = 1, .count = 10000, .failures = FAILURES_MAX};
    struct err err = {0};
    int status;

    options.jobs = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    if (argc == 1)
        options.seconds = EVERYDAY_S;
    if (parse(argc, argv, &options) != 0)
        return 2;
    raise_limits();
    setvbuf(stdout, NULL, _IOLBF, 0);
    log_set_sink(no_log, NULL);
    if (secret_heap_init(&err) != 0) {
        fprintf(stderr, "%s\n", err.message);
        return 2;
    }
    world_load_config();
    http_set_transport(cloud_transport, NULL);
    status = run_all(&options);
    world_remove_config();
    return status;
}
