/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of a store: ours alone, on a file system that LMDB may live on, locked for one
 * agent. */
#ifndef KMS_AGENT_STORE_DIRECTORY_H
#define KMS_AGENT_STORE_DIRECTORY_H

#include "common/err.h"

#include <stdbool.h>

#define DIRECTORY_LOCK_NAME "lock.agent"

struct directory {
    char *path;
    int fd;             /* of the directory */
    int lock_fd;        /* flock()ed; the lock goes with it */
    bool is_volatile;   /* nothing survives a reboot */
    bool copy_on_write; /* rewriting a block needs a free one */
};

/* Makes path (mode 0700; its parent must exist) if missing, checks it, takes the lock without
 * waiting. 0, or KMS_ESTORE (naming path and what is wrong), KMS_ENOMEM; nothing is held then.
 * Start-up. */
int directory_open(const char *path, bool allow_volatile, struct directory *ret,
                   struct err *err) KMS_MUST_CHECK;
void directory_close(struct directory *directory);

#endif
