# SPDX-License-Identifier: Apache-2.0
"""The Condition block of a policy statement (IAM User Guide, JSON policy elements: condition
operators). Context values are lists of strings; a key that is not there is None."""

import calendar
import ipaddress
import re

from patterns import glob, substitute

DATE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?\Z"
)


def parse_date(text):
    """Epoch seconds of an ISO 8601 date or an epoch number; None if it is neither."""
    match = DATE.match(text)
    if not match:
        try:
            return float(text)
        except ValueError:
            return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    if not (
        1 <= int(month) <= 12
        and 1 <= int(day) <= 31
        and int(hour or 0) < 24
        and int(minute or 0) < 60
    ):
        return None
    value = calendar.timegm(
        (int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0))
    )
    value += float(fraction or 0)
    if zone and zone != "Z":
        digits = zone[1:].replace(":", "")
        value -= (int(digits[:2]) * 3600 + int(digits[2:]) * 60) * (1 if zone[0] == "+" else -1)
    return value


def number(text):
    try:
        return float(text)
    except ValueError:
        return None


def compare(convert, test):
    def check(have, want):
        left, right = convert(have), convert(want)
        return left is not None and right is not None and test(left, right)

    return check


def like(have, want):
    return glob(want, False).fullmatch(have) is not None


def plain(text):
    return text.replace("\0", "") if "\0" in text else text


def arn_like(have, want):
    left, right = have.split(":", 5), want.split(":", 5)
    return len(left) == 6 and len(right) == 6 and all(like(a, b) for a, b in zip(left, right))


def in_network(have, want):
    try:
        return ipaddress.ip_address(have) in ipaddress.ip_network(want, strict=False)
    except ValueError:
        return False


# operator: (test of a context value against a policy value, is it negated, are patterns kept)
OPERATORS = {
    "StringEquals": (lambda a, b: a == b, False, False),
    "StringNotEquals": (lambda a, b: a == b, True, False),
    "StringEqualsIgnoreCase": (lambda a, b: a.lower() == b.lower(), False, False),
    "StringNotEqualsIgnoreCase": (lambda a, b: a.lower() == b.lower(), True, False),
    "StringLike": (like, False, True),
    "StringNotLike": (like, True, True),
    "NumericEquals": (compare(number, lambda a, b: a == b), False, False),
    "NumericNotEquals": (compare(number, lambda a, b: a == b), True, False),
    "NumericLessThan": (compare(number, lambda a, b: a < b), False, False),
    "NumericLessThanEquals": (compare(number, lambda a, b: a <= b), False, False),
    "NumericGreaterThan": (compare(number, lambda a, b: a > b), False, False),
    "NumericGreaterThanEquals": (compare(number, lambda a, b: a >= b), False, False),
    "DateEquals": (compare(parse_date, lambda a, b: a == b), False, False),
    "DateNotEquals": (compare(parse_date, lambda a, b: a == b), True, False),
    "DateLessThan": (compare(parse_date, lambda a, b: a < b), False, False),
    "DateLessThanEquals": (compare(parse_date, lambda a, b: a <= b), False, False),
    "DateGreaterThan": (compare(parse_date, lambda a, b: a > b), False, False),
    "DateGreaterThanEquals": (compare(parse_date, lambda a, b: a >= b), False, False),
    "Bool": (lambda a, b: a.lower() == b.lower(), False, False),
    "BinaryEquals": (lambda a, b: a == b, False, False),
    "ArnEquals": (arn_like, False, True),
    "ArnLike": (arn_like, False, True),
    "ArnNotEquals": (arn_like, True, True),
    "ArnNotLike": (arn_like, True, True),
    "IpAddress": (in_network, False, False),
    "NotIpAddress": (in_network, True, False),
}


def split_operator(text):
    """(set operator or '', base operator, IfExists?) or None when there is no such operator."""
    quantifier, colon, base = text.partition(":")
    if not colon:
        quantifier, base = "", text
    elif not quantifier:
        return None
    if_exists = base.endswith("IfExists")
    if if_exists:
        base = base[: -len("IfExists")]
    if quantifier not in ("", "ForAllValues", "ForAnyValue") or (
        base not in OPERATORS and base != "Null"
    ):
        return None
    return quantifier, base, if_exists


def as_text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def wanted_values(values, context, variables, keep):
    result = []
    for value in values:
        text = as_text(value)
        if variables and "${" in text:
            text = substitute(text, context)
            if text is None:
                continue
            if not keep:
                text = plain(text)
        result.append(text)
    return result


def matches_one(operator, key, values, context, variables):
    quantifier, base, if_exists = split_operator(operator)
    have = context.get(key)
    if base == "Null":
        return any((as_text(value).lower() == "true") == (not have) for value in values)
    test, negated, keep = OPERATORS[base]
    if have is None or (quantifier and not have):
        return if_exists or quantifier == "ForAllValues" or (negated and not quantifier)
    want = wanted_values(values, context, variables, keep)
    hits = [any(test(one, text) for text in want) != negated for one in have]
    if quantifier == "ForAllValues":
        return all(hits)
    return any(hits) if not negated or quantifier else all(hits)


def matches_conditions(conditions, context, variables):
    return all(
        matches_one(operator, key, values, context, variables)
        for operator, key, values in conditions
    )
