# SPDX-License-Identifier: Apache-2.0
"""Wildcards and variables of the policy language."""

import re
from functools import lru_cache

VARIABLE = re.compile(r"\$\{([^}]*)\}")


@lru_cache(maxsize=50000)
def glob(pattern: str, fold: bool):
    """* and ? as IAM has them; a pattern in which \\0 marks literal characters."""
    out = []
    literal = False
    for char in pattern:
        if char == "\0":
            literal = True
            continue
        if not literal and char == "*":
            out.append(".*")
        elif not literal and char == "?":
            out.append(".")
        else:
            out.append(re.escape(char))
        literal = False
    return re.compile("".join(out), re.IGNORECASE | re.DOTALL if fold else re.DOTALL)


def substitute(text: str, context):
    """Policy variables replaced, their values marked literal; None when a key is missing."""
    if "${" not in text:
        return text
    missing = False

    def one(match):
        nonlocal missing
        name, _, default = match.group(1).partition(",")
        name = name.strip()
        if name in ("*", "?", "$"):
            return "\0" + name
        values = context.get(name.lower())
        if values and len(values) == 1:
            return "".join("\0" + char for char in values[0])
        default = default.strip()
        if default.startswith("'") and default.endswith("'"):
            return "".join("\0" + char for char in default[1:-1])
        missing = True
        return ""

    text = VARIABLE.sub(one, text)
    return None if missing else text


def as_list(value):
    return value if isinstance(value, list) else [value]
