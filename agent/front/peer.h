/* SPDX-License-Identifier: Apache-2.0 */
/* Who is at the other end of a socket, asked of the kernel: the provider of struct peer. Loop thread. */
#ifndef KMS_AGENT_FRONT_PEER_H
#define KMS_AGENT_FRONT_PEER_H

#include "common/err.h"
#include "service/peer.h"

/* SO_PEERCRED, SO_PEERGROUPS and SO_PEERPIDFD (before Linux 6.5: pidfd_open of the pid, given up when the socket is
 * closed by then or the process has another uid). A pidfd that cannot be had is -1: unit rules and binding fail then.
 * 0, or KMS_EDENIED when uid and groups cannot be told. peer_done() frees. */
int peer_init(struct peer *peer, int fd, struct err *err) KMS_MUST_CHECK;
void peer_done(struct peer *peer);

#endif
