# SPDX-License-Identifier: Apache-2.0
"""IAM: inline and managed policies of users, groups and roles."""

from actions import (
    encoded,
    iam,
    merge_tags,
    on_group,
    on_list,
    on_new,
    on_policy,
    on_role,
    on_user,
    paged,
    tag_list,
)
from actions import tags_too
from errors import AwsError, conflict, exists, limit, no_such
from grammar import check_identity_policy, size
from iam_users import the_user
from state import Policy


def the_group(call):
    return call.account.group(call.params["GroupName"])


def the_role(call):
    return call.account.role(call.params["RoleName"])


def register(kind, get, resource, quota):
    """The seven actions that users, groups and roles have in common."""
    name_field = f"{kind}Name"
    low = kind.lower()

    def put(call):
        entity, params = get(call), call.params
        check_identity_policy(params["PolicyDocument"], call.account.partition)
        others = sum(
            size(text) for name, text in entity.inline.items() if name != params["PolicyName"]
        )
        most = call.account.quotas[quota]
        if others + size(params["PolicyDocument"]) > most:
            raise limit(f"Maximum policy size of {most} bytes exceeded for {low} {entity.name}")
        entity.inline[params["PolicyName"]] = params["PolicyDocument"]

    def find(call, entity):
        document = entity.inline.get(call.params["PolicyName"])
        if document is None:
            raise no_such(
                f"The {low} policy with name {call.params['PolicyName']} cannot be found."
            )
        return document

    def read(call):
        entity = get(call)
        return {
            name_field: entity.name,
            "PolicyName": call.params["PolicyName"],
            "PolicyDocument": encoded(find(call, entity)),
        }

    def delete(call):
        entity = get(call)
        find(call, entity)
        del entity.inline[call.params["PolicyName"]]

    def names(call):
        page, fields = paged(call, get(call).inline)
        return {"PolicyNames": page, **fields}

    def attach(call):
        entity, arn = get(call), call.params["PolicyArn"]
        if arn not in call.account.policies:
            raise no_such(f"Policy {arn} does not exist or is not attachable.")
        if arn in entity.attached:
            return
        most = call.account.quotas["attached"]
        if len(entity.attached) >= most:
            raise limit(f"Cannot exceed quota for PoliciesPer{kind}: {most}")
        entity.attached.append(arn)

    def detach(call):
        entity, arn = get(call), call.params["PolicyArn"]
        if arn not in entity.attached:
            raise no_such(f"Policy {arn} was not found.")
        entity.attached.remove(arn)

    def attached(call):
        account = call.account
        prefix = call.params.get("PathPrefix", "/")
        policies = [account.policies[arn] for arn in get(call).attached]
        page, fields = paged(
            call, [p for p in policies if p.path.startswith(prefix)], lambda p: p.arn
        )
        return {
            "AttachedPolicies": [{"PolicyName": p.name, "PolicyArn": p.arn} for p in page],
            **fields,
        }

    iam(f"Put{kind}Policy", resource)(put)
    iam(f"Get{kind}Policy", resource)(read)
    iam(f"Delete{kind}Policy", resource)(delete)
    iam(f"List{kind}Policies", resource)(names)
    iam(f"Attach{kind}Policy", resource)(attach)
    iam(f"Detach{kind}Policy", resource)(detach)
    iam(f"ListAttached{kind}Policies", resource)(attached)


register("User", the_user, on_user, "user_policy")
register("Group", the_group, on_group, "group_policy")
register("Role", the_role, on_role, "role_policy")


def entities(account):
    for table in (account.users, account.groups, account.roles):
        yield from table.values()


def policy_fields(call, policy, full=False):
    everything = list(entities(call.account))
    fields = {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": policy.default,
        "IsAttachable": True,
        "AttachmentCount": sum(policy.arn in entity.attached for entity in everything),
        "PermissionsBoundaryUsageCount": sum(
            policy.arn == entity.boundary for entity in everything
        ),
        "CreateDate": policy.created,
        "UpdateDate": policy.versions[policy.default][1],
    }
    if full:
        fields["Description"] = policy.description
        fields["Tags"] = tag_list(policy.tags)
    return fields


def checked_document(call):
    document = call.params["PolicyDocument"]
    check_identity_policy(document, call.account.partition)
    most = call.account.quotas["managed_policy"]
    if size(document) > most:
        raise limit(f"Cannot exceed quota for PolicySize: {most}")
    return document


def own_policy(call):
    if ":iam::aws:policy/" in call.params["PolicyArn"]:
        raise AwsError(
            "AccessDenied", f"Policy {call.params['PolicyArn']} is outside your own account.", 403
        )
    return call.account.policy(call.params["PolicyArn"])


@iam("CreatePolicy", on_new("policy", "PolicyName"), tags_too("iam:TagPolicy"))
def create_policy(call):
    account, params = call.account, call.params
    document = checked_document(call)
    names = {
        p.name.lower() for p in account.policies.values() if f"::{account.account_id}:" in p.arn
    }
    if params["PolicyName"].lower() in names:
        raise exists(
            f"A policy called {params['PolicyName']} already exists. Duplicate names are not "
            "allowed."
        )
    policy = Policy(account, params["PolicyName"], params.get("Path", "/"), document)
    policy.description = params.get("Description")
    policy.tags = merge_tags(call, {}, params.get("Tags", []))
    account.policies[policy.arn] = policy
    return {"Policy": policy_fields(call, policy, full=True)}


@iam("GetPolicy", on_policy)
def get_policy(call):
    return {"Policy": policy_fields(call, call.account.policy(call.params["PolicyArn"]), full=True)}


def version_fields(policy, version, document=True):
    text, created = policy.versions[version]
    fields = {
        "VersionId": version,
        "IsDefaultVersion": version == policy.default,
        "CreateDate": created,
    }
    return {"Document": encoded(text), **fields} if document else fields


def find_version(policy, version):
    if version not in policy.versions:
        raise no_such(f"Policy {policy.arn} version {version} does not exist or is not attachable.")
    return version


@iam("GetPolicyVersion", on_policy)
def get_policy_version(call):
    policy = call.account.policy(call.params["PolicyArn"])
    return {"PolicyVersion": version_fields(policy, find_version(policy, call.params["VersionId"]))}


@iam("ListPolicyVersions", on_policy)
def list_policy_versions(call):
    policy = call.account.policy(call.params["PolicyArn"])
    page, fields = paged(call, policy.versions, lambda version: int(version[1:]))
    return {
        "Versions": [version_fields(policy, version, document=False) for version in page],
        **fields,
    }


@iam("CreatePolicyVersion", on_policy)
def create_policy_version(call):
    policy = own_policy(call)
    if len(policy.versions) >= call.account.quotas["versions"]:
        raise limit(
            "A managed policy can have up to 5 versions. Before you create a new version, "
            "you must delete "
            "an existing version."
        )
    version = f"v{max(int(name[1:]) for name in policy.versions) + 1}"
    policy.versions[version] = (checked_document(call), call.account.clock.now())
    if call.params.get("SetAsDefault"):
        policy.default = version
    return {"PolicyVersion": version_fields(policy, version, document=False)}


@iam("SetDefaultPolicyVersion", on_policy)
def set_default_policy_version(call):
    policy = own_policy(call)
    policy.default = find_version(policy, call.params["VersionId"])


@iam("DeletePolicyVersion", on_policy)
def delete_policy_version(call):
    policy = own_policy(call)
    version = find_version(policy, call.params["VersionId"])
    if version == policy.default:
        raise conflict("Cannot delete the default version of a policy.")
    del policy.versions[version]


@iam("DeletePolicy", on_policy)
def delete_policy(call):
    policy = own_policy(call)
    if any(policy.arn in e.attached or policy.arn == e.boundary for e in entities(call.account)):
        raise conflict("Cannot delete a policy attached to entities.")
    if len(policy.versions) > 1:
        raise conflict(
            "This policy has more than one version. Before you delete a policy, you must "
            "delete the "
            "policy's versions. The default version is deleted with the policy."
        )
    del call.account.policies[policy.arn]


@iam("ListPolicies", on_list("policy"))
def list_policies(call):
    params, account = call.params, call.account
    scope, prefix = params.get("Scope", "All"), params.get("PathPrefix", "/")
    attached = {arn for entity in entities(account) for arn in entity.attached}
    chosen = []
    for policy in account.policies.values():
        own = ":iam::aws:" not in policy.arn
        if (scope == "All" or own == (scope == "Local")) and policy.path.startswith(prefix):
            if not params.get("OnlyAttached") or policy.arn in attached:
                chosen.append(policy)
    page, fields = paged(call, chosen, lambda p: p.arn)
    return {"Policies": [policy_fields(call, policy) for policy in page], **fields}
