/* SPDX-License-Identifier: Apache-2.0 */
/* TTL rules (design: Honest time). Pure. Seconds. */
#ifndef KMS_AGENT_MODEL_TTL_H
#define KMS_AGENT_MODEL_TTL_H

#include "common/err.h"
#include "model/recipe.h"

#include <stdbool.h>
#include <stdint.h>

#define TTL_MIN_S 5
#define STS_MIN_S 900
#define STS_ASSUME_ROLE_MAX_S 3600     /* default, and always for a session caller (role chaining) */
#define STS_SESSION_MAX_S 43200        /* GetSessionToken, web identity, and AssumeRole with max_session_duration */
#define TTL_REASON_SIZE 160
#define RENEW_LAST_MS 30000            /* renewals are refused this close to the end: fences take seconds to spread */

struct ttl_request {
    const struct recipe *recipe;
    int64_t requested_s;          /* 0: the secret's default */
    int64_t max_session_s;        /* max_session_duration of the secret, 0 = default cap */
    bool caller_is_session;       /* the management credential is itself a session */
    bool allow_longer;            /* GetSessionToken under 900 s may be made longer */
};

struct ttl_grant {
    int64_t requested_s;      /* what was asked, or the default */
    int64_t granted_s;        /* the lease */
    int64_t sts_s;            /* DurationSeconds for STS (≥ 900); 0 for IAM users */
    bool dated_policy;        /* the lease must end before the session: a dated session policy is needed */
    char reason[TTL_REASON_SIZE]; /* why granted differs from requested, empty if it does not */
};

/* 0, or KMS_ETTL with a sentence naming both numbers. */
int ttl_grant(const struct ttl_request *request, struct ttl_grant *ret, struct err *err) KMS_MUST_CHECK;

struct ttl_renewal {
    int64_t now_ms, created_ms, expires_ms;  /* AWS time */
    int64_t frozen_max_s, current_max_s;
    int64_t ttl_s;                           /* asked, or the default */
    bool asked;                              /* ttl_s was: above current_max_s it is refused, not clamped */
};
/* New end of a renewed lease: now + ttl, clamped to created + min(frozen, current) max, never shorter than it was.
 * KMS_EENDED within the last 30 s or past the end; KMS_ENORENEW when nothing is gained (with the reason); KMS_ETTL
 * for a ttl_s below TTL_MIN_S, or above the maximum where it was asked for. Outputs are untouched on failure. */
int ttl_renew(const struct ttl_renewal *renewal, int64_t *ret_expires_ms, char reason[TTL_REASON_SIZE], struct err *err) KMS_MUST_CHECK;

#endif
