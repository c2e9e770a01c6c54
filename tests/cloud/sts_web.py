# SPDX-License-Identifier: Apache-2.0
"""STS: AssumeRoleWithWebIdentity. The call is unsigned; the token is a JWT of an issuer whose
HS256 key was registered through the control API."""

import base64
import hashlib
import hmac
import json

from actions import sts
from errors import AwsError, denied, validation
from iam_roles import provider_arn
from patterns import as_list
from principals import call_context
from sts import TOO_LONG, issue, role_answer, role_of, take_session_policies
from trust import judge_federated


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def make_jwt(claims, key):
    head = (
        b64(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
        + "."
        + b64(json.dumps(claims).encode())
    )
    return head + "." + b64(hmac.new(key.encode(), head.encode(), hashlib.sha256).digest())


def invalid_identity(message):
    return AwsError("InvalidIdentityToken", message, 400)


def read_jwt(token):
    """(claims, signed part, signature); not believed yet."""
    try:
        head, body, signature = token.split(".")
        header, claims = json.loads(unb64(head)), json.loads(unb64(body))
        if not isinstance(claims, dict) or header.get("alg") != "HS256":
            raise ValueError
        return claims, f"{head}.{body}", unb64(signature)
    except (ValueError, AttributeError):
        raise invalid_identity(
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an "
            "Access Token)"
        ) from None


def check_token(account, token):
    """The claims of a good token and the ARN of its provider."""
    claims, signed, signature = read_jwt(token)
    issuer = str(claims.get("iss", ""))
    arn = provider_arn(account, issuer)
    provider = account.oidc.get(arn)
    if provider is None:
        raise invalid_identity(f"No OpenIDConnect provider found in your account for {issuer}")
    key = account.issuers.get(issuer)
    if key is None:
        raise invalid_identity(
            "Couldn't retrieve verification key from your identity provider,  please reference "
            "AssumeRoleWithWebIdentity documentation for requirements"
        )
    if not hmac.compare_digest(
        hmac.new(key.encode(), signed.encode(), hashlib.sha256).digest(), signature
    ):
        raise invalid_identity("Provided Token is not signed by the identity provider")
    now = int(account.clock.now())
    if not isinstance(claims.get("exp"), (int, float)) or "sub" not in claims:
        raise invalid_identity("Missing a required claim")
    if claims["exp"] <= now:
        raise AwsError(
            "ExpiredTokenException",
            f"Token expired: current date/time {now} must be before the "
            f"expiration date/time{int(claims['exp'])}",
            400,
        )
    audiences = as_list(claims.get("aud", []))
    if not set(audiences) & set(provider["audiences"]):
        raise invalid_identity("Incorrect token audience")
    return claims, arn, provider["url"].removeprefix("https://")


@sts("AssumeRoleWithWebIdentity")
def assume_role_with_web_identity(call):
    account, params = call.account, call.params
    account.remember(params["WebIdentityToken"])
    claims, arn, issuer = check_token(account, params["WebIdentityToken"])
    role = role_of(call)
    audience = as_list(claims["aud"])[0]
    context = call_context(call)
    context |= {
        "aws:federatedprovider": [arn],
        f"{issuer}:aud".lower(): [audience],
        f"{issuer}:sub".lower(): [claims["sub"]],
        "sts:rolesessionname": [params["RoleSessionName"]],
    }
    if role is None or not judge_federated(
        role.trust, "sts:AssumeRoleWithWebIdentity", arn, context
    ):
        raise denied("Not authorized to perform sts:AssumeRoleWithWebIdentity")
    seconds = params.get("DurationSeconds", 3600)
    if seconds > role.max_session:
        raise validation(TOO_LONG)
    session = issue(call, "role", role, seconds)
    session.name = params["RoleSessionName"]
    session.facts["aws:federatedprovider"] = [arn]
    packed = take_session_policies(call, session)
    answer = role_answer(account, role, account.add_session(session), packed)
    return {
        **answer,
        "SubjectFromWebIdentityToken": claims["sub"],
        "Provider": arn,
        "Audience": audience,
    }
