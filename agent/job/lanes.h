/* SPDX-License-Identifier: Apache-2.0 */
/* Which job may start next: queues per lane, with a reserved minimum of threads for each lane, and
 * within a lane one after the other per way (where a job's AWS calls go), so that calls to one
 * endpoint that hang leave threads for the others. No locking (the pool's lock covers it), no
 * threads. */
#ifndef KMS_AGENT_JOB_LANES_H
#define KMS_AGENT_JOB_LANES_H

#include "job/job.h"
#include "job/way_queue.h"

struct lane {
    struct way_queue resumed, fresh; /* jobs that ran before go first */
    unsigned client_waiting;         /* waiting jobs that count against queue_max */
    unsigned running;
    unsigned reserve; /* threads that other lanes may not take */
    unsigned slot_running[WAY_SLOTS];
};

struct lanes {
    struct lane lane[LANE_COUNT];
    unsigned threads_max, running;
    unsigned slot_running[WAY_SLOTS];
    unsigned lane_slot_max, slot_max; /* threads of one slot: in a lane, in all */
};

/* Shares threads_max out: 8, 8, 8 and 2 of 64, fewer in proportion, at least one each while there
 * are enough. A way gets a quarter of the threads in each lane, at least one, and outside the lane of
 * revocations it starts none while it has half of all. */
void lanes_init(struct lanes *lanes, unsigned threads_max);
/* Appends job to its lane; resumed, or job->first: behind the resumed ones, before all fresh ones.
 */
void lanes_push(struct lanes *lanes, struct job *job, bool resumed);
/* Takes the first job that may start and counts it as running; NULL if none may. Order of lanes:
 * the enum's. */
struct job *lanes_start(struct lanes *lanes);
/* A job that lanes_start() gave has ended. */
void lanes_end(struct lanes *lanes, const struct job *job);
/* Takes the pick-th (modulo their number) waiting job, whatever its lane, without counting it as
 * running. */
struct job *lanes_take(struct lanes *lanes, uint64_t pick);
/* Takes a waiting job out of its lane; false: it is not waiting. */
bool lanes_withdraw(struct lanes *lanes, struct job *job);
/* Jobs waiting in a lane. */
unsigned lanes_waiting(const struct lanes *lanes, enum job_lane lane);

#endif
