# SPDX-License-Identifier: Apache-2.0
"""DeleteUser, DeleteGroup, DeleteRole and DeletePolicy refuse as long as anything is left."""

import os
import sys

import pytest

from cloud_helpers import allow, document, refused, trust

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cloud"))
from iam_logins import totp  # noqa: E402

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"


def add_mfa(iam):
    import time

    made = iam.create_virtual_mfa_device(VirtualMFADeviceName="bob")["VirtualMFADevice"]
    now = time.time()
    iam.enable_mfa_device(
        UserName="bob",
        SerialNumber=made["SerialNumber"],
        AuthenticationCode1=totp(made["Base32StringSeed"], now, -1),
        AuthenticationCode2=totp(made["Base32StringSeed"], now),
    )
    assert (
        iam.list_mfa_devices(UserName="bob")["MFADevices"][0]["SerialNumber"]
        == made["SerialNumber"]
    )
    with refused("DeleteConflict", 409):
        iam.delete_virtual_mfa_device(SerialNumber=made["SerialNumber"])
    return made["SerialNumber"]


def remove_mfa(iam, serial):
    iam.deactivate_mfa_device(UserName="bob", SerialNumber=serial)
    iam.delete_virtual_mfa_device(SerialNumber=serial)
    assert iam.list_virtual_mfa_devices()["VirtualMFADevices"] == []


def add_group(iam):
    iam.create_group(GroupName="g")
    iam.add_user_to_group(GroupName="g", UserName="bob")


LEFTOVERS = [
    (
        "must delete access keys first",
        lambda iam: iam.create_access_key(UserName="bob")["AccessKey"]["AccessKeyId"],
        lambda iam, key: iam.delete_access_key(UserName="bob", AccessKeyId=key),
    ),
    (
        "must detach all policies first",
        lambda iam: iam.attach_user_policy(UserName="bob", PolicyArn=READ_ONLY),
        lambda iam, _: iam.detach_user_policy(UserName="bob", PolicyArn=READ_ONLY),
    ),
    (
        "must delete policies first",
        lambda iam: iam.put_user_policy(
            UserName="bob", PolicyName="p", PolicyDocument=document(allow("s3:*"))
        ),
        lambda iam, _: iam.delete_user_policy(UserName="bob", PolicyName="p"),
    ),
    (
        "must remove users from group first",
        add_group,
        lambda iam, _: iam.remove_user_from_group(GroupName="g", UserName="bob"),
    ),
    (
        "must delete login profile first",
        lambda iam: iam.create_login_profile(UserName="bob", Password="pass-Word-1"),
        lambda iam, _: iam.delete_login_profile(UserName="bob"),
    ),
    ("must delete MFA device first", add_mfa, remove_mfa),
    (
        "must delete certificates first",
        lambda iam: iam.upload_signing_certificate(UserName="bob", CertificateBody=CERTIFICATE)[
            "Certificate"
        ]["CertificateId"],
        lambda iam, ident: iam.delete_signing_certificate(UserName="bob", CertificateId=ident),
    ),
    (
        "must remove referenced objects first",
        lambda iam: iam.upload_ssh_public_key(
            UserName="bob", SSHPublicKeyBody="ssh-rsa AAAAB3Nz bob"
        )["SSHPublicKey"]["SSHPublicKeyId"],
        lambda iam, ident: iam.delete_ssh_public_key(UserName="bob", SSHPublicKeyId=ident),
    ),
    (
        "must remove referenced objects first",
        lambda iam: iam.create_service_specific_credential(
            UserName="bob", ServiceName="codecommit.amazonaws.com"
        )["ServiceSpecificCredential"]["ServiceSpecificCredentialId"],
        lambda iam, ident: iam.delete_service_specific_credential(
            UserName="bob", ServiceSpecificCredentialId=ident
        ),
    ),
]


@pytest.mark.parametrize("number", range(len(LEFTOVERS)))
def test_user(cloud, iam, number):
    words, add, remove = LEFTOVERS[number]
    iam.create_user(UserName="bob")
    made = add(iam)
    with refused("DeleteConflict", 409, f"Cannot delete entity, {words}."):
        iam.delete_user(UserName="bob")
    remove(iam, made)
    iam.delete_user(UserName="bob")
    with refused("NoSuchEntity", 404):
        iam.get_user(UserName="bob")


def test_all_at_once_are_listed(cloud, iam):
    iam.create_user(UserName="bob")
    for _, add, _ in LEFTOVERS:
        add(iam)
    user = cloud.users()["bob"]
    assert user["login_profile"] and user["groups"] == ["g"] and user["attached"] == [READ_ONLY]
    assert all(
        len(user[name]) == 1
        for name in ("keys", "mfa", "certificates", "ssh_keys", "service_credentials")
    )
    assert len(iam.list_ssh_public_keys(UserName="bob")["SSHPublicKeys"]) == 1
    assert len(iam.list_signing_certificates(UserName="bob")["Certificates"]) == 1
    assert (
        len(iam.list_service_specific_credentials(UserName="bob")["ServiceSpecificCredentials"])
        == 1
    )
    assert iam.get_login_profile(UserName="bob")["LoginProfile"]["UserName"] == "bob"


def test_nothing_to_delete(cloud, iam):
    iam.create_user(UserName="bob")
    for call in (
        lambda: iam.delete_login_profile(UserName="bob"),
        lambda: iam.delete_user_policy(UserName="bob", PolicyName="p"),
        lambda: iam.detach_user_policy(UserName="bob", PolicyArn=READ_ONLY),
        lambda: iam.delete_access_key(UserName="bob", AccessKeyId="A" * 20),
        lambda: iam.delete_user(UserName="eve"),
    ):
        with refused("NoSuchEntity", 404):
            call()


def test_policy_role_and_group(cloud, iam):
    arn = iam.create_policy(PolicyName="p", PolicyDocument=document(allow("s3:*")))["Policy"]["Arn"]
    iam.create_user(UserName="bob", PermissionsBoundary=arn)
    with refused("DeleteConflict", 409, "Cannot delete a policy attached to entities."):
        iam.delete_policy(PolicyArn=arn)
    iam.delete_user_permissions_boundary(UserName="bob")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust({"AWS": cloud.arn("root")}))
    iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    with refused("DeleteConflict", 409, "must detach all policies first"):
        iam.delete_role(RoleName="r")
    iam.detach_role_policy(RoleName="r", PolicyArn=arn)
    iam.delete_role(RoleName="r")
    iam.create_policy_version(
        PolicyArn=arn, PolicyDocument=document(allow("s3:Get*")), SetAsDefault=True
    )
    with refused("DeleteConflict", 409):
        iam.delete_policy(PolicyArn=arn)
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    iam.delete_policy(PolicyArn=arn)
