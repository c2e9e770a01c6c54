/* SPDX-License-Identifier: Apache-2.0 */
/* Time. Three clocks: wall (CLOCK_REALTIME), boot (CLOCK_BOOTTIME, for waits and deadlines) and AWS
 * time (wall plus the offset seen in Date headers: leases, fences and expiries live on it). All
 * milliseconds. Any thread.
 */
#ifndef KMS_AGENT_BASE_CLOCK_H
#define KMS_AGENT_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_MINT_SKEW_MAX_MS                                                                     \
    240000 /* above this offset mints are refused (SigV4 takes about 300 s) */

/* The seam: a simulator or a test build replaces these. */
struct clock_source {
    int64_t (*wall_ms)(void *arg);
    int64_t (*boot_ms)(void *arg);
    void *arg;
};

/* Replaces the source (NULL: the kernel's). Before threads start. */
void clock_set_source(const struct clock_source *source);
/* Test builds (KMS_TEST_HOOKS): wall time is shifted by the int64 milliseconds found in the file
 * named by the environment variable KMS_TEST_CLOCK, mapped shared, so that a test can move the
 * agent's clock; a second int64 shifts the boot clock (both: time that passed, as in a suspend).
 * No-op otherwise. */
void clock_init(void);
/* The second one; 0 outside test builds. */
int64_t clock_boot_shift_ms(void);

int64_t clock_wall_ms(void);
int64_t clock_boot_ms(void);
int64_t clock_aws_ms(void);

/* A Date header: its time, and the wall time when the request went out and the answer came. The
 * offset moves to the nearest value that the Date (a whole second) allows; clocks that agree have
 * offset 0. One that is more than a minute from what is known (from this host's clock, where nothing
 * is) puts that in doubt, as a jump does, and counts when one of a later call says the same. */
void clock_observe_aws(int64_t date_ms, int64_t sent_wall_ms, int64_t received_wall_ms);
/* How many such Dates there have been: another number means that AWS's time should be asked for. */
unsigned clock_doubts(void);
/* A clock jump, the end of a suspend: clock_offset() answers false until the next Date.
 * clock_aws_ms() goes on from what was known, by the boot clock. */
void clock_doubt_offset(void);
/* Forgets the offset (tests): clock_aws_ms() is wall time until the next Date. */
void clock_void_offset(void);
/* Whether an offset is known and not in doubt; *ret_ms (may be NULL) is AWS minus wall, within a
 * millisecond or two. */
bool clock_offset(int64_t *ret_ms);

#endif
