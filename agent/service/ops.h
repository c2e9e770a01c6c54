/* SPDX-License-Identifier: Apache-2.0 */
/* The methods: one row each with the parameters it knows and needs and the function that does it. Loop thread. */
#ifndef KMS_AGENT_SERVICE_OPS_H
#define KMS_AGENT_SERVICE_OPS_H

#include "service/request.h"

/* Owns request from here: answers it, now or when its job is done. request->params are checked, request->peer is the
 * connection's until the function returns. Who may call the method at all (ops.def) was checked. */
typedef void op_run_fn(struct request *request);

struct op {
    uint32_t known, required; /* PARAM_BITs */
    op_run_fn *run;
};
extern const struct op ops[METHOD_COUNT];

void op_lease_issue(struct request *request);
void op_lease_renew(struct request *request);
/* {lease_id}; {secret, all} goes on in op_revoke_all(). */
void op_lease_revoke(struct request *request);
void op_revoke_all(struct request *request);
void op_lease_get(struct request *request);
void op_lease_list(struct request *request);
void op_secret_list(struct request *request);
void op_secret_get(struct request *request);
void op_secret_policy(struct request *request);
void op_agent_doctor(struct request *request);
void op_secret_rotate_root(struct request *request);
void op_audit_list(struct request *request);
void op_agent_status(struct request *request);
void op_agent_reload(struct request *request);
void op_agent_metrics(struct request *request);
void op_agent_sweep(struct request *request);

#endif
