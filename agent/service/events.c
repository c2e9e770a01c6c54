/* SPDX-License-Identifier: Apache-2.0 */
#include "service/events.h"

#include <stdio.h>
#include <stdlib.h>

void events_call_of(const struct err *err, struct lease_call *ret)
{
    snprintf(ret->action, sizeof ret->action, "%s", err->aws_action);
    snprintf(ret->request_id, sizeof ret->request_id, "%s", err->aws_request_id);
}

struct audit_op {
    struct store_op op;
    struct audit audit;
};

static int append(struct store_txn *txn, void *arg, struct err *err)
{
    const struct audit_op *audit_op = arg;

    return store_audit(txn, &audit_op->audit, err);
}

/* Writer thread. */
static void appended(struct store_op *op)
{
    free(op->arg);
}

void events_audit(struct store *store, const struct audit *audit)
{
    struct audit_op *audit_op = calloc(1, sizeof *audit_op);

    if (audit_op == NULL)
        return;
    audit_op->audit = *audit;
    audit_op->op.apply = append;
    audit_op->op.done = appended;
    audit_op->op.arg = audit_op;
    store_submit(store, &audit_op->op);
}
