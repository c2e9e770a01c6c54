# SPDX-License-Identifier: Apache-2.0
"""Invariants of kms-agent that the cloud itself watches: a minted user (tag kms-agent-id) has its
fence before it has a key, and keeps it while it has one."""

import json

from clock import iso_ms
from conditions import parse_date
from patterns import as_list

FENCE = "kms-fence"
TAG = "kms-agent-id"


def is_fence(text):
    """A policy with a Deny of everything from a date on (or from now on, without a condition)."""
    for raw in as_list(json.loads(text)["Statement"]):
        if raw.get("Effect") != "Deny" or "*" not in as_list(raw.get("Action", [])):
            continue
        if "*" not in as_list(raw.get("Resource", [])):
            continue
        condition = raw.get("Condition")
        if not condition:
            return True
        if len(condition) != 1:
            continue
        operator, keys = next(iter(condition.items()))
        if operator not in ("DateGreaterThan", "DateGreaterThanEquals") or len(keys) != 1:
            continue
        key, value = next(iter(keys.items()))
        if (
            key.lower() == "aws:currenttime"
            and len(as_list(value)) == 1
            and parse_date(str(as_list(value)[0]))
        ):
            return True
    return False


class Watch:
    def __init__(self, account):
        self.account = account
        self.found = []

    def report(self, call, user, what):
        self.found.append(
            {
                "time": iso_ms(self.account.clock.now()),
                "seq": call.entry["seq"],
                "action": call.action,
                "user": user.name,
                "what": what,
            }
        )

    def after(self, call):
        """Called after each IAM action that was applied."""
        if call.action not in ("CreateAccessKey", "DeleteUserPolicy", "PutUserPolicy"):
            return
        user = self.account.any_user(call.params.get("UserName") or "")
        if user is None or TAG not in user.tags or not user.keys:
            return
        document = user.inline.get(FENCE)
        if document is not None and is_fence(document):
            return
        if call.action == "CreateAccessKey":
            self.report(call, user, "CreateAccessKey before a fence")
        elif call.params.get("PolicyName") == FENCE:
            self.report(call, user, "the fence was taken away while the user has a key")
