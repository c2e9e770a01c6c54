/* SPDX-License-Identifier: Apache-2.0 */
/* The rest a user can have, needed only after a DeleteConflict. Worker threads; NoSuchEntity counts
 * as done. */
#ifndef KMS_AGENT_AWS_IAM_CLEANUP_H
#define KMS_AGENT_AWS_IAM_CLEANUP_H

#include "aws/call.h"
#include "aws/iam_list.h"

/* Removes one listed thing of the kind from the user: DeleteAccessKey, DetachUserPolicy,
 * RemoveUserFromGroup, DeleteUserPolicy, DeactivateMFADevice, DeleteSSHPublicKey,
 * DeleteSigningCertificate, DeleteServiceSpecificCredential.
 */
int iam_cleanup_remove(const struct aws_target *target, enum iam_list_kind kind,
                       const char *user_name, const char *item, struct aws_result *result,
                       struct err *err) KMS_MUST_CHECK;
/* A virtual device outlives its user, and once deactivated no list of a user's shows it. Its serial
 * number is an ARN (…:mfa/…); so is that of a FIDO key (…:u2f/…), which is gone with the user. */
bool iam_cleanup_mfa_is_virtual(const char *serial_number);
int iam_delete_virtual_mfa_device(const struct aws_target *target, const char *serial_number,
                                  struct aws_result *result, struct err *err) KMS_MUST_CHECK;
int iam_delete_login_profile(const struct aws_target *target, const char *user_name,
                             struct aws_result *result, struct err *err) KMS_MUST_CHECK;

#endif
