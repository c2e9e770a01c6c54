/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/iam_cleanup.h"

#include <string.h>

#define IAM_VERSION "2010-05-08"

static const struct {
    const char *action, *parameter;
} remove_rows[] = {
    [IAM_LIST_ACCESS_KEYS] = {"DeleteAccessKey", "AccessKeyId"},
    [IAM_LIST_ATTACHED_POLICIES] = {"DetachUserPolicy", "PolicyArn"},
    [IAM_LIST_GROUPS] = {"RemoveUserFromGroup", "GroupName"},
    [IAM_LIST_USER_POLICIES] = {"DeleteUserPolicy", "PolicyName"},
    [IAM_LIST_MFA_DEVICES] = {"DeactivateMFADevice", "SerialNumber"},
    [IAM_LIST_SSH_PUBLIC_KEYS] = {"DeleteSSHPublicKey", "SSHPublicKeyId"},
    [IAM_LIST_SIGNING_CERTIFICATES] = {"DeleteSigningCertificate", "CertificateId"},
    [IAM_LIST_SERVICE_CREDENTIALS] = {"DeleteServiceSpecificCredential",
                                      "ServiceSpecificCredentialId"},
};

/* user_name or parameter NULL: not sent. */
static int remove_one(const struct aws_target *target, const char *action, const char *user_name,
                      const char *parameter, const char *item, struct aws_result *result,
                      struct err *err)
{
    struct query query QUERY_CLEANUP;
    struct xml *answer = NULL;
    int rc;

    query_init(&query, action, IAM_VERSION);
    if (user_name != NULL)
        query_add(&query, "UserName", user_name);
    if (parameter != NULL)
        query_add(&query, parameter, item);
    rc = aws_call(target, AWS_IAM, &query, &answer, result, err);
    xml_free(answer);
    if (result->failure != AWS_FAILED_NOT_FOUND)
        return rc;
    result->failure = AWS_FAILED_NOT;
    err_clear(err);
    return 0;
}

int iam_cleanup_remove(const struct aws_target *target, enum iam_list_kind kind,
                       const char *user_name, const char *item, struct aws_result *result,
                       struct err *err)
{
    return remove_one(target, remove_rows[kind].action, user_name, remove_rows[kind].parameter,
                      item, result, err);
}

bool iam_cleanup_mfa_is_virtual(const char *serial_number)
{
    return strncmp(serial_number, "arn:", 4) == 0 && strstr(serial_number, ":mfa/") != NULL;
}

int iam_delete_virtual_mfa_device(const struct aws_target *target, const char *serial_number,
                                  struct aws_result *result, struct err *err)
{
    return remove_one(target, "DeleteVirtualMFADevice", NULL, "SerialNumber", serial_number, result,
                      err);
}

int iam_delete_login_profile(const struct aws_target *target, const char *user_name,
                             struct aws_result *result, struct err *err)
{
    return remove_one(target, "DeleteLoginProfile", user_name, NULL, NULL, result, err);
}
