# SPDX-License-Identifier: Apache-2.0
"""IAM: access keys."""

from actions import iam, on_user, paged
from errors import limit, no_such
from iam_users import the_user
from state import AccessKey


def the_key(call, user):
    key = user.keys.get(call.params["AccessKeyId"])
    if key is None:
        raise no_such(f"The Access Key with id {call.params['AccessKeyId']} cannot be found.")
    return key


def key_fields(key):
    return {
        "UserName": key.user.name,
        "AccessKeyId": key.id,
        "Status": key.status,
        "CreateDate": key.created,
    }


@iam("CreateAccessKey", on_user)
def create_access_key(call):
    account, user = call.account, the_user(call)
    if len(user.keys) >= account.quotas["keys"]:
        raise limit(f"Cannot exceed quota for AccessKeysPerUser: {account.quotas['keys']}")
    key = account.add_key(AccessKey(account, user))
    return {"AccessKey": {**key_fields(key), "SecretAccessKey": key.secret}}


@iam("DeleteAccessKey", on_user)
def delete_access_key(call):
    user = the_user(call)
    key = the_key(call, user)
    del user.keys[key.id]
    key.deleted = call.account.lag_now()


@iam("UpdateAccessKey", on_user)
def update_access_key(call):
    the_key(call, the_user(call)).status = call.params["Status"]


@iam("ListAccessKeys", on_user)
def list_access_keys(call):
    user = the_user(call)
    page, fields = paged(call, call.account.listed_keys(user), lambda key: key.id)
    return {"AccessKeyMetadata": [key_fields(key) for key in page], **fields}


def on_key_owner(call):
    key = call.account.keys.get(call.params["AccessKeyId"])
    if key is None or key.deleted is not None:
        return call.account.arn("user/*"), f"access key {call.params['AccessKeyId']}"
    arn = key.user.arn(call.account)
    return arn, arn


@iam("GetAccessKeyLastUsed", on_key_owner)
def get_access_key_last_used(call):
    key = call.account.keys.get(call.params["AccessKeyId"])
    if key is None or key.deleted is not None:
        raise no_such(f"The Access Key with id {call.params['AccessKeyId']} cannot be found.")
    if key.used is None:
        return {
            "UserName": key.user.name,
            "AccessKeyLastUsed": {"ServiceName": "N/A", "Region": "N/A"},
        }
    when, service, region = key.used
    return {
        "UserName": key.user.name,
        "AccessKeyLastUsed": {"LastUsedDate": when, "ServiceName": service, "Region": region},
    }
