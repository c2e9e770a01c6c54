/* SPDX-License-Identifier: Apache-2.0 */
/* The agent as one process: made, driven by hand, killed, stopped, made again. */
#ifndef KMS_TESTS_SIMULATE_WORLD_H
#define KMS_TESTS_SIMULATE_WORLD_H

#include "config/config.h"
#include "schedule/schedule.h"

struct world {
    struct event_base *base;
    struct mailbox *mailbox;
    struct lease_env env;
    struct schedule *schedule;
    struct lease_worker worker;
    bool alive;
    unsigned boots;
};
extern struct world world;

/* Once: the configuration of all seeds, from files in a directory that is removed at exit. */
void world_load_config(void);
void world_remove_config(void);
struct config *world_config(void);
void world_begin(void);
void world_boot(void);
/* After a longjmp to sim.crash: all that was in memory is left behind. */
void world_killed(void);
/* SIGTERM. */
void world_stop(void);
/* Everything that can happen at this time happens, in an order that chance picks. */
void world_turn(void);
/* One bit of it, inside a call that another job makes. */
void world_turn_once(void);
/* A lease has a job. */
bool world_busy(void);
/* True time when something is next to happen in the agent. */
int64_t world_next_ms(void);

#endif
