/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator's world: true time, chance, what is wrong at the moment. One seed is one history:
 * everything below is drawn from it. Single thread. */
#ifndef KMS_TESTS_SIMULATE_SIM_H
#define KMS_TESTS_SIMULATE_SIM_H

#include "common/err.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#define SIM_START_MS 1750000000000LL

enum trouble {
    TROUBLE_NONE,
    TROUBLE_NOISE, /* single calls fail in every way */
    TROUBLE_RESET, /* no connection */
    TROUBLE_HOLE,  /* nothing comes back, in time */
    TROUBLE_503,
    TROUBLE_THROTTLE,
    TROUBLE_DENIED,  /* one action is denied */
    TROUBLE_BAD_KEY, /* the management key is not accepted */
    TROUBLE_COUNT,
};

struct sim {
    uint64_t seed, random;
    bool trace, active;
    int64_t now_ms;        /* true time: the cloud's clock */
    int64_t wall_shift_ms; /* the agent's wall clock minus true time */
    bool jumped;           /* the wall clock was set; the watch has not told yet */
    int64_t doubted_ms;    /* true time since which the agent should doubt the wall clock */
    enum trouble trouble;
    char denied[64];       /* TROUBLE_DENIED: which action */
    bool path_scoped;      /* denials for users that are not there, but for GetUser */
    unsigned crash_chance; /* chance of a crash at each point, in ten-thousandths */
    unsigned crashes, stops;
    int64_t suspended_ms; /* CLOCK_MONOTONIC stood still that long */
    bool calm;            /* nothing goes wrong in this seed */
    bool store_full;      /* commits that are not urgent fail; urgent ones sometimes, or … */
    bool store_shut;      /* … all of them */
    bool refused;         /* AWS refused something for good, ever in this seed */
    bool store_troubled;  /* ever, in this seed */
    bool ending;          /* healed: nothing goes wrong any more … */
    int64_t healed_ms;    /* … since then */
    unsigned depth;       /* jobs begun inside another job's call */
    uint64_t events;      /* of all kinds; what a seed was worth */
    unsigned idle_turns;  /* turns without time passing */
    bool violated;
    char violation[512];
    jmp_buf crash, over; /* the agent is killed; the seed has ended */
};
extern struct sim sim;

/* Begins the history of a seed; installs the clocks and the random source. */
void sim_begin(uint64_t seed, bool trace);
/* 0 … n-1. */
uint64_t sim_random(uint64_t n);
/* True in n of 10000 cases. */
bool sim_chance(unsigned n);
int64_t sim_between(int64_t low, int64_t high);
/* Time passes (for the cloud too). */
void sim_pass(int64_t ms);
int64_t sim_boot_ms(void);
/* What happens, when a trace was asked for. */
void sim_note(const char *format, ...) KMS_PRINTF(1, 2);
/* An invariant does not hold: the seed ends here. */
_Noreturn void sim_violation(const char *format, ...) KMS_PRINTF(1, 2);
/* The agent may be killed here. */
void sim_crash_point(const char *where);
/* Plans, of main's: what happens meanwhile in the same process, inside a call that waits. */
void sim_meanwhile(void);

#endif
