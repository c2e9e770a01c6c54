# SPDX-License-Identifier: Apache-2.0
"""Trust policies of roles: who is named, and how."""

from conditions import matches_conditions
from patterns import as_list
from policy import compile_document

REFUSED, DELEGATED, DIRECT = "refused", "delegated", "direct"


def caller_names(principal, account):
    """The names by which a trust policy can mean just this caller."""
    names = {principal.arn, principal.entity.id}
    if principal.kind != "federated":
        names.add(principal.entity.arn(account))
    return names


def names_caller(spec, principal, account):
    """DIRECT when the caller itself is named, DELEGATED for its account, else None."""
    if spec == "*":
        return DIRECT
    found = None
    for name in as_list(spec.get("AWS", [])) if isinstance(spec, dict) else []:
        if name == "*" or name in caller_names(principal, account):
            return DIRECT
        if name in (account.account_id, account.arn("root")):
            found = DELEGATED
    return found


def judge_trust(text, action, principal, account, context):
    """How the trust policy stands to an action of a signed caller."""
    best = REFUSED
    for statement in compile_document(text):
        named = names_caller(statement.principals, principal, account)
        if named is None or not statement.matches_action(action):
            continue
        if not matches_conditions(statement.conditions, context, statement.variables):
            continue
        if not statement.allow:
            return REFUSED
        if best is not DIRECT:
            best = named
    return best


def judge_federated(text, action, provider_arn, context):
    """Whether the trust policy lets in tokens of an identity provider."""
    allowed = False
    for statement in compile_document(text):
        spec = statement.principals
        names = as_list(spec.get("Federated", [])) if isinstance(spec, dict) else [spec]
        if provider_arn not in names and "*" not in names:
            continue
        if not statement.matches_action(action):
            continue
        if not matches_conditions(statement.conditions, context, statement.variables):
            continue
        if not statement.allow:
            return False
        allowed = True
    return allowed
