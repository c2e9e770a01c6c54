/* SPDX-License-Identifier: Apache-2.0 */
/* What doctor can see without the agent: the socket, who asks, and what would get in the way of a
 * leased credential. Libc only; one thread. */
#ifndef KMS_CLIENT_DOCTOR_LOCAL_H
#define KMS_CLIENT_DOCTOR_LOCAL_H

/* level: "ok", "info", "warn" or "fail"; text: one sentence. */
typedef void doctor_local_fn(void *arg, const char *level, const char *what, const char *text);

void doctor_local(const char *socket, doctor_local_fn *say, void *arg);

#endif
