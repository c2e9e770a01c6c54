/* SPDX-License-Identifier: Apache-2.0 */
/* clock_watch.h and process.h without a kernel: the wall clock is sim's, processes are pipes. */
#ifndef KMS_TESTS_SIMULATE_FAKE_WATCH_H
#define KMS_TESTS_SIMULATE_FAKE_WATCH_H

#include "model/lease.h"

/* Tells the scheduler what its timer would: the time that was set has come, the clock was set. */
bool fake_watch_turn(void);
/* True time when the timer that is set goes off; 0: not set. */
int64_t fake_watch_next_ms(void);
void fake_watch_forget(void);

#define PROCESSES_MAX 64
/* No processes. */
void fake_process_reset(void);
/* A new process; its number, from 1, is its pid. */
int fake_process_start(struct lease_process *ret);
bool fake_process_lives(int pid);
void fake_process_exit(int pid);
/* True time of its exit; 0: it lives. */
int64_t fake_process_exited_ms(int pid);
/* A descriptor that becomes readable when it exits; at once if it has. */
int fake_process_pidfd(int pid);
/* The agent's descriptors were closed. */
void fake_process_forget_fds(void);

#endif
