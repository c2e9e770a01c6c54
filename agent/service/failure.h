/* SPDX-License-Identifier: Apache-2.0 */
/* What was allowed and came to nothing, for the audit log and the journal: at most
 * FAILURES_PER_MINUTE of one uid, like denials (access.h), so that a client that tries for ever
 * fills neither. Loop thread. */
#ifndef KMS_AGENT_SERVICE_FAILURE_H
#define KMS_AGENT_SERVICE_FAILURE_H

#include "service/context.h"

#define FAILURES_PER_MINUTE 10

struct failure {
    const struct lease_owner *actor;
    const char *secret;        /* NULL: none */
    const struct lease *lease; /* NULL: none */
    const struct err *err;
    bool audited; /* it has its audit line: of a mint that had its intent, in the lease's own
                     transaction */
    bool logged;  /* it has its line in the journal */
};

/* Not of what the agent itself gave up because it stops. The line is written some time soon. */
void failure_record(struct service *service, const struct failure *failure);

#endif
