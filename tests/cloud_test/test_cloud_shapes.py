# SPDX-License-Identifier: Apache-2.0
"""Requests against botocore's models: lengths, patterns, ranges, enums, missing, unknown."""

import pytest

from cloud_helpers import Raw

USER = (
    "The specified value for userName is invalid. It must contain only alphanumeric characters "
    "and/or the following: +=,.@_-"
)


@pytest.mark.parametrize(
    "action,params,words",
    [
        (
            "CreateUser",
            {},
            "Value null at 'userName' failed to satisfy constraint: Member must not be null",
        ),
        ("CreateUser", {"UserName": "x" * 65}, "Member must have length less than or equal to 64"),
        ("CreateUser", {"UserName": ""}, "Member must have length greater than or equal to 1"),
        ("CreateUser", {"UserName": "bad name"}, USER),
        ("CreateUser", {"UserName": "bad!"}, USER),
        ("CreateUser", {"UserName": "é"}, USER),
        ("CreateUser", {"UserName": "u", "Path": "x"}, "The specified value for path is invalid."),
        ("CreateUser", {"UserName": "u", "Path": "/x"}, "The specified value for path is invalid."),
        (
            "CreateUser",
            {"UserName": "u", "Path": "/a b/"},
            "The specified value for path is invalid.",
        ),
        ("CreateUser", {"UserName": "u", "Nonsense": "1"}, "Unknown parameter: Nonsense"),
        (
            "CreateUser",
            {"UserName": "u", "PermissionsBoundary": "arn:short"},
            "greater than or equal to 20",
        ),
        (
            "CreateUser",
            {"UserName": "u", "Tags.member.1.Key": "a;b", "Tags.member.1.Value": "x"},
            "at 'tags.1.member.key' failed to satisfy constraint: Member must satisfy "
            "regular expression pattern",
        ),
        (
            "CreateUser",
            {"UserName": "u", "Tags.member.1.Key": "k"},
            "at 'tags.1.member.value' failed",
        ),
        (
            "CreateUser",
            {"UserName": "u", "Tags.member.1.Key": "k", "Tags.member.1.Value": "x" * 257},
            "less than or equal to 256",
        ),
        (
            "UpdateAccessKey",
            {"UserName": "u", "AccessKeyId": "A" * 20, "Status": "active"},
            "Member must satisfy enum value set: [",
        ),
        ("ListUsers", {"MaxItems": "0"}, "greater than or equal to 1"),
        ("ListUsers", {"MaxItems": "1001"}, "1000"),
        (
            "DeleteAccessKey",
            {"UserName": "u", "AccessKeyId": "short"},
            "greater than or equal to 16",
        ),
    ],
)
def test_validation_error(cloud, action, params, words):
    answer = Raw(cloud, action, **params).send()
    assert (answer.status, answer.code) == (400, "ValidationError")
    assert words in answer.message
    assert list(cloud.users()) == []


def test_two_errors_are_counted(cloud):
    answer = Raw(cloud, "PutUserPolicy", UserName="u").send()
    assert answer.message.startswith("2 validation errors detected: ")


@pytest.mark.parametrize(
    "seconds,words", [("899", "greater than or equal to 900"), ("129601", "equal to 129600")]
)
def test_session_token_range(cloud, seconds, words):
    answer = Raw(cloud, "GetSessionToken", "sts", DurationSeconds=seconds).send()
    assert (answer.status, answer.code) == (400, "ValidationError") and words in answer.message
    assert f"Value '{seconds}' at 'durationSeconds'" in answer.message


@pytest.mark.parametrize("name", ["x", "y" * 65, "a b"])
def test_session_name(cloud, name):
    answer = Raw(
        cloud, "AssumeRole", "sts", RoleArn=cloud.arn("role/r00000"), RoleSessionName=name
    ).send()
    assert (answer.status, answer.code) == (
        400,
        "ValidationError",
    ) and "roleSessionName" in answer.message


def test_tags_in_any_script(cloud):
    answer = Raw(
        cloud,
        "CreateUser",
        **{"UserName": "u", "Tags.member.1.Key": "ключ ü/日本:=+-@_.", "Tags.member.1.Value": ""},
    ).send()
    assert answer.status == 200 and cloud.users()["u"]["tags"] == {"ключ ü/日本:=+-@_.": ""}


def test_empty_list(cloud):
    assert Raw(cloud, "CreateUser", UserName="u", Tags="").send().status == 200


@pytest.mark.parametrize(
    "body,code",
    [
        ("Action=Nonsense&Version=2010-05-08", "InvalidAction"),
        ("Action=GetUser&Version=2011-06-15", "InvalidAction"),
        ("Action=GetUser", "InvalidAction"),
        ("Version=2010-05-08", "MissingAction"),
        ("Action=GetUser&Version=2010-05-08&UserName=a&UserName=b", "MalformedQueryString"),
        ("Action=GetUser&Version=2010-05-08&UserName=%ff", "MalformedQueryString"),
        ("Action=GetUser&Version=2010-05-08&UserName.x=1", "MalformedInput"),
        (
            "Action=CreateUser&Version=2010-05-08&UserName=u&Tags.member.2.Key=a&"
            "Tags.member.2.Value=b",
            "MalformedInput",
        ),
        ("Action=ListUsers&Version=2010-05-08&MaxItems=x", "MalformedInput"),
    ],
)
def test_malformed(cloud, body, code):
    answer = Raw(cloud, "", body=body).send()
    assert (answer.status, answer.code) == (400, code)


def test_get_without_anything_is_a_redirect(cloud):
    assert Raw(cloud, "", body="", method="GET").send().status == 302
