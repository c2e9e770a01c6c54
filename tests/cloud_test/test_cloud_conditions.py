# SPDX-License-Identifier: Apache-2.0
"""The operators of Condition blocks, and dates; directly on the functions."""

import pytest

from conditions import matches_conditions, parse_date
from policy import compile_document, decide
from cloud_helpers import allow, deny, document

CONTEXT = {
    "aws:username": ["bob"],
    "aws:currenttime": ["2026-06-01T12:00:00Z"],
    "aws:epochtime": ["1780315200"],
    "aws:tagkeys": ["a", "b"],
    "aws:principalarn": ["arn:aws:iam::123456789012:user/x/bob"],
    "aws:sourceip": ["10.1.2.3"],
    "aws:multifactorauthpresent": ["false"],
    "aws:principaltag/star": ["*"],
}


@pytest.mark.parametrize(
    "operator,key,values,expected",
    [
        ("StringEquals", "aws:username", ["al", "bob"], True),
        ("StringEquals", "aws:username", ["BOB"], False),
        ("StringEqualsIgnoreCase", "AWS:UserName", ["BOB"], True),
        ("StringNotEquals", "aws:username", ["al", "ed"], True),
        ("StringNotEquals", "aws:username", ["al", "bob"], False),
        ("StringNotEquals", "no:key", ["x"], True),
        ("StringNotLike", "aws:username", ["b*"], False),
        ("StringEquals", "no:key", ["x"], False),
        ("StringEqualsIfExists", "no:key", ["x"], True),
        ("StringEqualsIfExists", "aws:username", ["x"], False),
        ("StringLike", "aws:username", ["b?b"], True),
        ("StringLike", "aws:username", ["b?"], False),
        ("StringEquals", "aws:username", ["b*"], False),
        ("StringLike", "aws:username", ["${aws:PrincipalTag/star}"], False),
        ("StringLike", "aws:username", ["${*}"], False),
        ("StringLike", "aws:username", ["${no:key}"], False),
        ("StringEquals", "aws:username", ["${no:key, 'bob'}"], True),
        ("NumericLessThan", "aws:epochtime", ["1780315201"], True),
        ("NumericLessThanEquals", "aws:epochtime", [1780315200], True),
        ("NumericGreaterThan", "aws:epochtime", ["1780315200"], False),
        ("NumericNotEquals", "aws:epochtime", ["1"], True),
        ("NumericEquals", "aws:username", ["1"], False),
        ("DateGreaterThan", "aws:currenttime", ["2026-06-01T11:59:59Z"], True),
        ("DateGreaterThan", "aws:currenttime", ["2026-06-01T12:00:00Z"], False),
        ("DateGreaterThanEquals", "aws:currenttime", ["2026-06-01T12:00:00Z"], True),
        ("DateLessThan", "aws:currenttime", ["2026-06-01T14:00:01+02:00"], True),
        ("DateLessThan", "aws:currenttime", ["2026-06-01T14:00:00+02:00"], False),
        ("DateGreaterThan", "aws:epochtime", ["2026-06-01"], True),
        ("DateGreaterThan", "aws:currenttime", ["soon"], False),
        ("Bool", "aws:multifactorauthpresent", ["False"], True),
        ("Bool", "no:key", ["false"], False),
        ("BoolIfExists", "no:key", [True], True),
        ("ArnLike", "aws:principalarn", ["arn:aws:iam::*:user/*"], True),
        ("ArnEquals", "aws:principalarn", ["arn:aws:iam::*"], False),
        ("ArnNotLike", "aws:principalarn", ["arn:aws:iam::*:user/x/*"], False),
        ("IpAddress", "aws:sourceip", ["10.0.0.0/8"], True),
        ("IpAddress", "aws:sourceip", ["fd00::/8", "11.0.0.0/8"], False),
        ("NotIpAddress", "aws:sourceip", ["11.0.0.0/8"], True),
        ("Null", "no:key", ["true"], True),
        ("Null", "aws:username", ["true"], False),
        ("Null", "aws:username", ["false"], True),
        ("ForAllValues:StringEquals", "aws:tagkeys", ["a", "b", "c"], True),
        ("ForAllValues:StringEquals", "aws:tagkeys", ["a"], False),
        ("ForAllValues:StringEquals", "no:key", ["a"], True),
        ("ForAnyValue:StringEquals", "aws:tagkeys", ["b"], True),
        ("ForAnyValue:StringEquals", "aws:tagkeys", ["c"], False),
        ("ForAnyValue:StringEquals", "no:key", ["a"], False),
        ("ForAnyValue:StringNotEquals", "aws:tagkeys", ["a"], True),
        ("ForAnyValue:StringNotEquals", "aws:tagkeys", ["a", "b"], False),
        ("ForAllValues:StringNotEquals", "aws:tagkeys", ["a"], False),
    ],
)
def test_operator(operator, key, values, expected):
    assert matches_conditions([(operator, key.lower(), values)], CONTEXT, True) is expected


def test_all_operators_of_a_block_must_match():
    good = ("StringEquals", "aws:username", ["bob"])
    assert matches_conditions([good, ("Null", "no:key", ["true"])], CONTEXT, True)
    assert not matches_conditions([good, ("Null", "no:key", ["false"])], CONTEXT, True)


def test_old_version_has_no_variables():
    text = document(allow("*", "arn:aws:iam::*:user/${aws:username}")).replace(
        "2012-10-17", "2008-10-17"
    )
    assert not compile_document(text)[0].matches("iam:GetUser", "arn:aws:iam::1:user/bob", CONTEXT)
    new = compile_document(text.replace("2008-10-17", "2012-10-17"))[0]
    assert new.matches("iam:GetUser", "arn:aws:iam::1:user/bob", CONTEXT)
    assert not new.matches("iam:GetUser", "arn:aws:iam::1:user/bo", CONTEXT)


def test_a_deny_in_any_layer_wins():
    yes, no = document(allow("*")), document(deny("s3:*"))
    assert decide({"identity": [yes], "session": [yes]}, "s3:Get", "*", {}) == ("allowed", None)
    assert decide({"identity": [yes], "session": [yes, no]}, "s3:Get", "*", {}) == (
        "explicitDeny",
        "session",
    )
    assert decide({"identity": [yes], "session": []}, "s3:Get", "*", {}) == (
        "implicitDeny",
        "session",
    )
    assert decide({"identity": [no, yes]}, "s3:Get", "*", {}) == ("explicitDeny", "identity")


@pytest.mark.parametrize(
    "text,epoch",
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-02", 86400),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:01.5Z", 1.5),
        ("12", 12),
        ("1970-13-01", None),
        ("x", None),
        ("", None),
    ],
)
def test_dates(text, epoch):
    assert parse_date(text) == epoch
