/* SPDX-License-Identifier: Apache-2.0 */
/* Making the agent's own socket file, and knowing it again. Loop thread. */
#ifndef KMS_AGENT_FRONT_SOCKET_BIND_H
#define KMS_AGENT_FRONT_SOCKET_BIND_H

#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

#define SOCKET_GROUP_UNCHANGED UINT32_MAX

/* Binds and listens at path with mode and group (gid, or SOCKET_GROUP_UNCHANGED) in place before anyone can connect.
 * The directory must exist; a socket file that nobody answers at is replaced, one that answers is not.
 * 0 and the descriptor (nonblocking, CLOEXEC) in *ret, or KMS_ECONFIG. */
int socket_bind(const char *path, uint32_t mode, uint32_t gid, int *ret, struct err *err) KMS_MUST_CHECK;
/* A file as it is told from another of the same name. */
struct socket_file {
    uint32_t dev_major, dev_minor;
    uint64_t ino;
    int64_t born_s; /* inode numbers are used again; 0 where the file system does not say */
    uint32_t born_ns;
};
/* 0, or -1 with errno. */
int socket_file_of(const char *path, struct socket_file *ret) KMS_MUST_CHECK;
/* Whether that file is at path. */
bool socket_file_is(const char *path, const struct socket_file *file);
/* Removes the socket file if it is still that one. */
void socket_unlink(const char *path, const struct socket_file *file);

#endif
