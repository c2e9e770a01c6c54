/* SPDX-License-Identifier: Apache-2.0 */
/* Compares the bound leases of the store with the processes that are watched: at start it finds the
 * processes of the last run again, later it drops what is no longer bound and takes up what could
 * not be opened before. The reading is a worker's. */
#ifndef KMS_AGENT_SCHEDULE_BOUND_SCAN_H
#define KMS_AGENT_SCHEDULE_BOUND_SCAN_H

#include "schedule/peer_exit.h"

struct bound_scan;
struct bound_scan_options {
    struct event_base *base;
    struct lease_env *env;
    const struct schedule_hooks *hooks;
    struct tasks *tasks;
    struct peer_exit *peers;
};

int bound_scan_new(const struct bound_scan_options *options, struct bound_scan **ret,
                   struct err *err) KMS_MUST_CHECK;
/* Scans now, then every ten minutes (each minute while something went wrong). Loop. */
void bound_scan_start(struct bound_scan *scan);
void bound_scan_stop(struct bound_scan *scan);
/* After tasks_stop(); leaks on purpose while its job runs. */
void bound_scan_free(struct bound_scan *scan);

#endif
