# SPDX-License-Identifier: Apache-2.0
"""Who calls: the principal behind a key, the policies that bind it, and the keys of the request
that conditions can ask for."""

from clock import iso
from errors import denied, invalid_token
from policy import ALLOW, decide, reason


class Principal:
    """kind: user, role or federated; session is set for temporary credentials."""

    __slots__ = ("account", "kind", "entity", "session", "key", "arn", "user_id", "user")

    def __init__(self, account, kind, entity, session=None, key=None):
        self.account, self.kind, self.entity, self.session, self.key = (
            account,
            kind,
            entity,
            session,
            key,
        )
        self.user = entity if kind == "user" else None
        if kind == "user":
            self.arn, self.user_id = entity.arn(account), entity.id
        elif kind == "role":
            self.arn = account.arn(f"assumed-role/{entity.name}/{session.name}", "sts")
            self.user_id = f"{entity.id}:{session.name}"
        else:
            self.arn = account.arn(f"federated-user/{session.name}", "sts")
            self.user_id = f"{account.account_id}:{session.name}"

    def documents(self):
        """The identity policies of the user (with its groups) or role."""
        account, entity = self.account, self.entity
        holders = [entity, *entity.groups] if entity.kind == "user" else [entity]
        for holder in holders:
            yield from holder.inline.values()
            for arn in holder.attached:
                yield account.policies[arn].document

    def layers(self):
        """The layers of which each must allow."""
        account, session = self.account, self.session
        layers = {"identity": list(self.documents())}
        if self.entity.boundary:
            policy = account.policies.get(self.entity.boundary)
            layers["boundary"] = [policy.document] if policy else []
        if session is not None and (
            self.kind == "federated" or session.documents or session.policy_arns
        ):
            texts = list(session.documents or [])
            texts += [
                account.policies[arn].document
                for arn in session.policy_arns
                if arn in account.policies
            ]
            layers["session"] = texts
        return layers


def find_principal(account, key_id):
    """The principal of an access key id and its secret; InvalidClientTokenId when there is none."""
    key = account.keys.get(key_id)
    if key is not None:
        if not account.key_usable(key):
            raise invalid_token()
        return Principal(account, "user", key.user, key=key), key.secret
    session = account.sessions.get(key_id)
    if session is None or session.subject.gone:
        raise invalid_token()
    return Principal(account, session.kind, session.subject, session=session), session.secret


def call_context(call):
    """The condition keys of one request, names in lower case."""
    context, principal = {}, call.principal
    now = call.account.clock.now()
    context["aws:currenttime"] = [iso(now)]
    context["aws:epochtime"] = [str(int(now))]
    context["aws:sourceip"] = [call.source_ip]
    context["aws:useragent"] = [call.user_agent]
    context["aws:securetransport"] = ["true" if call.conn.app.tls else "false"]
    if call.region:
        context["aws:requestedregion"] = [call.region]
    if principal is not None:
        principal_context(context, principal)
    request_context(context, call)
    return context


def principal_context(context, principal):
    account, entity, session = principal.account, principal.entity, principal.session
    role = principal.kind == "role"
    context["aws:principalarn"] = [
        entity.arn(account) if principal.kind != "federated" else principal.arn
    ]
    context["aws:principalaccount"] = [account.account_id]
    context["aws:userid"] = [principal.user_id]
    context["aws:principaltype"] = [
        "AssumedRole" if role else "FederatedUser" if principal.kind == "federated" else "User"
    ]
    if principal.user is not None:
        context["aws:username"] = [principal.user.name]
    tags = {**entity.tags, **(session.tags if session else {})}
    for name, value in tags.items():
        context["aws:principaltag/" + name.lower()] = [value]
    if session is not None:
        context["aws:tokenissuetime"] = [iso(session.issued)]
        context["aws:multifactorauthpresent"] = ["true" if session.mfa else "false"]
        if session.mfa:
            context["aws:multifactorauthage"] = [str(int(account.clock.now() - session.issued))]
        context.update(session.facts)


def request_context(context, call):
    params = call.params
    tags = params.get("Tags")
    if tags:
        for tag in tags:
            context["aws:requesttag/" + tag["Key"].lower()] = [tag["Value"]]
        context["aws:tagkeys"] = [tag["Key"] for tag in tags]
    elif params.get("TagKeys"):
        context["aws:tagkeys"] = list(params["TagKeys"])
    if call.service != "iam":
        return
    if "PolicyArn" in params:
        context["iam:policyarn"] = [params["PolicyArn"]]
    target = target_entity(call)
    boundary = params.get("PermissionsBoundary") or (
        target.boundary if target is not None else None
    )
    if boundary:
        context["iam:permissionsboundary"] = [boundary]
    if target is not None:
        for name, value in target.tags.items():
            context["iam:resourcetag/" + name.lower()] = [value]
            context["aws:resourcetag/" + name.lower()] = [value]


def target_entity(call):
    """The user or role that an IAM call changes, for its tags and its boundary."""
    params, account = call.params, call.account
    if "GroupName" in params:
        return None
    if "UserName" in params:
        return account.any_user(params["UserName"])
    if "RoleName" in params:
        role = account.roles.get(params["RoleName"].lower())
        return role if role is not None and role.name == params["RoleName"] else None
    return None


def authorize(call, action, arn, shown):
    """Raises AccessDenied, in the words of AWS, unless the caller's policies allow it."""
    if call.context is None:
        call.context = call_context(call)
    verdict, layer = decide(call.principal.layers(), action, arn, call.context)
    if verdict is not ALLOW:
        raise denied(
            f"User: {call.principal.arn} is not authorized to perform: {action} on resource: "
            f"{shown}" + reason(verdict, layer, action)
        )


def authorize_iam(call, entry):
    """What one IAM call needs: its own action and, with tags at creation, the tagging action."""
    session = call.principal.session
    if session is not None and call.principal.kind != "role" and not session.mfa:
        raise invalid_token()  # GetSessionToken without MFA and GetFederationToken cannot call IAM
    if call.principal.kind == "federated":
        raise invalid_token()
    arn, shown = entry.resource(call)
    authorize(call, "iam:" + call.action, arn, shown)
    if entry.extra is not None:
        for action in entry.extra(call):
            authorize(call, action, arn, shown)
