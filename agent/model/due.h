/* SPDX-License-Identifier: Apache-2.0 */
/* When a lease next needs the agent, and what for. Pure: derived from the record, so the due index can never
 * disagree with the lease table. */
#ifndef KMS_AGENT_MODEL_DUE_H
#define KMS_AGENT_MODEL_DUE_H

#include "model/lease.h"

/* Values are stored. */
enum due_action {
    DUE_NONE = 0,
    DUE_RECOVER = 1,      /* ISSUING past its deadline: revoke */
    DUE_UNDELIVERED = 2,  /* ACTIVE, reply not known to be delivered, past its deadline: revoke */
    DUE_RENEW = 3,        /* bound IAM user: renew while the process lives */
    DUE_EXPIRE = 4,       /* ACTIVE and past its end: revoke (a session: forget it) */
    DUE_REVOKE = 5,       /* REVOKING: next attempt */
    DUE_PRUNE = 6,        /* REVOKED long enough: forget the record */
    DUE_FENCE = 7,        /* ACTIVE, and the fence may be later than the end: put it there */
};

#define DUE_MINT_DEADLINE_MS 90000     /* an ISSUING or undelivered lease older than this is recovered */
#define DUE_REVOKED_KEEP_MS 86400000   /* a REVOKED record is kept this long for `kmsctl lease` */
#define DUE_LOOK_MS 60000              /* the scheduler looks this often, whatever it was told */
#define DUE_RENEW_SPARE_MS 120000      /* bound leases renew with min(this, half the TTL) to spare */
#define DUE_RENEW_TTL_MIN_S 70         /* shorter leases are not renewed by the agent */
/* NoSuchEntity means gone only this long after CreateUser was sent: five minutes, and what the call itself and the
 * whole seconds of a Date may take. */
#define LEASE_GUARD_MS 315000

struct due {
    enum due_action action;  /* DUE_NONE: nothing ever */
    int64_t at_ms;           /* AWS time */
};

/* The next due row of the record. */
struct due due_next(const struct lease *lease);

#endif
