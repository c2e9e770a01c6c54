# SPDX-License-Identifier: Apache-2.0
"""STS: caller identity and the temporary credentials a signed call can get."""

from actions import merge_tags, sts
from errors import AwsError, denied, validation
from grammar import check_identity_policy
from iam_logins import code_matches
from policy import EXPLICIT, decide
from principals import Principal, authorize, call_context
from state import Session
from trust import DIRECT, REFUSED, judge_trust

CHAINED = (
    "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by "
    "role chaining"
)
TOO_LONG = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."


def credentials(session):
    return {
        "AccessKeyId": session.id,
        "SecretAccessKey": session.secret,
        "SessionToken": session.token,
        "Expiration": session.expires,
    }


@sts("GetCallerIdentity")
def get_caller_identity(call):
    principal = call.principal
    return {"UserId": principal.user_id, "Account": call.account.account_id, "Arn": principal.arn}


@sts("GetAccessKeyInfo")
def get_access_key_info(call):
    refuse_short_lived(call, "GetAccessKeyInfo")
    authorize(call, "sts:GetAccessKeyInfo", "*", "*")
    return {"Account": call.account.account_id}


def refuse_short_lived(call, action):
    """What session credentials of users may not call."""
    principal = call.principal
    if principal.session is None:
        return
    if (
        action in ("GetSessionToken", "GetFederationToken")
        or principal.kind == "federated"
        or (principal.kind == "user" and action != "AssumeRole")
    ):
        raise denied(f"Cannot call {action} with session credentials")


def check_mfa(call, user):
    """True when a device of the user and its code were given and are right."""
    serial, code = call.params.get("SerialNumber"), call.params.get("TokenCode")
    if serial is None and code is None:
        return False
    device = user.mfa.get(serial) if user is not None and serial else None
    if device is None or code is None or not code_matches(device, code, call.account.clock.now()):
        raise denied("MultiFactorAuthentication failed with invalid MFA one time pass code.")
    return True


def issue(call, kind, subject, seconds):
    now = int(call.account.clock.now())
    return Session(kind, subject, now + seconds, now)


@sts("GetSessionToken")
def get_session_token(call):
    refuse_short_lived(call, "GetSessionToken")
    mfa = check_mfa(call, call.principal.user)
    session = issue(call, "user", call.principal.user, call.params.get("DurationSeconds", 43200))
    session.mfa = mfa
    return {"Credentials": credentials(call.account.add_session(session))}


def take_session_policies(call, session):
    """The session policy (document and ARNs) and the tags; returns PackedPolicySize or None."""
    account, params = call.account, call.params
    document = params.get("Policy")
    arns = [item["arn"] for item in params.get("PolicyArns", []) if "arn" in item]
    if document is not None:
        check_identity_policy(document, account.partition)
    for arn in arns:
        if f"::{account.account_id}:" not in arn and ":iam::aws:policy/" not in arn:
            raise validation(f"Member policyArns must be in the account of the role: {arn}")
        if arn not in account.policies:
            raise AwsError("MalformedPolicyDocument", f"{arn} was not found", 400)
    total = len(document or "") + sum(map(len, arns))
    tag_size = sum(len(tag["Key"]) + len(tag["Value"]) for tag in params.get("Tags", []))
    if len(arns) > 10:
        raise validation(
            "1 validation error detected: Value at 'policyArns' failed to satisfy constraint: "
            "Member must have length less than or equal to 10"
        )
    if total > 2048:
        raise AwsError(
            "PackedPolicyTooLarge",
            "Packed size of session policy or session tags exceeds the limit: "
            f"{100 * total // 2048}%",
            400,
        )
    if document is not None or arns:
        session.documents = [document] if document is not None else []
        session.policy_arns = arns
    if document is None and not arns and not tag_size:
        return None
    return max(1, (100 * (total + tag_size // 2) + 2047) // 4096)


def role_of(call):
    """The role that RoleArn names, or None: AWS does not say that a role is missing."""
    account, arn = call.account, call.params["RoleArn"]
    for role in account.roles.values():
        if role.arn(account) == arn:
            return role
    return None


def refused(call, action):
    return denied(
        f"User: {call.principal.arn} is not authorized to perform: {action} on resource: "
        f"{call.params['RoleArn']}"
    )


def role_context(call, role):
    params = call.params
    context = call_context(call)
    context["sts:rolesessionname"] = [params["RoleSessionName"]]
    if "ExternalId" in params:
        context["sts:externalid"] = [params["ExternalId"]]
    if "SourceIdentity" in params:
        context["sts:sourceidentity"] = [params["SourceIdentity"]]
    if params.get("TransitiveTagKeys"):
        context["sts:transitivetagkeys"] = list(params["TransitiveTagKeys"])
    for name, value in role.tags.items():
        context["aws:resourcetag/" + name.lower()] = [value]
        context["iam:resourcetag/" + name.lower()] = [value]
    return context


def allow_role(call, role, action):
    """The trust policy, and the caller's own policies unless the trust names the caller."""
    trust = judge_trust(role.trust, action, call.principal, call.account, call.context)
    if trust is REFUSED:
        raise refused(call, action)
    layers = call.principal.layers()
    verdict, layer = decide(layers, action, role.arn(call.account), call.context)
    if verdict is EXPLICIT:
        raise denied(
            str(refused(call, action).message) + f" with an explicit deny in {ARTICLES[layer]}"
        )
    if trust is DIRECT:
        limits = {name: texts for name, texts in layers.items() if name != "identity"}
        if call.principal.session is None or not limits:
            return
        verdict, layer = decide(limits, action, role.arn(call.account), call.context)
    if verdict != "allowed":
        raise refused(call, action)


ARTICLES = {
    "identity": "an identity-based policy",
    "boundary": "a permissions boundary",
    "session": "a session policy",
}


def take_tags(call, session, inherited):
    """Session tags, with the transitive ones of the session that calls."""
    params = call.params
    tags = merge_tags(call, {}, params.get("Tags", []))
    for name, value in inherited.items():
        if name.lower() in {tag.lower() for tag in tags}:
            raise AwsError(
                "InvalidParameterValue",
                "One of the specified transitive tag keys can't be set because it "
                "conflicts with a transitive tag key from the calling session.",
                400,
            )
        tags[name] = value
    session.tags = tags
    transitive = set(params.get("TransitiveTagKeys", [])) | set(inherited)
    session.transitive = [name for name in tags if name in transitive]


@sts("AssumeRole")
def assume_role(call):
    refuse_short_lived(call, "AssumeRole")
    account, params, caller = call.account, call.params, call.principal
    role = role_of(call)
    if role is None:
        raise refused(call, "sts:AssumeRole")
    call.context = role_context(call, role)
    if check_mfa(call, caller.user):
        call.context["aws:multifactorauthpresent"] = ["true"]
    allow_role(call, role, "sts:AssumeRole")
    if params.get("Tags"):
        allow_role(call, role, "sts:TagSession")
    if "SourceIdentity" in params:
        allow_role(call, role, "sts:SetSourceIdentity")
    seconds = params.get("DurationSeconds", 3600)
    if caller.session is not None and seconds > 3600:
        raise validation(CHAINED)
    if seconds > role.max_session:
        raise validation(TOO_LONG)
    session = issue(call, "role", role, seconds)
    session.name = params["RoleSessionName"]
    packed = take_session_policies(call, session)
    inherited = {}
    if caller.session is not None:
        inherited = {name: caller.session.tags[name] for name in caller.session.transitive}
    take_tags(call, session, inherited)
    if "SourceIdentity" in params:
        session.facts["aws:sourceidentity"] = [params["SourceIdentity"]]
    return role_answer(account, role, account.add_session(session), packed)


def role_answer(account, role, session, packed):
    principal = Principal(account, "role", role, session=session)
    answer = {
        "Credentials": credentials(session),
        "AssumedRoleUser": {"AssumedRoleId": principal.user_id, "Arn": principal.arn},
    }
    if packed is not None:
        answer["PackedPolicySize"] = packed
    return answer


@sts("GetFederationToken")
def get_federation_token(call):
    refuse_short_lived(call, "GetFederationToken")
    account, name = call.account, call.params["Name"]
    arn = account.arn(f"federated-user/{name}", "sts")
    authorize(call, "sts:GetFederationToken", arn, arn)
    if call.params.get("Tags"):
        authorize(call, "sts:TagSession", arn, arn)
    session = issue(
        call, "federated", call.principal.user, call.params.get("DurationSeconds", 43200)
    )
    session.name = name
    packed = take_session_policies(call, session)
    take_tags(call, session, {})
    principal = Principal(
        account, "federated", call.principal.user, session=account.add_session(session)
    )
    answer = {
        "Credentials": credentials(session),
        "FederatedUser": {"FederatedUserId": principal.user_id, "Arn": principal.arn},
    }
    if packed is not None:
        answer["PackedPolicySize"] = packed
    return answer
