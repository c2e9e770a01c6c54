/* SPDX-License-Identifier: Apache-2.0 */
#include "model/fence.h"

#include "common/timefmt.h"
#include "model/recipe.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static void json_done(json_t **json)
{
    json_decref(*json);
}
#define JSON_CLEANUP __attribute__((cleanup(json_done)))

/* Deny everything from end_ms on. New reference or NULL. */
static json_t *statement_dated_deny(int64_t end_ms)
{
    char date[TIME_TEXT_SIZE];

    time_format(end_ms, date);
    return json_pack("{s:s,s:s,s:s,s:{s:{s:s}}}", "Effect", "Deny", "Action", "*", "Resource", "*",
                     "Condition", "DateGreaterThanEquals", "aws:CurrentTime", date);
}

static json_t *statement_everything(const char *effect)
{
    return json_pack("{s:s,s:s,s:s}", "Effect", effect, "Action", "*", "Resource", "*");
}

static json_t *statement_role_hop(void)
{
    return json_pack("{s:s,s:[s,s,s],s:s}", "Effect", "Deny", "Action", "sts:AssumeRole",
                     "sts:GetFederationToken", "sts:GetSessionToken", "Resource", "*");
}

/* "$" starts a policy variable in a Resource; paths may hold one, and the Deny must still match. */
static char *variable_escape(const char *arn)
{
    char *ret = malloc(strlen(arn) * 4 + 1), *out = ret;

    if (ret == NULL)
        return NULL;
    for (; *arn != '\0'; arn++) {
        if (*arn == '$') {
            memcpy(out, "${$}", 4);
            out += 4;
        } else {
            *out++ = *arn;
        }
    }
    *out = '\0';
    return ret;
}

static json_t *statement_own_user(const char *user_arn)
{
    char *resource = variable_escape(user_arn);
    json_t *statement = NULL;

    if (resource != NULL)
        statement =
            json_pack("{s:s,s:s,s:s}", "Effect", "Deny", "Action", "iam:*", "Resource", resource);
    free(resource);
    return statement;
}

/* Takes the reference of statements (NULL: out of memory earlier). */
static int document_dump(json_t *statements, char **ret)
{
    json_t *document JSON_CLEANUP =
        json_pack("{s:s,s:o}", "Version", "2012-10-17", "Statement", statements);
    char *text;

    if (document == NULL)
        return KMS_ENOMEM;
    text = json_dumps(document, JSON_COMPACT);
    if (text == NULL)
        return KMS_ENOMEM;
    *ret = text;
    return 0;
}

int fence_user_document(const char *user_arn, int64_t end_ms, bool deny_role_hop, char **ret)
{
    json_t *statements JSON_CLEANUP = json_array();

    /* json_array_append_new() fails on a NULL array or value */
    if (json_array_append_new(statements, statement_dated_deny(end_ms)) < 0 ||
        json_array_append_new(statements, statement_own_user(user_arn)) < 0)
        return KMS_ENOMEM;
    if (deny_role_hop && json_array_append_new(statements, statement_role_hop()) < 0)
        return KMS_ENOMEM;
    return document_dump(json_incref(statements), ret);
}

int fence_deny_now_document(char **ret)
{
    json_t *statements JSON_CLEANUP = json_array();

    if (json_array_append_new(statements, statement_everything("Deny")) < 0)
        return KMS_ENOMEM;
    return document_dump(json_incref(statements), ret);
}

/* Puts the dated Deny into the document's own statements, which may be one object or an array. */
static int document_add_deny(json_t *document, int64_t end_ms, struct err *err)
{
    json_t *statement = json_object_get(document, "Statement");

    if (json_is_object(statement)) {
        json_t *list = json_pack("[O]", statement);

        if (json_object_set_new(document, "Statement", list) < 0)
            return err_set(err, KMS_ENOMEM, "out of memory");
        statement = list;
    }
    if (!json_is_array(statement))
        return err_set(err, KMS_EINVALID, "the session policy has no \"Statement\"");
    if (json_array_append_new(statement, statement_dated_deny(end_ms)) < 0)
        return err_set(err, KMS_ENOMEM, "out of memory");
    return 0;
}

static int session_document_extend(const char *text, int64_t end_ms, char **ret, struct err *err)
{
    json_error_t error;
    json_t *document JSON_CLEANUP = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    char *dump;
    int rc;

    if (document == NULL)
        return err_set(err, KMS_EINVALID, "the session policy is not valid JSON: %s", error.text);
    rc = document_add_deny(document, end_ms, err);
    if (rc < 0)
        return rc;
    dump = json_dumps(document, JSON_COMPACT);
    if (dump == NULL)
        return err_set(err, KMS_ENOMEM, "out of memory");
    *ret = dump;
    return 0;
}

int fence_session_document(const char *document, bool has_arns, int64_t end_ms, char **ret,
                           struct err *err)
{
    json_t *statements JSON_CLEANUP = NULL;

    if (document != NULL)
        return session_document_extend(document, end_ms, ret, err);
    statements = json_array();
    /* A session policy allows only what it names: with nothing else given it must allow all. */
    if ((!has_arns && json_array_append_new(statements, statement_everything("Allow")) < 0) ||
        json_array_append_new(statements, statement_dated_deny(end_ms)) < 0 ||
        document_dump(json_incref(statements), ret) < 0)
        return err_set(err, KMS_ENOMEM, "out of memory");
    return 0;
}

size_t fence_policy_size(const char *document)
{
    size_t size = 0;

    for (; *document != '\0'; document++) {
        bool blank = strchr(" \t\r\n", *document) != NULL;
        bool continuation = ((unsigned char)*document & 0xc0) == 0x80; /* of a UTF-8 character */

        size += !blank && !continuation;
    }
    return size;
}

size_t fence_user_size_max(const char *partition, const char *path, bool deny_role_hop)
{
    char arn[IAM_PATH_MAX + 256];
    char name[IAM_USER_NAME_MAX + 1];
    char *document = NULL;
    size_t size = FENCE_QUOTA;

    memset(name, 'x', IAM_USER_NAME_MAX);
    name[IAM_USER_NAME_MAX] = '\0';
    snprintf(arn, sizeof(arn), "arn:%.64s:iam::123456789012:user%.512s%s", partition, path, name);
    if (fence_user_document(arn, 0, deny_role_hop, &document) == 0)
        size = fence_policy_size(document);
    free(document);
    return size;
}
