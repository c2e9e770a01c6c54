/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/sts.h"

#include "common/timefmt.h"
#include "model/partition.h"

#include <stdio.h>
#include <string.h>

#define STS_VERSION "2011-06-15"

int sts_get_caller_identity(const struct aws_target *target, struct sts_identity *ret,
                            struct aws_result *result, struct err *err)
{
    struct query query QUERY_CLEANUP;
    struct sts_identity read = {0};
    struct xml *answer = NULL;
    const struct xml *identity;
    int rc;

    query_init(&query, "GetCallerIdentity", STS_VERSION);
    rc = aws_call(target, AWS_STS, &query, &answer, result, err);
    if (rc != 0)
        return rc;
    identity = xml_find(answer, "GetCallerIdentityResult");
    snprintf(read.account_id, sizeof(read.account_id), "%s", xml_get(identity, "Account"));
    snprintf(read.arn, sizeof(read.arn), "%s", xml_get(identity, "Arn"));
    snprintf(read.user_id, sizeof(read.user_id), "%s", xml_get(identity, "UserId"));
    if (read.account_id[0] == '\0' || read.arn[0] == '\0')
        rc = aws_answer_incomplete(&query, result, err);
    else
        *ret = read;
    xml_free(answer);
    return rc;
}

static int set_keys(const struct xml *keys, struct aws_credential *ret)
{
    const char *secret = xml_get(keys, "SecretAccessKey"), *token = xml_get(keys, "SessionToken");
    int rc = secret_set(&ret->secret_access_key, secret, strlen(secret));

    return rc == 0 ? secret_set(&ret->session_token, token, strlen(token)) : rc;
}

static int read_session(const struct query *query, const struct xml *outcome,
                        struct aws_credential *ret, char arn[AWS_ARN_MAX + 1],
                        struct aws_result *result, struct err *err)
{
    const struct xml *keys = xml_find(outcome, "Credentials");
    const char *id = xml_get(keys, "AccessKeyId");
    const char *role_arn = xml_get(outcome, "AssumedRoleUser/Arn");
    struct aws_credential read = {0};

    if (id[0] == '\0' || strlen(id) > AWS_KEY_ID_MAX || strlen(role_arn) > AWS_ARN_MAX ||
        xml_get(keys, "SecretAccessKey")[0] == '\0' || xml_get(keys, "SessionToken")[0] == '\0' ||
        time_parse(xml_get(keys, "Expiration"), &read.expires_ms) != 0 || read.expires_ms <= 0)
        return aws_answer_incomplete(query, result, err);
    if (set_keys(keys, &read) != 0) {
        aws_credential_done(&read);
        result->failure = AWS_FAILED_TRANSIENT;
        return err_set(err, KMS_ENOMEM, "%s: no locked memory left for the session", query->action);
    }
    strcpy(read.access_key_id, id);
    if (arn_account(role_arn, read.account_id) != 0)
        read.account_id[0] = '\0';
    strcpy(arn, role_arn);
    aws_credential_done(ret);
    *ret = read;
    return 0;
}

static int call_for_session(const struct aws_target *target, const struct query *query,
                            struct aws_credential *ret, char arn[AWS_ARN_MAX + 1],
                            struct aws_result *result, struct err *err)
{
    struct xml *answer = NULL;
    char path[96];
    int rc = aws_call(target, AWS_STS, query, &answer, result, err);

    if (rc != 0)
        return rc;
    snprintf(path, sizeof(path), "%sResult", query->action);
    rc = read_session(query, xml_find(answer, path), ret, arn, result, err);
    xml_free(answer);
    return rc;
}

int sts_get_session_token(const struct aws_target *target, int64_t duration_s,
                          struct aws_credential *ret, struct aws_result *result, struct err *err)
{
    struct query query QUERY_CLEANUP;
    char arn[AWS_ARN_MAX + 1];

    query_init(&query, "GetSessionToken", STS_VERSION);
    query_add_int(&query, "DurationSeconds", duration_s);
    return call_for_session(target, &query, ret, arn, result, err);
}

static void add_role(struct query *query, const struct sts_session_request *request)
{
    query_add(query, "RoleArn", request->role_arn);
    query_add(query, "RoleSessionName", request->session_name);
    query_add_int(query, "DurationSeconds", request->duration_s);
    query_add(query, "Policy", request->policy);
    for (size_t i = 0; i < request->policy_arn_count; i++)
        query_add_member(query, "PolicyArns", i + 1, "arn", request->policy_arns[i]);
}

int sts_assume_role(const struct aws_target *target, const struct sts_session_request *request,
                    struct aws_credential *ret, char arn[AWS_ARN_MAX + 1],
                    struct aws_result *result, struct err *err)
{
    struct query query QUERY_CLEANUP;

    query_init(&query, "AssumeRole", STS_VERSION);
    add_role(&query, request);
    query_add(&query, "ExternalId", request->external_id);
    for (size_t i = 0; i < request->tag_count; i++) {
        query_add_member(&query, "Tags", i + 1, "Key", request->tags[i].key);
        query_add_member(&query, "Tags", i + 1, "Value", request->tags[i].value);
    }
    return call_for_session(target, &query, ret, arn, result, err);
}

int sts_assume_role_with_web_identity(const struct aws_target *target,
                                      const struct sts_session_request *request,
                                      struct aws_credential *ret, char arn[AWS_ARN_MAX + 1],
                                      struct aws_result *result, struct err *err)
{
    struct aws_target unsigned_target = *target;
    struct query query QUERY_CLEANUP;

    unsigned_target.credential = NULL;
    query_init(&query, "AssumeRoleWithWebIdentity", STS_VERSION);
    add_role(&query, request);
    query_add(&query, "WebIdentityToken", request->web_identity_token);
    return call_for_session(&unsigned_target, &query, ret, arn, result, err);
}
