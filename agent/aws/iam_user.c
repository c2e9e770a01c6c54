/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/iam_user.h"

#include "model/partition.h"

#include <stdio.h>
#include <string.h>

#define IAM_VERSION "2010-05-08"

/* For actions whose answer holds nothing of use. */
static int call_plain(const struct aws_target *target, struct query *query,
                      struct aws_result *result, struct err *err)
{
    struct xml *answer = NULL;
    int rc = aws_call(target, AWS_IAM, query, &answer, result, err);

    xml_free(answer);
    return rc;
}

/* One action on a user with one further parameter (name NULL: none). */
static int call_on_user(const struct aws_target *target, const char *action, const char *user_name,
                        const char *name, const char *value, struct aws_result *result,
                        struct err *err)
{
    struct query query QUERY_CLEANUP;

    query_init(&query, action, IAM_VERSION);
    query_add(&query, "UserName", user_name);
    if (name != NULL)
        query_add(&query, name, value);
    return call_plain(target, &query, result, err);
}

static void read_tags(const struct xml *tags, struct iam_user *ret)
{
    for (const struct xml *tag = xml_child(tags); tag != NULL; tag = xml_next(tag)) {
        const char *key = xml_get(tag, "Key"), *value = xml_get(tag, "Value");

        if (strcmp(key, "kms-lease-id") == 0)
            snprintf(ret->lease_tag, sizeof(ret->lease_tag), "%s", value);
        else if (strcmp(key, "kms-agent-id") == 0)
            snprintf(ret->agent_tag, sizeof(ret->agent_tag), "%s", value);
        else if (strcmp(key, "kms-last-end") == 0)
            snprintf(ret->last_end_tag, sizeof(ret->last_end_tag), "%s", value);
    }
}

static int read_user(const struct xml *user, struct iam_user *ret)
{
    struct iam_user read = {0};

    snprintf(read.user_name, sizeof(read.user_name), "%s", xml_get(user, "UserName"));
    snprintf(read.user_id, sizeof(read.user_id), "%s", xml_get(user, "UserId"));
    snprintf(read.arn, sizeof(read.arn), "%s", xml_get(user, "Arn"));
    snprintf(read.path, sizeof(read.path), "%s", xml_get(user, "Path"));
    if (read.user_name[0] == '\0' || read.user_id[0] == '\0' || read.arn[0] == '\0')
        return -1;
    read_tags(xml_find(user, "Tags"), &read);
    *ret = read;
    return 0;
}

static int call_for_user(const struct aws_target *target, const struct query *query,
                         const char *path, struct iam_user *ret, struct aws_result *result,
                         struct err *err)
{
    struct xml *answer = NULL;
    int rc = aws_call(target, AWS_IAM, query, &answer, result, err);

    if (rc == 0 && read_user(xml_find(answer, path), ret) != 0)
        rc = aws_answer_incomplete(query, result, err);
    xml_free(answer);
    return rc;
}

int iam_create_user(const struct aws_target *target, const struct iam_create_user *request,
                    struct iam_user *ret, struct aws_result *result, struct err *err)
{
    struct query query QUERY_CLEANUP;

    query_init(&query, "CreateUser", IAM_VERSION);
    query_add(&query, "UserName", request->user_name);
    query_add(&query, "Path", request->path);
    query_add(&query, "PermissionsBoundary", request->permissions_boundary);
    for (size_t i = 0; i < request->tag_count; i++) {
        query_add_member(&query, "Tags", i + 1, "Key", request->tags[i].key);
        query_add_member(&query, "Tags", i + 1, "Value", request->tags[i].value);
    }
    return call_for_user(target, &query, "CreateUserResult/User", ret, result, err);
}

int iam_get_user(const struct aws_target *target, const char *user_name, struct iam_user *ret,
                 struct aws_result *result, struct err *err)
{
    struct query query QUERY_CLEANUP;

    query_init(&query, "GetUser", IAM_VERSION);
    query_add(&query, "UserName", user_name);
    return call_for_user(target, &query, "GetUserResult/User", ret, result, err);
}

int iam_delete_user(const struct aws_target *target, const char *user_name,
                    struct aws_result *result, struct err *err)
{
    return call_on_user(target, "DeleteUser", user_name, NULL, NULL, result, err);
}

int iam_put_user_policy(const struct aws_target *target, const char *user_name,
                        const char *policy_name, const char *document, struct aws_result *result,
                        struct err *err)
{
    struct query query QUERY_CLEANUP;

    query_init(&query, "PutUserPolicy", IAM_VERSION);
    query_add(&query, "UserName", user_name);
    query_add(&query, "PolicyName", policy_name);
    query_add(&query, "PolicyDocument", document);
    return call_plain(target, &query, result, err);
}

int iam_delete_user_policy(const struct aws_target *target, const char *user_name,
                           const char *policy_name, struct aws_result *result, struct err *err)
{
    return call_on_user(target, "DeleteUserPolicy", user_name, "PolicyName", policy_name, result,
                        err);
}

int iam_attach_user_policy(const struct aws_target *target, const char *user_name,
                           const char *policy_arn, struct aws_result *result, struct err *err)
{
    return call_on_user(target, "AttachUserPolicy", user_name, "PolicyArn", policy_arn, result,
                        err);
}

int iam_detach_user_policy(const struct aws_target *target, const char *user_name,
                           const char *policy_arn, struct aws_result *result, struct err *err)
{
    return call_on_user(target, "DetachUserPolicy", user_name, "PolicyArn", policy_arn, result,
                        err);
}

int iam_add_user_to_group(const struct aws_target *target, const char *user_name,
                          const char *group_name, struct aws_result *result, struct err *err)
{
    return call_on_user(target, "AddUserToGroup", user_name, "GroupName", group_name, result, err);
}

int iam_remove_user_from_group(const struct aws_target *target, const char *user_name,
                               const char *group_name, struct aws_result *result, struct err *err)
{
    return call_on_user(target, "RemoveUserFromGroup", user_name, "GroupName", group_name, result,
                        err);
}

/* The one answer that cannot be had again: whatever is wrong with it, the key may exist. */
static int read_access_key(const struct query *query, const struct xml *key,
                           struct aws_credential *ret, struct aws_result *result, struct err *err)
{
    const char *id = xml_get(key, "AccessKeyId"), *secret = xml_get(key, "SecretAccessKey");
    struct aws_credential read = {0};

    if (id[0] == '\0' || strlen(id) > AWS_KEY_ID_MAX || secret[0] == '\0')
        return aws_answer_incomplete(query, result, err);
    if (secret_set(&read.secret_access_key, secret, strlen(secret)) != 0) {
        result->failure = AWS_FAILED_TRANSIENT;
        result->maybe_applied = true;
        return err_set(err, KMS_ENOMEM, "CreateAccessKey: no locked memory left for the key");
    }
    strcpy(read.access_key_id, id);
    aws_credential_done(ret);
    *ret = read;
    return 0;
}

int iam_create_access_key(const struct aws_target *target, const char *user_name,
                          struct aws_credential *ret, struct aws_result *result, struct err *err)
{
    struct query query QUERY_CLEANUP;
    struct xml *answer = NULL;
    int rc;

    query_init(&query, "CreateAccessKey", IAM_VERSION);
    query_add(&query, "UserName", user_name);
    query.once = true; /* sent twice it would leave a key whose secret nobody has */
    rc = aws_call(target, AWS_IAM, &query, &answer, result, err);
    if (rc == 0)
        rc = read_access_key(&query, xml_find(answer, "CreateAccessKeyResult/AccessKey"), ret,
                             result, err);
    xml_free(answer);
    return rc;
}

int iam_delete_access_key(const struct aws_target *target, const char *user_name,
                          const char *access_key_id, struct aws_result *result, struct err *err)
{
    return call_on_user(target, "DeleteAccessKey", user_name, "AccessKeyId", access_key_id, result,
                        err);
}
