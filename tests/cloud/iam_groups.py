# SPDX-License-Identifier: Apache-2.0
"""IAM: groups. Membership is authorized on the group."""

from actions import iam, on_group, on_list, on_new, on_user, paged
from errors import conflict, exists, limit
from iam_policies import the_group
from iam_users import changeable, the_user, user_fields
from state import Group


def group_fields(call, group):
    return {
        "Path": group.path,
        "GroupName": group.name,
        "GroupId": group.id,
        "Arn": group.arn(call.account),
        "CreateDate": group.created,
    }


@iam("CreateGroup", on_new("group", "GroupName"))
def create_group(call):
    account, name = call.account, call.params["GroupName"]
    if name.lower() in account.groups:
        raise exists(f"Group with name {name} already exists.")
    group = account.groups[name.lower()] = Group(account, name, call.params.get("Path", "/"))
    return {"Group": group_fields(call, group)}


@iam("GetGroup", on_group)
def get_group(call):
    group = the_group(call)
    page, fields = paged(call, group.members, lambda user: user.name.lower())
    return {
        "Group": group_fields(call, group),
        "Users": [user_fields(call, user) for user in page],
        **fields,
    }


@iam("ListGroups", on_list("group"))
def list_groups(call):
    prefix = call.params.get("PathPrefix", "/")
    groups = [group for group in call.account.groups.values() if group.path.startswith(prefix)]
    page, fields = paged(call, groups, lambda group: group.name.lower())
    return {"Groups": [group_fields(call, group) for group in page], **fields}


@iam("DeleteGroup", on_group)
def delete_group(call):
    group = the_group(call)
    if group.members:
        raise conflict("Cannot delete entity, must remove users from group first.")
    if group.attached:
        raise conflict("Cannot delete entity, must detach all policies first.")
    if group.inline:
        raise conflict("Cannot delete entity, must delete policies first.")
    del call.account.groups[group.name.lower()]


@iam("AddUserToGroup", on_group)
def add_user_to_group(call):
    group, user = the_group(call), changeable(call, the_user(call))
    if group in user.groups:
        return
    most = call.account.quotas["groups_per_user"]
    if len(user.groups) >= most:
        raise limit(f"Cannot exceed quota for GroupsPerUser: {most}")
    user.groups.append(group)
    group.members.append(user)


@iam("RemoveUserFromGroup", on_group)
def remove_user_from_group(call):
    group, user = the_group(call), the_user(call)
    if group in user.groups:
        user.groups.remove(group)
        group.members.remove(user)


@iam("ListGroupsForUser", on_user)
def list_groups_for_user(call):
    page, fields = paged(call, the_user(call).groups, lambda group: group.name.lower())
    return {"Groups": [group_fields(call, group) for group in page], **fields}
