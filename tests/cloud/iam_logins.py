# SPDX-License-Identifier: Apache-2.0
"""IAM: what else a user can hold: login profile, MFA devices, SSH keys, certificates and
service-specific credentials. Each of them keeps DeleteUser from working."""

import base64
import hashlib
import hmac
import re
import secrets
import struct

from actions import iam, on_list, on_mfa, on_user, paged
from errors import AwsError, conflict, exists, limit, no_such
from iam_users import changeable, the_user, user_fields
from state import new_id, new_secret


@iam("CreateLoginProfile", on_user)
def create_login_profile(call):
    user = changeable(call, the_user(call))
    if user.login_profile is not None:
        raise exists(f"Login Profile for user {user.name} already exists.")
    if len(call.params.get("Password", "")) < 8:
        raise AwsError("PasswordPolicyViolation", "Password should have a minimum length of 8", 400)
    user.login_profile = {
        "UserName": user.name,
        "CreateDate": call.account.clock.now(),
        "PasswordResetRequired": call.params.get("PasswordResetRequired", False),
    }
    return {"LoginProfile": user.login_profile}


def the_profile(call):
    user = the_user(call)
    if user.login_profile is None:
        raise no_such(f"Login Profile for User {user.name} cannot be found.")
    return user


@iam("GetLoginProfile", on_user)
def get_login_profile(call):
    return {"LoginProfile": the_profile(call).login_profile}


@iam("UpdateLoginProfile", on_user)
def update_login_profile(call):
    profile = the_profile(call).login_profile
    profile["PasswordResetRequired"] = call.params.get(
        "PasswordResetRequired", profile["PasswordResetRequired"]
    )


@iam("DeleteLoginProfile", on_user)
def delete_login_profile(call):
    the_profile(call).login_profile = None


def totp(seed: bytes, epoch: float, step: int = 0) -> str:
    """RFC 6238 with the parameters of virtual MFA devices."""
    digest = hmac.new(
        base64.b32decode(seed), struct.pack(">Q", int(epoch) // 30 + step), hashlib.sha1
    ).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at:at + 4])[0] & 0x7fffffff) % 1000000:06d}"


def code_matches(device, code, now):
    return any(
        hmac.compare_digest(totp(device["seed"], now, step), code) for step in (-2, -1, 0, 1, 2)
    )


@iam("CreateVirtualMFADevice", on_mfa)
def create_virtual_mfa_device(call):
    account = call.account
    serial = on_mfa(call)[0]
    if serial in account.virtual_mfa:
        raise exists("MFADevice entity at the same path and name already exists.")
    seed = base64.b32encode(secrets.token_bytes(40))
    account.virtual_mfa[serial] = {"serial": serial, "seed": seed, "user": None, "enabled": None}
    account.remember(seed.decode())
    return {
        "VirtualMFADevice": {
            "SerialNumber": serial,
            "Base32StringSeed": seed,
            "QRCodePNG": b"\x89PNG",
        }
    }


def the_device(call):
    device = call.account.virtual_mfa.get(call.params["SerialNumber"])
    if device is None:
        raise no_such(
            f"VirtualMFADevice with serial number {call.params['SerialNumber']} doesn't exist."
        )
    return device


@iam("EnableMFADevice", on_user)
def enable_mfa_device(call):
    user, device, params = changeable(call, the_user(call)), the_device(call), call.params
    if device["user"] is not None:
        raise exists("Device already exists")
    if len(user.mfa) >= call.account.quotas["mfa"]:
        raise limit(f"Cannot exceed quota for MFADevicesPerUser: {call.account.quotas['mfa']}")
    now = call.account.clock.now()
    codes = params["AuthenticationCode1"], params["AuthenticationCode2"]
    if codes[0] == codes[1] or not all(code_matches(device, code, now) for code in codes):
        raise AwsError(
            "InvalidAuthenticationCode", "Authentication code for device is not valid.", 403
        )
    device["user"], device["enabled"] = user, now
    user.mfa[device["serial"]] = device


@iam("DeactivateMFADevice", on_user)
def deactivate_mfa_device(call):
    user = the_user(call)
    device = user.mfa.pop(call.params["SerialNumber"], None)
    if device is None:
        raise no_such(f"MFA Device invalid for user {user.name}.")
    device["user"] = device["enabled"] = None


@iam("DeleteVirtualMFADevice", on_mfa)
def delete_virtual_mfa_device(call):
    if the_device(call)["user"] is not None:
        raise conflict("MFA VirtualDevice in use. Must deactivate first.")
    del call.account.virtual_mfa[call.params["SerialNumber"]]


@iam("ListMFADevices", on_user)
def list_mfa_devices(call):
    user = the_user(call)
    page, fields = paged(call, user.mfa.values(), lambda device: device["serial"])
    return {
        "MFADevices": [
            {
                "UserName": user.name,
                "SerialNumber": device["serial"],
                "EnableDate": device["enabled"],
            }
            for device in page
        ],
        **fields,
    }


@iam("ListVirtualMFADevices", on_list("mfa"))
def list_virtual_mfa_devices(call):
    wanted = call.params.get("AssignmentStatus", "Any")
    devices = [
        device
        for device in call.account.virtual_mfa.values()
        if wanted == "Any" or (device["user"] is not None) == (wanted == "Assigned")
    ]
    page, fields = paged(call, devices, lambda device: device["serial"])
    result = []
    for device in page:
        item = {"SerialNumber": device["serial"]}
        if device["user"] is not None:
            item |= {"User": user_fields(call, device["user"]), "EnableDate": device["enabled"]}
        result.append(item)
    return {"VirtualMFADevices": result, **fields}


@iam("UploadSSHPublicKey", on_user)
def upload_ssh_public_key(call):
    user, body = the_user(call), call.params["SSHPublicKeyBody"]
    if not re.match(r"ssh-rsa [A-Za-z0-9+/=]+|-----BEGIN PUBLIC KEY-----", body):
        raise AwsError(
            "UnrecognizedPublicKeyEncoding",
            "The encoding of the public key is not recognized.",
            400,
        )
    if any(key["SSHPublicKeyBody"] == body for key in user.ssh_keys.values()):
        raise AwsError(
            "DuplicateSSHPublicKey", "The SSH public key is already associated with the user.", 400
        )
    if len(user.ssh_keys) >= call.account.quotas["ssh_keys"]:
        raise limit(
            f"Cannot exceed quota for SSHPublicKeysPerUser: {call.account.quotas['ssh_keys']}"
        )
    digest = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
    key = {
        "UserName": user.name,
        "SSHPublicKeyId": new_id("APKA", 16),
        "SSHPublicKeyBody": body,
        "Status": "Active",
        "Fingerprint": ":".join(digest[i : i + 2] for i in range(0, 32, 2)),
        "UploadDate": call.account.clock.now(),
    }
    user.ssh_keys[key["SSHPublicKeyId"]] = key
    return {"SSHPublicKey": key}


def from_table(table, key, message):
    if key not in table:
        raise no_such(message)
    return table[key]


@iam("ListSSHPublicKeys", on_user)
def list_ssh_public_keys(call):
    page, fields = paged(call, the_user(call).ssh_keys.values(), lambda key: key["SSHPublicKeyId"])
    names = ("UserName", "SSHPublicKeyId", "Status", "UploadDate")
    return {"SSHPublicKeys": [{name: key[name] for name in names} for key in page], **fields}


@iam("GetSSHPublicKey", on_user)
def get_ssh_public_key(call):
    ident = call.params["SSHPublicKeyId"]
    return {
        "SSHPublicKey": from_table(
            the_user(call).ssh_keys, ident, f"The Public Key with id {ident} cannot be found."
        )
    }


@iam("DeleteSSHPublicKey", on_user)
def delete_ssh_public_key(call):
    user, ident = the_user(call), call.params["SSHPublicKeyId"]
    from_table(user.ssh_keys, ident, f"The Public Key with id {ident} cannot be found.")
    del user.ssh_keys[ident]


@iam("UploadSigningCertificate", on_user)
def upload_signing_certificate(call):
    user, body = the_user(call), call.params["CertificateBody"]
    if "-----BEGIN CERTIFICATE-----" not in body:
        raise AwsError("MalformedCertificate", "Certificate is malformed", 400)
    if len(user.certificates) >= call.account.quotas["certificates"]:
        raise limit(
            f"Cannot exceed quota for CertificatesPerUser: {call.account.quotas['certificates']}"
        )
    certificate = {
        "UserName": user.name,
        "CertificateId": new_id("", 32),
        "CertificateBody": body,
        "Status": "Active",
        "UploadDate": call.account.clock.now(),
    }
    user.certificates[certificate["CertificateId"]] = certificate
    return {"Certificate": certificate}


@iam("ListSigningCertificates", on_user)
def list_signing_certificates(call):
    page, fields = paged(
        call, the_user(call).certificates.values(), lambda item: item["CertificateId"]
    )
    return {"Certificates": page, **fields}


@iam("DeleteSigningCertificate", on_user)
def delete_signing_certificate(call):
    user, ident = the_user(call), call.params["CertificateId"]
    from_table(user.certificates, ident, f"The Certificate with id {ident} cannot be found.")
    del user.certificates[ident]


@iam("CreateServiceSpecificCredential", on_user)
def create_service_specific_credential(call):
    user, service = the_user(call), call.params["ServiceName"]
    if not re.fullmatch(r"[a-z]+\.amazonaws\.com", service):
        raise AwsError(
            "NotSupportedService", f"Service {service} is not supported for this operation.", 404
        )
    same = [item for item in user.service_credentials.values() if item["ServiceName"] == service]
    if len(same) >= call.account.quotas["service_credentials"]:
        raise limit(
            "Cannot exceed quota for ServiceSpecificCredentialsPerUser: "
            f"{call.account.quotas['service_credentials']}"
        )
    password = new_secret()
    call.account.remember(password)
    item = {
        "CreateDate": call.account.clock.now(),
        "ServiceName": service,
        "ServiceUserName": f"{user.name}-at-{call.account.account_id}",
        "UserName": user.name,
        "ServiceSpecificCredentialId": new_id("ACCA", 17),
        "Status": "Active",
    }
    user.service_credentials[item["ServiceSpecificCredentialId"]] = item
    return {"ServiceSpecificCredential": {**item, "ServicePassword": password}}


@iam("ListServiceSpecificCredentials", on_user)
def list_service_specific_credentials(call):
    wanted = call.params.get("ServiceName")
    items = the_user(call).service_credentials.values()
    return {
        "ServiceSpecificCredentials": [
            item for item in items if wanted in (None, item["ServiceName"])
        ]
    }


@iam("DeleteServiceSpecificCredential", on_user)
def delete_service_specific_credential(call):
    user, ident = the_user(call), call.params["ServiceSpecificCredentialId"]
    from_table(user.service_credentials, ident, f"No such credential {ident} exists")
    del user.service_credentials[ident]
