# SPDX-License-Identifier: Apache-2.0
"""Evaluation of IAM policy documents (IAM User Guide, policy evaluation logic): an explicit Deny
anywhere wins; then every layer that applies must allow."""

import json
from functools import lru_cache

from conditions import matches_conditions
from patterns import as_list, glob, substitute

ALLOW, IMPLICIT, EXPLICIT = "allowed", "implicitDeny", "explicitDeny"


class Statement:
    """One statement, prepared for matching."""

    def __init__(self, raw, version):
        self.sid = raw.get("Sid")
        self.allow = raw["Effect"] == "Allow"
        self.actions = [
            glob(name, True) for name in as_list(raw.get("Action", raw.get("NotAction", [])))
        ]
        self.not_action = "NotAction" in raw
        self.resources = [
            str(name) for name in as_list(raw.get("Resource", raw.get("NotResource", "*")))
        ]
        self.not_resource = "NotResource" in raw
        self.conditions = [
            (operator, key.lower(), as_list(values))
            for operator, block in (raw.get("Condition") or {}).items()
            for key, values in block.items()
        ]
        self.principals = raw.get("Principal")
        self.variables = version == "2012-10-17"

    def matches_action(self, action):
        return any(pattern.fullmatch(action) for pattern in self.actions) != self.not_action

    def matches_resource(self, resource, context):
        hit = False
        for text in self.resources:
            if text == "*":
                hit = True
                break
            if self.variables and "${" in text:
                text = substitute(text, context)
                if text is None:
                    continue
            if text.count(":") < 5:  # AWS completes an ARN by wildcards
                text += ":*" * (5 - text.count(":"))
            if glob(text, False).fullmatch(resource):
                hit = True
                break
        return hit != self.not_resource

    def matches(self, action, resource, context):
        return (
            self.matches_action(action)
            and self.matches_resource(resource, context)
            and matches_conditions(self.conditions, context, self.variables)
        )


@lru_cache(maxsize=20000)
def compile_document(text: str):
    """The statements of a stored (and so already checked) document."""
    document = json.loads(text)
    return tuple(
        Statement(raw, document.get("Version", "2008-10-17"))
        for raw in as_list(document["Statement"])
    )


def evaluate(documents, action, resource, context):
    """The verdict of one layer of documents."""
    verdict = IMPLICIT
    for text in documents:
        for statement in compile_document(text):
            if (verdict is ALLOW and statement.allow) or not statement.matches(
                action, resource, context
            ):
                continue
            if not statement.allow:
                return EXPLICIT
            verdict = ALLOW
    return verdict


LAYER_NAMES = {
    "identity": "identity-based policy",
    "boundary": "permissions boundary",
    "session": "session policy",
    "resource": "resource-based policy",
}


def decide(layers, action, resource, context):
    """layers: {name: documents}. Returns (verdict, layer that said no)."""
    verdicts = {
        name: evaluate(documents, action, resource, context) for name, documents in layers.items()
    }
    for name, verdict in verdicts.items():
        if verdict is EXPLICIT:
            return EXPLICIT, name
    for name, verdict in verdicts.items():
        if verdict is IMPLICIT:
            return IMPLICIT, name
    return ALLOW, None


def reason(verdict, layer, action):
    """The end of an AccessDenied message."""
    article = "a" if layer in ("boundary", "session", "resource") else "an"
    if verdict is EXPLICIT:
        return f" with an explicit deny in {article} {LAYER_NAMES[layer]}"
    return f" because no {LAYER_NAMES[layer]} allows the {action} action"
