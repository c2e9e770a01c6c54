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

#include <ctype.h>
#include <errno.h>
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
#define NUMBER_MAX 1000000000000 /* sums of two of them fit */
#define EVERYDAY_S 20 /* without arguments: as many seeds as fit, as a part of `make check` */

struct options {
    uint64_t seed, count, seconds, jobs, failures;
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
    uint64_t running = 0, failures = 0;

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
    printf("%llu seeds from %llu in %.1f s, %llu violations\n",
           (unsigned long long)(next - options->seed), (unsigned long long)options->seed,
           (double)(real_ms() - begun_ms) / 1000, (unsigned long long)failures);
    return failures > 0;
}

/* Digits only: "abc" is not 0, and 0 seeds show nothing. */
static int parse_number(const char *name, const char *text, uint64_t least, uint64_t most,
                        uint64_t *ret_number)
{
    char *end;
    uint64_t number;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || number < least ||
        number > most) {
        fprintf(stderr, "--%s %s: not a number from %llu to %llu\n", name, text,
                (unsigned long long)least, (unsigned long long)most);
        return -1;
    }
    *ret_number = number;
    return 0;
}

static void print_help(void)
{
    puts("Usage: kms-simulate [--seed S] [--count N] [--seconds S] [--jobs N] [--failures N] "
         "[--trace]\n\n"
         "Runs N histories of the agent in a simulated world, the first of seed S (1; 10000 of\n"
         "them; without any option as many as fit into 20 s), and tells every promise that one\n"
         "breaks.\n\n"
         "  --seconds S   no new ones after that long\n"
         "  --jobs N      processes side by side (the number of CPUs)\n"
         "  --failures N  stop after that many\n"
         "  --trace       tell what happens, line by line\n\n"
         "Status: 0 all held, 1 a promise was broken, 2 bad options.");
}

static int parse(int argc, char **argv, struct options *options)
{
    static const struct option longs[] = {
        {"seed", required_argument, NULL, 0},     {"count", required_argument, NULL, 1},
        {"seconds", required_argument, NULL, 2},  {"jobs", required_argument, NULL, 3},
        {"failures", required_argument, NULL, 4}, {"trace", no_argument, NULL, 5},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
    const struct {
        uint64_t least, most, *ret;
    } numbers[] = {{0, NUMBER_MAX, &options->seed},
                   {1, NUMBER_MAX, &options->count},
                   {1, NUMBER_MAX, &options->seconds},
                   {1, JOBS_MAX, &options->jobs},
                   {1, NUMBER_MAX, &options->failures}};
    int option;

    while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (option == 'h') {
            print_help();
            exit(0);
        }
        if (option == 5)
            options->trace = true;
        else if (option == '?' || parse_number(longs[option].name, optarg, numbers[option].least,
                                               numbers[option].most, numbers[option].ret) != 0)
            return -1;
    }
    if (optind != argc) {
        fprintf(stderr, "%s: not an option\n", argv[optind]);
        return -1;
    }
    return 0;
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

    options.jobs = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
    if (options.jobs > JOBS_MAX)
        options.jobs = JOBS_MAX;
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
