/* SPDX-License-Identifier: Apache-2.0 */
/* Making the agent's own socket file. Main thread, before other threads start (the umask is the process's). */
#ifndef KMS_AGENT_FRONT_SOCKET_BIND_H
#define KMS_AGENT_FRONT_SOCKET_BIND_H

#include "common/err.h"

#include <stdint.h>

#define SOCKET_GROUP_UNCHANGED UINT32_MAX

/* Binds and listens at path with mode and group (gid, or SOCKET_GROUP_UNCHANGED) in place before anyone can connect.
 * The directory must exist; a socket file that nobody answers at is replaced, one that answers is not.
 * 0 and the descriptor (nonblocking, CLOEXEC) in *ret, or KMS_ECONFIG. */
int socket_bind(const char *path, uint32_t mode, uint32_t gid, int *ret, struct err *err) KMS_MUST_CHECK;
/* Removes the socket file if it is still the one that fd listens on. */
void socket_unlink(const char *path, int fd);

#endif
