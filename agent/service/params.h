/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of all methods, one row each: name, type, and how a value is checked. Pure. */
#ifndef KMS_AGENT_SERVICE_PARAMS_H
#define KMS_AGENT_SERVICE_PARAMS_H

#include "common/err.h"
#include "common/uuid7.h"
#include "model/lease.h"
#include "service/wire.h"

#define PARAM_TTL_MAX_S INT64_C(315360000) /* ten years: keeps sums of times far from overflow */
#define PARAM_CURSOR_MAX 400 /* a sweep's holds a marker of IAM, up to 320 */

enum param {
    PARAM_SECRET, PARAM_LEASE_ID, PARAM_TTL_S, PARAM_REGION, PARAM_BIND, PARAM_ALL, PARAM_STATE, PARAM_LIMIT,
    PARAM_CURSOR, PARAM_SINCE, PARAM_REPORT_ONLY, PARAM_COUNT,
};
#define PARAM_BIT(param) (1u << (param))

struct params {
    uint32_t given; /* PARAM_BITs */
    char secret[SECRET_NAME_MAX + 1];
    struct uuid lease_id;
    int64_t ttl_s;
    char region[AWS_REGION_MAX + 1];
    bool bind, all, report_only;
    bool any_state;         /* state = "any" */
    enum lease_state state; /* LEASE_NONE: not given, or any */
    uint32_t limit;         /* PROTO_LIST_LIMIT_DEFAULT when not given */
    char cursor[PARAM_CURSOR_MAX + 1];
    int64_t since_ms;
};

/* 0, KMS_EINVALID naming the parameter and what is right, or KMS_ETTL. */
int params_parse(const struct wire_request *request, uint32_t known, uint32_t required, struct params *ret,
                 struct err *err) KMS_MUST_CHECK;

#endif
