/* SPDX-License-Identifier: Apache-2.0 */
#include "schedule/audit_prune.h"

#include "base/clock.h"
#include "common/log.h"

#include <stdlib.h>

#define PRUNE_INTERVAL_S 60
#define PRUNE_LINES 1000 /* a minute: 1.4 million lines a day, more than an agent writes */

struct audit_prune {
    struct store *store;
    struct event *timer;
    int64_t retention_s;
};

struct prune_op {
    struct store_op op;
    int64_t before_ms;
};

static int apply_prune(struct store_txn *txn, void *arg, struct err *err)
{
    return store_audit_prune(txn, ((struct prune_op *)arg)->before_ms, PRUNE_LINES, err);
}

static void prune_done(struct store_op *op)
{
    if (op->rc != 0)
        log_warning("audit log: old lines could not be deleted: %s", op->err.message);
    free(op->arg);
}

static void prune_tick(evutil_socket_t fd, short what, void *arg)
{
    struct audit_prune *prune = arg;
    struct prune_op *prune_op;

    (void)fd;
    (void)what;
    if (prune->retention_s <= 0 || !clock_offset(NULL))
        return; /* a clock in doubt must not delete history */
    prune_op = calloc(1, sizeof *prune_op);
    if (prune_op == NULL)
        return;
    prune_op->before_ms = clock_aws_ms() - prune->retention_s * 1000;
    prune_op->op.apply = apply_prune;
    prune_op->op.done = prune_done;
    prune_op->op.arg = prune_op;
    store_submit(prune->store, &prune_op->op);
}

int audit_prune_new(struct event_base *base, struct store *store, int64_t retention_s,
                    struct audit_prune **ret, struct err *err)
{
    struct audit_prune *prune = calloc(1, sizeof *prune);
    struct timeval interval = {.tv_sec = PRUNE_INTERVAL_S};

    if (prune == NULL)
        return err_set(err, KMS_ENOMEM, "no memory for the audit log's timer");
    prune->store = store;
    prune->retention_s = retention_s;
    prune->timer = event_new(base, -1, EV_PERSIST, prune_tick, prune);
    if (prune->timer == NULL || event_add(prune->timer, &interval) != 0) {
        audit_prune_free(prune);
        return err_set(err, KMS_ENOMEM, "no memory for the audit log's timer");
    }
    *ret = prune;
    return 0;
}

void audit_prune_set_retention(struct audit_prune *prune, int64_t retention_s)
{
    prune->retention_s = retention_s;
}

void audit_prune_free(struct audit_prune *prune)
{
    if (prune == NULL)
        return;
    if (prune->timer != NULL)
        event_free(prune->timer);
    free(prune);
}
