/* SPDX-License-Identifier: Apache-2.0 */
/* Which kind of thread runs: folder = thread, asserted at entry in debug builds (no NDEBUG). */
#ifndef KMS_AGENT_BASE_THREAD_ROLE_H
#define KMS_AGENT_BASE_THREAD_ROLE_H

#include <assert.h>

/* THREAD_ANY: not set (tests, start-up); asserts pass on it. */
enum thread_role { THREAD_ANY, THREAD_LOOP, THREAD_WORKER, THREAD_STORE };
extern _Thread_local enum thread_role thread_role;

#define ASSERT_ON_LOOP() assert(thread_role == THREAD_ANY || thread_role == THREAD_LOOP)
#define ASSERT_ON_WORKER() assert(thread_role == THREAD_ANY || thread_role == THREAD_WORKER)
#define ASSERT_ON_STORE() assert(thread_role == THREAD_ANY || thread_role == THREAD_STORE)

#endif
