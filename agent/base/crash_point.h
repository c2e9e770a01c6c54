/* SPDX-License-Identifier: Apache-2.0 */
/* Named places where a test build kills itself: KMS_CRASH_AT="name" or "name:N" (the Nth pass, from 1).
 * Without KMS_TEST_HOOKS (configure --enable-test-hooks) there is no code at all. Any thread. */
#ifndef KMS_AGENT_BASE_CRASH_POINT_H
#define KMS_AGENT_BASE_CRASH_POINT_H

#ifdef KMS_TEST_HOOKS
/* SIGKILLs the process when KMS_CRASH_AT names this pass. */
void crash_point(const char *name);
#else
static inline void crash_point(const char *name)
{
    (void)name;
}
#endif

#endif
