/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that leases are bound to: when one exits, its lease is revoked. Loop thread. */
#ifndef KMS_AGENT_SCHEDULE_PEER_EXIT_H
#define KMS_AGENT_SCHEDULE_PEER_EXIT_H

#include "schedule/schedule.h"
#include "schedule/tasks.h"

struct peer_exit;
struct peer_exit_options {
    struct event_base *base;
    struct lease_env *env;
    const struct schedule_hooks *hooks;
    struct tasks *tasks;
};

int peer_exit_new(const struct peer_exit_options *options, struct peer_exit **ret,
                  struct err *err) KMS_MUST_CHECK;
/* No more events; a process that exits from here on is found at the next start. */
void peer_exit_stop(struct peer_exit *peers);
/* After tasks_stop(); leaks on purpose while its jobs run. */
void peer_exit_free(struct peer_exit *peers);
/* Takes pidfd (closed here, also on failure); the caller saw that descriptors_take_bound() allows
 * it, and has given that back: it is counted here. Replaces an earlier binding of the lease. 0,
 * KMS_ENOMEM, KMS_EINTERNAL (pidfd < 0). */
int peer_exit_bind(struct peer_exit *peers, const struct uuid *lease_id, int pidfd,
                   struct err *err) KMS_MUST_CHECK;
/* The process is known to be gone. 0 or KMS_ENOMEM. */
int peer_exit_gone(struct peer_exit *peers, const struct uuid *lease_id,
                   struct err *err) KMS_MUST_CHECK;
/* The lease has ended: its process does not matter any more. Fine for leases that are not bound. */
void peer_exit_unbind(struct peer_exit *peers, const struct uuid *lease_id);
/* Watched and not known to have exited. */
bool peer_exit_lives(const struct peer_exit *peers, const struct uuid *lease_id);
bool peer_exit_bound(const struct peer_exit *peers, const struct uuid *lease_id);
/* Bound leases whose process is not known to be gone, into ids (size *ret_count from
 * peer_exit_count()). */
void peer_exit_list(const struct peer_exit *peers, struct uuid *ids, size_t size,
                    size_t *ret_count);
size_t peer_exit_count(const struct peer_exit *peers);
/* Tries again at once what waits to be revoked (simulator). */
void peer_exit_advance(struct peer_exit *peers);

#endif
