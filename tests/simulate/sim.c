/* SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"

#include "base/clock.h"
#include "base/random.h"
#include "cloud.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BOOT_START_MS 100000000LL

struct sim sim;

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators). */
static uint64_t next_random(void)
{
    uint64_t z = (sim.random += 0x9e3779b97f4a7c15ULL);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

uint64_t sim_random(uint64_t n)
{
    return n == 0 ? 0 : next_random() % n;
}

bool sim_chance(unsigned n)
{
    return n > 0 && sim_random(10000) < n;
}

int64_t sim_between(int64_t low, int64_t high)
{
    return low + (int64_t)sim_random((uint64_t)(high - low) + 1);
}

/* ---- what the agent sees ---- */

static void fill_random(void *buf, size_t len, void *arg)
{
    unsigned char *bytes = buf;

    (void)arg;
    for (size_t i = 0; i < len; i++)
        bytes[i] = (unsigned char)next_random();
}

static int64_t wall_ms(void *arg)
{
    (void)arg;
    return sim.now_ms + sim.wall_shift_ms;
}

int64_t sim_boot_ms(void)
{
    return BOOT_START_MS + sim.now_ms - SIM_START_MS;
}

static int64_t boot_ms(void *arg)
{
    (void)arg;
    return sim_boot_ms();
}

/* libevent's clock: its timers run on simulated time. */
__attribute__((visibility("default"))) int clock_gettime(clockid_t id, struct timespec *ts)
{
    int64_t ms = sim_boot_ms() - sim.suspended_ms;

    if (!sim.active || (id != CLOCK_MONOTONIC && id != CLOCK_MONOTONIC_COARSE))
        return (int)syscall(SYS_clock_gettime, id, ts);
    ts->tv_sec = (time_t)(ms / 1000);
    ts->tv_nsec = (long)(ms % 1000) * 1000000;
    return 0;
}

void sim_begin(uint64_t seed, bool trace)
{
    static const struct clock_source source = {wall_ms, boot_ms, NULL};

    memset(&sim, 0, sizeof sim);
    sim.seed = seed;
    sim.random = seed * 0x2545f4914f6cdd1dULL + 1;
    sim.trace = trace;
    sim.now_ms = SIM_START_MS + sim_between(0, 999);
    sim.active = true;
    clock_set_source(&source);
    clock_void_offset();
    random_set_source(fill_random, NULL);
}

void sim_pass(int64_t ms)
{
    if (ms > 0)
        sim.idle_turns = 0;
    sim.now_ms += ms;
    cloud_time_passed();
}

/* ---- telling ---- */

void sim_note(const char *format, ...)
{
    va_list args;

    sim.events++;
    if (!sim.trace)
        return;
    printf("%10.3f %*s", (double)(sim.now_ms - SIM_START_MS) / 1000, (int)sim.depth * 2, "");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

void sim_violation(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(sim.violation, sizeof sim.violation, format, args);
    va_end(args);
    sim.violated = true;
    sim_note("VIOLATION: %s", sim.violation);
    longjmp(sim.over, 1);
}

void sim_crash_point(const char *where)
{
    if (sim.ending || !sim_chance(sim.crash_chance))
        return;
    sim_note("crash %s", where);
    longjmp(sim.crash, 1);
}
