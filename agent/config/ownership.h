/* SPDX-License-Identifier: Apache-2.0 */
/* Reading only what root or the agent's own user wrote. Blocks on files: start-up or a worker. */
#ifndef KMS_AGENT_CONFIG_OWNERSHIP_H
#define KMS_AGENT_CONFIG_OWNERSHIP_H

#include "common/err.h"

#include <stddef.h>

#define OWNERSHIP_FILE_MAX 1048576  /* bytes of a configuration file */

/* Reads a regular file of at most max bytes. It, its directory and, behind a symbolic link, the directory of what
 * it names must belong to root or the effective user and be writable by nobody else (a sticky directory of root is
 * fine). *ret is NUL-terminated and malloc'd; KMS_ECONFIG with the reason, which does not name the path. */
int ownership_read(const char *path, size_t max, char **ret, size_t *ret_len, struct err *err) KMS_MUST_CHECK;
/* The same rule for a file that is not read here (it must exist). */
int ownership_check_file(const char *path, struct err *err) KMS_MUST_CHECK;
/* The rule for a directory of drop-ins. */
int ownership_check_directory(const char *path, struct err *err) KMS_MUST_CHECK;

#endif
