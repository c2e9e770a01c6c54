/* SPDX-License-Identifier: Apache-2.0 */
/* Random bytes and ids; the seam that a simulator seeds. Any thread. */
#ifndef KMS_AGENT_BASE_RANDOM_H
#define KMS_AGENT_BASE_RANDOM_H

#include "common/uuid7.h"

#include <stddef.h>
#include <stdint.h>

/* Fills buf from the kernel (or the seam); aborts if the kernel has none. */
void random_bytes(void *buf, size_t len);
/* Uniform in 0 … bound-1; 0 for bound 0. */
uint64_t random_below(uint64_t bound);
/* A fresh time-ordered id (UUIDv7 of wall time). */
struct uuid random_uuid7(void);
/* Replaces the source; NULL: getrandom(2). Before threads start. */
void random_set_source(void (*fill)(void *buf, size_t len, void *arg), void *arg);

#endif
