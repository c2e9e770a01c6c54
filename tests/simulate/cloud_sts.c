/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud.h"
#include "sim.h"

#include "common/timefmt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSIONS_MAX 1024

static struct session {
    char id[24];
    int64_t expires_ms, deny_from_ms; /* deny_from_ms 0: no dated policy */
    bool management;
} sessions[SESSIONS_MAX];
static size_t session_count;

void cloud_sts_reset(void)
{
    session_count = 0;
}

static struct session *find_session(const char *id)
{
    for (size_t i = 0; i < session_count; i++)
        if (strcmp(sessions[i].id, id) == 0)
            return &sessions[i];
    return NULL;
}

int64_t cloud_session_end_ms(const char *access_key_id)
{
    const struct session *session = find_session(access_key_id);

    if (session == NULL)
        return 0;
    return session->deny_from_ms != 0 && session->deny_from_ms < session->expires_ms
               ? session->deny_from_ms
               : session->expires_ms;
}

static void make_session(struct cloud_call *call)
{
    struct session *session = &sessions[session_count];
    char duration[24], policy[2048], expires[TIME_TEXT_SIZE], role[200] = "", *at;

    if (session_count == SESSIONS_MAX)
        abort();
    session_count++;
    memset(session, 0, sizeof *session);
    cloud_form(call, "DurationSeconds", duration, sizeof duration);
    cloud_form(call, "Policy", policy, sizeof policy);
    if (atoll(duration) < 900) {
        cloud_refuse(call, 400, "ValidationError", "DurationSeconds must be at least 900");
        return;
    }
    snprintf(session->id, sizeof session->id, "ASIA%016llX",
             (unsigned long long)sim_random(UINT64_MAX));
    session->expires_ms = (sim.now_ms / 1000 + atoll(duration)) * 1000;
    at = strstr(policy, "\"aws:CurrentTime\":\"");
    if (at != NULL) {
        at[19 + strcspn(at + 19, "\"")] = '\0';
        if (time_parse(at + 19, &session->deny_from_ms) != 0)
            abort();
    }
    time_format(session->expires_ms, expires);
    if (strcmp(call->action, "AssumeRole") == 0)
        snprintf(role, sizeof role,
                 "<AssumedRoleUser><AssumedRoleId>AROA:s</AssumedRoleId><Arn>arn:aws:sts::%s:"
                 "assumed-role/R/s</Arn></AssumedRoleUser>",
                 CLOUD_ACCOUNT);
    snprintf(call->result, sizeof call->result,
             "<Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>s-%s</SecretAccessKey>"
             "<SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials>%s",
             session->id, session->id, expires, role);
}

static bool key_works(const char *id)
{
    const struct cloud_user *user;
    const struct session *session = find_session(id);

    if (strcmp(id, CLOUD_MANAGEMENT_KEY) == 0)
        return true;
    if (session != NULL)
        return session->expires_ms > sim.now_ms;
    for (size_t i = 0; (user = cloud_nth(i)) != NULL; i++)
        for (size_t k = 0; user->exists && k < CLOUD_KEYS_MAX; k++)
            if (strcmp(user->keys[k].id, id) == 0)
                return user->keys[k].works_ms <= sim.now_ms;
    return false;
}

void cloud_sts(struct cloud_call *call)
{
    if (!key_works(call->request->credential->access_key_id))
        cloud_refuse(call, 403, "InvalidClientTokenId", "The security token is invalid.");
    else if (strcmp(call->action, "GetCallerIdentity") == 0)
        snprintf(call->result, sizeof call->result,
                 "<Arn>arn:aws:iam::%s:user/agent</Arn><UserId>AIDAX</UserId><Account>%s"
                 "</Account>",
                 CLOUD_ACCOUNT, CLOUD_ACCOUNT);
    else
        make_session(call);
}
