# SPDX-License-Identifier: Apache-2.0
"""IAM: SimulatePrincipalPolicy, on the same evaluation that real calls meet."""

from actions import iam, paged
from clock import iso
from errors import no_such
from grammar import check_identity_policy
from policy import decide
from principals import Principal, principal_context
from state import Session


def on_source(call):
    return call.params["PolicySourceArn"], call.params["PolicySourceArn"]


def source(call):
    account, arn = call.account, call.params["PolicySourceArn"]
    for user in account.users.values():
        if user.arn(account) == arn:
            return Principal(account, "user", user)
    for role in account.roles.values():
        if role.arn(account) == arn:
            session = Session("role", role, 0, 0)
            session.name = "simulated"
            return Principal(account, "role", role, session=session)
    raise no_such(f"Invalid Entity Arn: {arn} does not exist")


@iam("SimulatePrincipalPolicy", on_source)
def simulate_principal_policy(call):
    params, account = call.params, call.account
    principal = source(call)
    for text in params.get("PolicyInputList", []):
        check_identity_policy(text, account.partition)
    layers = principal.layers()
    layers["identity"] += params.get("PolicyInputList", [])
    context = {
        "aws:currenttime": [iso(account.clock.now())],
        "aws:epochtime": [str(int(account.clock.now()))],
    }
    principal_context(context, principal)
    for entry in params.get("ContextEntries", []):
        context[entry.get("ContextKeyName", "").lower()] = entry.get("ContextKeyValues", [])
    results = []
    for action in params["ActionNames"]:
        for resource in params.get("ResourceArns") or ["*"]:
            verdict, _ = decide(layers, action, resource, context)
            results.append(
                {
                    "EvalActionName": action,
                    "EvalResourceName": resource,
                    "EvalDecision": verdict,
                    "MatchedStatements": [],
                    "MissingContextValues": [],
                }
            )
    page, fields = paged(call, range(len(results)), default=1000)
    return {"EvaluationResults": [results[index] for index in page], **fields}
