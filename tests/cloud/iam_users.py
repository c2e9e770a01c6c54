# SPDX-License-Identifier: Apache-2.0
"""IAM: users, their tags and boundaries."""

from actions import (
    boundary_field,
    check_boundary,
    iam,
    merge_tags,
    on_list,
    on_new,
    on_user,
    paged,
    tag_list,
    tags_too,
    user_name,
)
from errors import AwsError, conflict, exists, limit
from state import User


def user_fields(call, user, tags=False):
    fields = {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.id,
        "Arn": user.arn(call.account),
        "CreateDate": user.created,
    }
    if user.boundary:
        fields["PermissionsBoundary"] = boundary_field(user.boundary)
    if tags and user.tags:
        fields["Tags"] = tag_list(user.tags)
    return fields


def the_user(call):
    return call.account.user(user_name(call))


def changeable(call, user):
    if call.account.lag_now() < user.unmodifiable_until:
        raise AwsError(
            "EntityTemporarilyUnmodifiable",
            f"The user with name {user.name} is temporarily unmodifiable. "
            "Please wait several minutes and try again.",
            409,
        )
    return user


@iam("CreateUser", on_new("user", "UserName"), tags_too("iam:TagUser"))
def create_user(call):
    account, params = call.account, call.params
    name = params["UserName"]
    tags = merge_tags(call, {}, params.get("Tags", []))
    if name.lower() in account.users:
        raise exists(f"User with name {name} already exists.")
    if len(account.users) >= account.quotas["users"]:
        raise limit(f"Cannot exceed quota for UsersPerAccount: {account.quotas['users']}")
    user = User(account, name, params.get("Path", "/"))
    user.tags = tags
    if "PermissionsBoundary" in params:
        user.boundary = check_boundary(call, params["PermissionsBoundary"])
    gone = account.user_names_gone.get(name.lower())
    if gone is not None:
        user.unmodifiable_until = gone + account.lag["unmodifiable_s"]
    account.users[name.lower()] = user
    return {"User": user_fields(call, user, tags=True)}


@iam("GetUser", on_user)
def get_user(call):
    return {"User": user_fields(call, the_user(call), tags=True)}


@iam("ListUsers", on_list("user"))
def list_users(call):
    prefix = call.params.get("PathPrefix", "/")
    users = [
        user
        for user in call.account.users.values()
        if user.path.startswith(prefix) and call.account.visible(user)
    ]
    page, fields = paged(call, users, lambda user: user.name.lower())
    return {"Users": [user_fields(call, user) for user in page], **fields}


@iam("UpdateUser", on_user)
def update_user(call):
    account, user = call.account, changeable(call, the_user(call))
    name = call.params.get("NewUserName", user.name)
    if name.lower() != user.name.lower() and name.lower() in account.users:
        raise exists(f"User with name {name} already exists.")
    del account.users[user.name.lower()]
    user.name, user.path = name, call.params.get("NewPath", user.path)
    account.users[name.lower()] = user


@iam("DeleteUser", on_user)
def delete_user(call):
    user = changeable(call, the_user(call))
    leftovers = (
        (user.keys, "must delete access keys first"),
        (user.attached, "must detach all policies first"),
        (user.inline, "must delete policies first"),
        (user.groups, "must remove users from group first"),
        (user.login_profile, "must delete login profile first"),
        (user.mfa, "must delete MFA device first"),
        (user.certificates, "must delete certificates first"),
        (user.ssh_keys, "must remove referenced objects first"),
        (user.service_credentials, "must remove referenced objects first"),
    )
    for things, words in leftovers:
        if things:
            raise conflict(f"Cannot delete entity, {words}.")
    call.account.remove_user(user)


@iam("TagUser", on_user)
def tag_user(call):
    user = the_user(call)
    user.tags = merge_tags(call, user.tags, call.params["Tags"])


@iam("UntagUser", on_user)
def untag_user(call):
    user = the_user(call)
    drop = {key.lower() for key in call.params["TagKeys"]}
    user.tags = {key: value for key, value in user.tags.items() if key.lower() not in drop}


@iam("ListUserTags", on_user)
def list_user_tags(call):
    page, fields = paged(call, tag_list(the_user(call).tags), lambda tag: tag["Key"])
    return {"Tags": page, **fields}


@iam("PutUserPermissionsBoundary", on_user)
def put_boundary(call):
    the_user(call).boundary = check_boundary(call, call.params["PermissionsBoundary"])


@iam("DeleteUserPermissionsBoundary", on_user)
def delete_boundary(call):
    user = the_user(call)
    if user.boundary is None:
        raise AwsError(
            "NoSuchEntity",
            f"User {user.name} does not have permissions boundary associated with it.",
            404,
        )
    user.boundary = None
