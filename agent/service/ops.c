/* SPDX-License-Identifier: Apache-2.0 */
#include "service/ops.h"

#define B(name) PARAM_BIT(PARAM_##name)

const struct op ops[METHOD_COUNT] = {
    [METHOD_LEASE_ISSUE] = {B(SECRET) | B(TTL_S) | B(REGION) | B(BIND), B(SECRET), op_lease_issue},
    [METHOD_LEASE_RENEW] = {B(LEASE_ID) | B(TTL_S), B(LEASE_ID), op_lease_renew},
    [METHOD_LEASE_REVOKE] = {B(LEASE_ID) | B(SECRET) | B(ALL), 0, op_lease_revoke},
    [METHOD_LEASE_GET] = {B(LEASE_ID), B(LEASE_ID), op_lease_get},
    [METHOD_LEASE_LIST] = {B(SECRET) | B(STATE) | B(ALL) | B(LIMIT) | B(CURSOR), 0, op_lease_list},
    [METHOD_SECRET_LIST] = {B(ALL), 0, op_secret_list},
    [METHOD_SECRET_GET] = {B(SECRET), B(SECRET), op_secret_get},
    [METHOD_SECRET_POLICY] = {B(SECRET), B(SECRET), op_secret_policy},
    [METHOD_SECRET_ROTATE_ROOT] = {B(SECRET), B(SECRET), op_secret_rotate_root},
    [METHOD_AUDIT_LIST] = {B(SINCE) | B(LEASE_ID) | B(LIMIT) | B(CURSOR), 0, op_audit_list},
    [METHOD_AGENT_STATUS] = {0, 0, op_agent_status},
    [METHOD_AGENT_DOCTOR] = {B(SECRET), 0, op_agent_doctor},
    [METHOD_AGENT_RELOAD] = {0, 0, op_agent_reload},
    [METHOD_AGENT_METRICS] = {0, 0, op_agent_metrics},
    [METHOD_AGENT_SWEEP] = {B(REPORT_ONLY) | B(CURSOR), 0, op_agent_sweep},
};
