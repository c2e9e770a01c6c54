/* SPDX-License-Identifier: Apache-2.0 */
#include "model/ttl.h"

#include "common/timefmt.h"

#include <stdio.h>

/* "1h (3600 s)" for messages; plain seconds are never wrong to show, but 43200 is hard to read. */
struct span {
    char text[48];
};

static struct span span(int64_t seconds)
{
    struct span ret;

    /* durations beyond what milliseconds hold are shown as seconds */
    if (seconds >= 0 && seconds <= INT64_MAX / 1000)
        duration_format(seconds * 1000, ret.text, sizeof(ret.text));
    else
        snprintf(ret.text, sizeof(ret.text), "%lld s", (long long)seconds);
    return ret;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Longest session AWS gives for the request, and which of its rules says so. */
static int64_t session_cap(const struct ttl_request *request, const char **ret_rule)
{
    int64_t cap_s = STS_SESSION_MAX_S;

    switch (request->recipe->method) {
    case SECRET_ACCESS_KEY:
        *ret_rule = "GetSessionToken gives the agent at most";
        return cap_s;
    case SECRET_ASSUME_ROLE:
        *ret_rule = "AssumeRole gives at most";
        cap_s = request->max_session_s > 0 ? request->max_session_s : STS_ASSUME_ROLE_MAX_S;
        if (request->caller_is_session && cap_s > STS_ASSUME_ROLE_MAX_S) {
            *ret_rule = "AssumeRole from a session (role chaining) gives at most";
            cap_s = STS_ASSUME_ROLE_MAX_S;
        }
        return smaller(cap_s, STS_SESSION_MAX_S);
    case SECRET_IRSA:
        *ret_rule = "AssumeRoleWithWebIdentity gives at most";
        if (request->max_session_s > 0)
            cap_s = smaller(cap_s, request->max_session_s);
        return cap_s;
    }
    *ret_rule = "AWS gives at most";
    return STS_MIN_S;
}

/* GetSessionToken takes no policy, so a session of it cannot end before AWS's least duration. */
static int session_token_lengthen(const struct ttl_request *request, struct ttl_grant *grant,
                                  struct err *err)
{
    if (grant->granted_s >= STS_MIN_S)
        return 0;
    if (!request->allow_longer)
        return err_set(err, KMS_ETTL,
                       "a TTL of %s is too short: GetSessionToken gives at least %s and takes no "
                       "policy that could end it sooner (allow_longer = true would grant %s)",
                       span(grant->granted_s).text, span(STS_MIN_S).text, span(STS_MIN_S).text);
    if (request->recipe->max_ttl_s < STS_MIN_S)
        return err_set(err, KMS_ETTL,
                       "GetSessionToken gives at least %s, which is above the secret's max_ttl of "
                       "%s",
                       span(STS_MIN_S).text, span(request->recipe->max_ttl_s).text);
    snprintf(grant->reason, sizeof(grant->reason), "GetSessionToken gives at least %s",
             span(STS_MIN_S).text);
    grant->granted_s = STS_MIN_S;
    return 0;
}

static int session_grant(const struct ttl_request *request, struct ttl_grant *grant,
                         struct err *err)
{
    const char *rule;
    int64_t cap_s = session_cap(request, &rule);
    int rc = 0;

    if (grant->granted_s > cap_s) {
        grant->granted_s = cap_s;
        snprintf(grant->reason, sizeof(grant->reason), "%s %s", rule, span(cap_s).text);
    }
    if (request->recipe->method == SECRET_ACCESS_KEY)
        rc = session_token_lengthen(request, grant, err);
    if (rc < 0)
        return rc;
    grant->sts_s = grant->granted_s < STS_MIN_S ? STS_MIN_S : grant->granted_s;
    grant->dated_policy = grant->granted_s < grant->sts_s;
    return 0;
}

static int above_max(int64_t ttl_s, int64_t max_s, struct err *err)
{
    if (ttl_s <= max_s)
        return 0;
    return err_set(err, KMS_ETTL, "a TTL of %s is above the secret's max_ttl of %s",
                   span(ttl_s).text, span(max_s).text);
}

int ttl_grant(const struct ttl_request *request, struct ttl_grant *ret, struct err *err)
{
    const struct recipe *recipe = request->recipe;
    struct ttl_grant grant = {0};
    int rc;

    grant.requested_s = request->requested_s != 0 ? request->requested_s : recipe->default_ttl_s;
    grant.granted_s = grant.requested_s;
    if (grant.requested_s < TTL_MIN_S)
        return err_set(err, KMS_ETTL, "a TTL of %s is too short: the least is %s",
                       span(grant.requested_s).text, span(TTL_MIN_S).text);
    rc = above_max(grant.requested_s, recipe->max_ttl_s, err);
    if (rc < 0)
        return rc;
    if (recipe->type == CREDENTIAL_SESSION) {
        rc = session_grant(request, &grant, err);
        if (rc < 0)
            return rc;
    }
    *ret = grant;
    return 0;
}

static int renew_refused(const struct ttl_renewal *renewal, struct err *err)
{
    if (renewal->now_ms >= renewal->expires_ms)
        return err_set(err, KMS_EENDED, "the lease has ended");
    if (renewal->expires_ms - renewal->now_ms < RENEW_LAST_MS)
        return err_set(err, KMS_EENDED,
                       "the lease ends in less than %s: too late to renew it, AWS takes seconds to "
                       "spread a change",
                       span(RENEW_LAST_MS / 1000).text);
    if (renewal->ttl_s < TTL_MIN_S)
        return err_set(err, KMS_ETTL, "a TTL of %s is too short: the least is %s",
                       span(renewal->ttl_s).text, span(TTL_MIN_S).text);
    return 0;
}

int ttl_renew(const struct ttl_renewal *renewal, int64_t *ret_expires_ms,
              char reason[TTL_REASON_SIZE], struct err *err)
{
    int64_t max_s = smaller(renewal->frozen_max_s, renewal->current_max_s);
    int64_t last_ms = renewal->created_ms + max_s * 1000;
    bool clamped = renewal->ttl_s > (last_ms - renewal->now_ms) / 1000;
    int64_t end_ms = clamped ? last_ms : renewal->now_ms + renewal->ttl_s * 1000;
    int rc = renew_refused(renewal, err);

    if (rc == 0 && renewal->asked)
        rc = above_max(renewal->ttl_s, renewal->current_max_s, err);
    if (rc < 0)
        return rc;
    if (end_ms <= renewal->expires_ms && clamped)
        return err_set(err, KMS_ENORENEW,
                       "the lease already ends as late as it may: max_ttl is %s from its start",
                       span(max_s).text);
    if (end_ms <= renewal->expires_ms)
        return err_set(err, KMS_ENORENEW,
                       "the lease already ends later than %s from now, a renewal never shortens it",
                       span(renewal->ttl_s).text);
    reason[0] = '\0';
    if (clamped)
        snprintf(reason, TTL_REASON_SIZE, "max_ttl is %s from the start of the lease",
                 span(max_s).text);
    *ret_expires_ms = end_ms;
    return 0;
}
