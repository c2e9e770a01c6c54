# SPDX-License-Identifier: Apache-2.0
"""IAM: roles, OpenID Connect providers, the account summary."""

from actions import (
    boundary_field,
    check_boundary,
    encoded,
    iam,
    merge_tags,
    on_anything,
    on_list,
    on_new,
    on_provider,
    on_role,
    paged,
    tag_list,
    tags_too,
)
from errors import AwsError, conflict, exists, no_such, validation
from grammar import check_trust_policy
from iam_policies import the_role
from state import Role


def role_fields(call, role, full=True):
    fields = {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn(call.account),
        "CreateDate": role.created,
        "AssumeRolePolicyDocument": encoded(role.trust),
        "MaxSessionDuration": role.max_session,
    }
    if role.description is not None:
        fields["Description"] = role.description
    if full and role.boundary:
        fields["PermissionsBoundary"] = boundary_field(role.boundary)
    if full and role.tags:
        fields["Tags"] = tag_list(role.tags)
    return fields


@iam("CreateRole", on_new("role", "RoleName"), tags_too("iam:TagRole"))
def create_role(call):
    account, params = call.account, call.params
    name = params["RoleName"]
    check_trust_policy(params["AssumeRolePolicyDocument"], account)
    tags = merge_tags(call, {}, params.get("Tags", []))
    if name.lower() in account.roles:
        raise exists(f"Role with name {name} already exists.")
    role = Role(account, name, params.get("Path", "/"), params["AssumeRolePolicyDocument"])
    role.tags, role.description = tags, params.get("Description")
    role.max_session = params.get("MaxSessionDuration", 3600)
    if "PermissionsBoundary" in params:
        role.boundary = check_boundary(call, params["PermissionsBoundary"])
    account.roles[name.lower()] = role
    return {"Role": role_fields(call, role)}


@iam("GetRole", on_role)
def get_role(call):
    return {"Role": role_fields(call, the_role(call))}


@iam("ListRoles", on_list("role"))
def list_roles(call):
    prefix = call.params.get("PathPrefix", "/")
    roles = [role for role in call.account.roles.values() if role.path.startswith(prefix)]
    page, fields = paged(call, roles, lambda role: role.name.lower())
    return {"Roles": [role_fields(call, role, full=False) for role in page], **fields}


@iam("UpdateRole", on_role)
def update_role(call):
    role = the_role(call)
    role.max_session = call.params.get("MaxSessionDuration", role.max_session)
    role.description = call.params.get("Description", role.description)
    return {}


@iam("UpdateAssumeRolePolicy", on_role)
def update_assume_role_policy(call):
    role = the_role(call)
    check_trust_policy(call.params["PolicyDocument"], call.account)
    role.trust = call.params["PolicyDocument"]


@iam("DeleteRole", on_role)
def delete_role(call):
    role = the_role(call)
    if role.attached:
        raise conflict("Cannot delete entity, must detach all policies first.")
    if role.inline:
        raise conflict("Cannot delete entity, must delete policies first.")
    role.gone = True
    del call.account.roles[role.name.lower()]


@iam("PutRolePermissionsBoundary", on_role)
def put_role_boundary(call):
    the_role(call).boundary = check_boundary(call, call.params["PermissionsBoundary"])


@iam("DeleteRolePermissionsBoundary", on_role)
def delete_role_boundary(call):
    role = the_role(call)
    if role.boundary is None:
        raise no_such(f"Role {role.name} does not have permissions boundary associated with it.")
    role.boundary = None


@iam("TagRole", on_role)
def tag_role(call):
    role = the_role(call)
    role.tags = merge_tags(call, role.tags, call.params["Tags"])


@iam("UntagRole", on_role)
def untag_role(call):
    role = the_role(call)
    drop = {key.lower() for key in call.params["TagKeys"]}
    role.tags = {key: value for key, value in role.tags.items() if key.lower() not in drop}


@iam("ListRoleTags", on_role)
def list_role_tags(call):
    page, fields = paged(call, tag_list(the_role(call).tags), lambda tag: tag["Key"])
    return {"Tags": page, **fields}


def on_new_provider(call):
    arn = provider_arn(call.account, call.params["Url"])
    return arn, arn


def provider_arn(account, url):
    return account.arn("oidc-provider/" + url.removeprefix("https://").rstrip("/"))


@iam("CreateOpenIDConnectProvider", on_new_provider)
def create_provider(call):
    account, params = call.account, call.params
    if not params["Url"].startswith("https://"):
        raise validation("Invalid Open ID Connect Provider URL")
    arn = provider_arn(account, params["Url"])
    if arn in account.oidc:
        raise exists(f"Provider with url {params['Url']} already exists.")
    account.oidc[arn] = {
        "url": params["Url"].rstrip("/"),
        "audiences": list(params.get("ClientIDList", [])),
        "thumbprints": list(params.get("ThumbprintList", [])),
        "created": account.clock.now(),
    }
    return {"OpenIDConnectProviderArn": arn}


def the_provider(call):
    arn = call.params["OpenIDConnectProviderArn"]
    if arn not in call.account.oidc:
        raise no_such(f"OpenIDConnect Provider not found for arn {arn}")
    return call.account.oidc[arn]


@iam("GetOpenIDConnectProvider", on_provider)
def get_provider(call):
    provider = the_provider(call)
    return {
        "Url": provider["url"].removeprefix("https://"),
        "ClientIDList": provider["audiences"],
        "ThumbprintList": provider["thumbprints"],
        "CreateDate": provider["created"],
    }


@iam("ListOpenIDConnectProviders", on_list("oidc-provider"))
def list_providers(call):
    return {"OpenIDConnectProviderList": [{"Arn": arn} for arn in call.account.oidc]}


@iam("DeleteOpenIDConnectProvider", on_provider)
def delete_provider(call):
    the_provider(call)
    del call.account.oidc[call.params["OpenIDConnectProviderArn"]]


@iam("AddClientIDToOpenIDConnectProvider", on_provider)
def add_audience(call):
    provider = the_provider(call)
    if len(provider["audiences"]) >= 100:
        raise AwsError(
            "LimitExceeded", "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100", 409
        )
    if call.params["ClientID"] not in provider["audiences"]:
        provider["audiences"].append(call.params["ClientID"])


@iam("GetAccountSummary", on_anything)
def get_account_summary(call):
    account = call.account
    own = [arn for arn in account.policies if ":iam::aws:" not in arn]
    return {
        "SummaryMap": {
            "Users": len(account.users),
            "UsersQuota": account.quotas["users"],
            "Groups": len(account.groups),
            "Roles": len(account.roles),
            "Policies": len(own),
            "AccessKeysPerUserQuota": account.quotas["keys"],
            "GroupsPerUserQuota": account.quotas["groups_per_user"],
            "UserPolicySizeQuota": account.quotas["user_policy"],
            "AttachedPoliciesPerUserQuota": account.quotas["attached"],
        }
    }
