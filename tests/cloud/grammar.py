# SPDX-License-Identifier: Apache-2.0
"""What IAM refuses when a policy is stored: JSON, then the grammar of the policy language."""

import json
import re

from conditions import split_operator
from errors import malformed_policy
from patterns import as_list, glob

STATEMENT_KEYS = {
    "Sid",
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
    "Principal",
    "NotPrincipal",
}
# IAM looks at the service and at the number of colons. It stores a name with blanks in it, which
# then matches nothing; here that is refused, so that a typo in a test is seen.
ACTION = re.compile(r"(\*|[A-Za-z0-9.-]+:[^:\x00-\x20\x7f]+)\Z")
SYNTAX = "Syntax errors in policy."


def no_duplicates(pairs):
    result = {}
    for key, value in pairs:
        if key in result:
            raise malformed_policy(SYNTAX)
        result[key] = value
    return result


def load(text):
    try:
        document = json.loads(text, object_pairs_hook=no_duplicates)
    except (ValueError, RecursionError):
        raise malformed_policy("Syntax errors in policy.") from None
    if not isinstance(document, dict) or set(document) - {"Version", "Id", "Statement"}:
        raise malformed_policy(SYNTAX)
    if not isinstance(document.get("Id", ""), str):
        raise malformed_policy(SYNTAX)
    if document.get("Version", "2008-10-17") not in ("2012-10-17", "2008-10-17"):
        raise malformed_policy("The policy must contain a valid version string.")
    statements = document.get("Statement")
    if not isinstance(statements, (dict, list)) or not statements:
        raise malformed_policy("Syntax errors in policy.")
    if not all(isinstance(item, dict) for item in as_list(statements)):
        raise malformed_policy(SYNTAX)
    return as_list(statements)


def check_strings(value):
    items = as_list(value)
    if not items or not all(isinstance(item, str) for item in items):
        raise malformed_policy(SYNTAX)
    return items


def check_conditions(block):
    if not isinstance(block, dict):
        raise malformed_policy(SYNTAX)
    for operator, keys in block.items():
        if split_operator(operator) is None:
            raise malformed_policy(f"Invalid Condition type : {operator}.")
        if not isinstance(keys, dict) or not keys:
            raise malformed_policy(SYNTAX)
        for key, values in keys.items():
            if ":" not in key:
                raise malformed_policy(
                    "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
                )
            if not all(isinstance(item, (str, int, float, bool)) for item in as_list(values)):
                raise malformed_policy(SYNTAX)


def check_statement(raw, trust):
    if set(raw) - STATEMENT_KEYS or raw.get("Effect") not in ("Allow", "Deny"):
        raise malformed_policy(SYNTAX)
    if not isinstance(raw.get("Sid", ""), str):
        raise malformed_policy(SYNTAX)
    if ("Action" in raw) == ("NotAction" in raw):
        raise malformed_policy("Policy statement must contain actions.")
    for action in check_strings(raw.get("Action", raw.get("NotAction"))):
        if not ACTION.match(action):
            raise malformed_policy(
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
                if ":" not in action
                else f"The policy failed legacy parsing: {action}"
            )
    if "Condition" in raw:
        check_conditions(raw["Condition"])


def check_arn(resource, partition):
    """AWS completes an ARN of fewer than six fields by wildcards (User Guide, element Resource)."""
    parts = resource.split(":", 5)
    if len(parts) < 2 or parts[0] != "arn":
        raise malformed_policy(f'Resource {resource} must be in ARN format or "*".')
    if not glob(parts[1], False).fullmatch(partition):
        raise malformed_policy(f'Partition "{parts[1]}" is not valid for resource "{resource}".')
    if len(parts) < 3 or not parts[2] or set(parts[2]) & set("*?"):
        raise malformed_policy(
            "Resource vendor must be fully qualified and cannot contain regexes."
        )
    if len(parts) < 6 and "::" in resource:
        raise malformed_policy("The policy failed legacy parsing")
    if parts[2] == "iam" and len(parts) > 3 and parts[3]:
        raise malformed_policy(f"IAM resource {resource} cannot contain region information.")
    if parts[2] == "iam" and len(parts) == 6 and not set(parts[5]) & set("/*?$"):
        raise malformed_policy('IAM resource path must either be "*" or start with user/, role/, …')


def check_resource(raw, partition):
    if "Principal" in raw or "NotPrincipal" in raw:
        raise malformed_policy("Policy document should not specify a principal.")
    if ("Resource" in raw) == ("NotResource" in raw):
        raise malformed_policy("Policy statement must contain resources.")
    for resource in check_strings(raw.get("Resource", raw.get("NotResource"))):
        if resource != "*":
            check_arn(resource, partition)


def check_identity_policy(text, partition="aws"):
    """Raises MalformedPolicyDocument as IAM does for all but trust policies; partition: of the
    account."""
    statements = load(text)
    sids = [raw["Sid"] for raw in statements if raw.get("Sid")]
    if len(sids) != len(set(sids)):
        raise malformed_policy("Statement IDs (SID) in a single policy must be unique.")
    for raw in statements:
        check_statement(raw, False)
        check_resource(raw, partition)
        if raw.get("Sid") and not re.match(r"[A-Za-z0-9]*\Z", raw["Sid"]):
            raise malformed_policy("Statement IDs (SID) can only contain letters and digits.")


def check_trust_policy(text, account=None):
    """account: given when the principals must exist."""
    for raw in load(text):
        check_statement(raw, True)
        if "Resource" in raw or "NotResource" in raw:
            raise malformed_policy("Has prohibited field Resource")
        principal = raw.get("Principal", raw.get("NotPrincipal"))
        if principal is None:
            raise malformed_policy("Missing required field Principal")
        if principal != "*" and not isinstance(principal, dict):
            raise malformed_policy(SYNTAX)
        for action in as_list(raw.get("Action", [])):
            if not action.startswith("sts:") and action != "*":
                raise malformed_policy("AssumeRole policy may only specify STS AssumeRole actions.")
        if account is not None and isinstance(principal, dict):
            check_principals(principal, account)


def check_principals(principal, account):
    for name in check_strings(principal.get("AWS", ["*"])):
        parts = name.split(":", 5)
        if len(parts) != 6 or parts[4] != account.account_id:
            continue
        kind, _, rest = parts[5].partition("/")
        last = rest.rsplit("/", 1)[-1]
        found = parts[5] == "root" or kind == "assumed-role"
        entity = {"user": account.users, "role": account.roles}.get(kind, {}).get(last.lower())
        if not found and (entity is None or entity.arn(account) != name):
            raise malformed_policy(f'Invalid principal in policy: "AWS":"{name}"')


def size(text: str) -> int:
    """The characters that count towards a quota: whitespace does not."""
    return sum(1 for char in text if not char.isspace())
