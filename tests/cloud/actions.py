# SPDX-License-Identifier: Apache-2.0
"""The table of actions, what each one authorizes on, and the helpers they share."""

import base64
import json
from urllib.parse import quote

from errors import AwsError, limit, no_such, validation

IAM, STS = {}, {}


class Action:
    __slots__ = ("run", "resource", "extra")

    def __init__(self, run, resource, extra=None):
        self.run = run
        self.resource = resource
        self.extra = extra


def iam(name, resource, extra=None):
    """Registers an IAM action. resource: a function of the call giving (arn, text for messages);
    extra: a function giving further actions to authorize."""

    def register(function):
        IAM[name] = Action(function, resource, extra)
        return function

    return register


def sts(name):
    """Registers an STS action; each does its own authorization."""

    def register(function):
        STS[name] = Action(function, None)
        return function

    return register


class Call:
    """One request on its way through the look-alike."""

    __slots__ = (
        "request",
        "conn",
        "service",
        "action",
        "operation",
        "pairs",
        "params",
        "principal",
        "account",
        "request_id",
        "region",
        "entry",
        "context",
        "claim",
        "user_agent",
        "source_ip",
        "fault",
        "problem",
        "xml_root",
    )

    def __init__(self):
        self.params, self.principal, self.context, self.claim, self.fault = (
            {},
            None,
            None,
            None,
            None,
        )
        self.operation, self.pairs, self.region, self.problem, self.xml_root = (
            None,
            [],
            None,
            None,
            None,
        )


# what an action is about: each gives (ARN, the words of an AccessDenied message)


def _named(call, kind, name, entity):
    if entity is None:  # IAM cannot know the path of what it does not have
        return call.account.arn(f"{kind}/{name}"), f"{kind} {name}"
    arn = entity.arn(call.account)
    return arn, arn


def user_name(call):
    """UserName, or the calling user; sessions of roles must name one."""
    name = call.params.get("UserName")
    if name is not None:
        return name
    if call.principal.user is None:
        raise validation("Must specify userName when calling with non-User credentials")
    return call.principal.user.name


def on_user(call):
    name = user_name(call)
    user = call.account.any_user(name)
    if (
        user is not None
        and call.account.lag["authorization"] == "lagged"
        and not call.account.visible(user)
    ):
        user = None
    return _named(call, "user", name, user)


def on_new(kind, field):
    def resource(call):
        arn = call.account.arn(f"{kind}{call.params.get('Path', '/')}{call.params[field]}")
        return arn, arn

    return resource


def on_group(call):
    name = call.params["GroupName"]
    group = call.account.groups.get(name.lower())
    return _named(call, "group", name, group if group is not None and group.name == name else None)


def on_role(call):
    name = call.params["RoleName"]
    role = call.account.roles.get(name.lower())
    return _named(call, "role", name, role if role is not None and role.name == name else None)


def on_policy(call):
    return call.params["PolicyArn"], f"policy {call.params['PolicyArn']}"


def on_list(kind):
    def resource(call):
        arn = call.account.arn(kind + call.params.get("PathPrefix", "/"))
        return arn, arn

    return resource


def on_anything(call):
    return "*", "*"


def on_mfa(call):
    serial = call.params.get("SerialNumber") or call.account.arn(
        f"mfa{call.params.get('Path', '/')}{call.params.get('VirtualMFADeviceName', '')}"
    )
    return serial, serial


def on_provider(call):
    return call.params["OpenIDConnectProviderArn"], call.params["OpenIDConnectProviderArn"]


def tags_too(action):
    """Tags given at creation need the tagging action as well."""

    def extra(call):
        return [action] if call.params.get("Tags") else []

    return extra


# shared pieces


def paged(call, items, key=lambda item: item, default=100):
    """One page by MaxItems and Marker: (items, the fields of the answer). The marker holds the
    last key of a page, so that removals in between lose nothing."""
    items = sorted(items, key=key)
    marker = call.params.get("Marker")
    if marker is not None:
        try:
            last = json.loads(base64.urlsafe_b64decode(marker.encode()))
            items = [item for item in items if key(item) > last]
        except (ValueError, TypeError):
            raise validation("Invalid Marker.") from None
    size = call.params.get("MaxItems", default)
    page = items[:size]
    if len(items) <= size:
        return page, {"IsTruncated": False}
    token = base64.urlsafe_b64encode(json.dumps(key(page[-1])).encode()).decode()
    return page, {"IsTruncated": True, "Marker": token}


def encoded(document: str) -> str:
    """Documents are URL-encoded in answers (RFC 3986)."""
    return quote(document, safe="")


def tag_list(tags):
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def merge_tags(call, tags, new):
    """The tags after adding; keys are unique without regard to case, at most 50."""
    seen = set()
    for tag in new:
        if tag["Key"].lower() in seen:
            raise invalid_input(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive."
            )
        if tag["Key"].lower().startswith("aws:"):
            raise invalid_input(
                "Tag keys beginning with 'aws:' are reserved for system use. Please use a "
                "different key."
            )
        seen.add(tag["Key"].lower())
    result = {key: value for key, value in tags.items() if key.lower() not in seen}
    result.update((tag["Key"], tag["Value"]) for tag in new)
    if len(result) > call.account.quotas["tags"]:
        raise limit("The number of tags has reached the maximum limit.")
    return result


def invalid_input(message):
    return AwsError("InvalidInput", message, 400)


def boundary_field(arn):
    return {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}


def check_boundary(call, arn):
    if arn not in call.account.policies:
        raise no_such(f"Scope ARN: {arn} does not exist or is not attachable.")
    return arn
