/* SPDX-License-Identifier: Apache-2.0 */
/* The process at the other end, as the kernel names it. Filled by front/ at accept; read by service/. */
#ifndef KMS_AGENT_SERVICE_PEER_H
#define KMS_AGENT_SERVICE_PEER_H

#include "model/lease.h"
#include "policy/policy.h"

#include <stdbool.h>
#include <stdint.h>

#define PEER_GROUPS_MAX 65536  /* NGROUPS_MAX */

struct peer {
    uint32_t uid, gid;
    int32_t pid;              /* 0: in another pid namespace */
    int pidfd;                /* -1: none (the process is gone, or see pidfd_error) */
    int pidfd_error;          /* errno of getting the pidfd; 0 when there is one */
    uint32_t *groups;         /* SO_PEERGROUPS, malloc'd */
    size_t group_count;
    char command[LEASE_COMMAND_MAX + 1];
    char unit[LEASE_UNIT_MAX + 1];  /* verified unit, empty: unknown */
    bool unit_looked_up;
    /* Looks up the unit now (verified against the pidfd); called only when a unit rule decides. Seam for tests. */
    void (*look_up_unit)(struct peer *peer);
};

#endif
