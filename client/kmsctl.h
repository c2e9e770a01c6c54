/* SPDX-License-Identifier: Apache-2.0 */
/* kmsctl: what the verbs share. One thread. Each verb is a function in a file of its own, with a row in the
 * table of kmsctl.c that also feeds --help.
 */
#ifndef KMS_CLIENT_KMSCTL_H
#define KMS_CLIENT_KMSCTL_H

#include "client/call.h"
#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

#define KMSCTL_LIST_MAX 100000 /* rows that are asked for unless --limit says otherwise */

/* The command line, and the connection. */
struct kmsctl {
    int64_t answer_ms; /* how long to wait for an answer; 0: CALL_ANSWER_MS */
    struct call *call;
    const char *socket, *secret, *state, *since, *lease, *holder; /* NULL: not given */
    int64_t ttl_s;                                       /* -1: not given */
    uint64_t limit;
    bool json, show, all, keep, report, rotate_root;
    bool everyone; /* a list of what is not only this peer's own */
    bool hide; /* secrets must not be printed: a terminal without --show */
    int argc;  /* the verb's own arguments, options taken out */
    char **argv;
};

/* A verb answers 0, a positive exit code of its own, or a negative KMS_E… with err filled. */
typedef int kmsctl_fn(struct kmsctl *ctl, struct err *err);

kmsctl_fn kmsctl_status, kmsctl_secrets, kmsctl_secret, kmsctl_leases, kmsctl_lease, kmsctl_issue,
    kmsctl_renew, kmsctl_revoke, kmsctl_audit, kmsctl_reload, kmsctl_ready, kmsctl_check,
    kmsctl_config, kmsctl_policy, kmsctl_doctor, kmsctl_sweep, kmsctl_metrics,
    kmsctl_rotate_root;

#endif
