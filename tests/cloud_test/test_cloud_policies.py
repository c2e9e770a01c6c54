# SPDX-License-Identifier: Apache-2.0
"""Policies: storing them, their limits, and what they allow."""

import json

import pytest

from cloud_helpers import allow, deny, document, keys_of, refused, user_with

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "{}",
        "[]",
        '{"Version":"2012-10-17"}',
        '{"Version":"2013-01-01","Statement":[]}',
        document({"Effect": "allow", "Action": "*", "Resource": "*"}),
        document({"Effect": "Allow", "Action": "*"}),
        document({"Effect": "Allow", "Resource": "*"}),
        document(allow("everything")),
        document(allow("*", "bucket")),
        document(allow("s3:*", Principal="*")),
        document(allow("s3:*", Nonsense=1)),
        document(allow("s3:*", Condition={"DateAfter": {"aws:CurrentTime": "x"}})),
        document(allow("s3:*", Condition={"StringEquals": {"nokey": "x"}})),
        document(allow("s3:*", NotAction="iam:*")),
        document(allow("s3:*", Sid="a"), allow("s3:*", Sid="a")),
        '{"Version":"2012-10-17","Version":"2012-10-17","Statement":{"Effect":"Allow",'
        '"Action":"*","Resource":"*"}}',
    ],
)
def test_malformed_policy_document(cloud, iam, text):
    iam.create_user(UserName="bob")
    with refused("MalformedPolicyDocument", 400):
        iam.put_user_policy(UserName="bob", PolicyName="p", PolicyDocument=text)
    assert cloud.users()["bob"]["inline"] == {}


def test_inline_round_trip(cloud, iam):
    iam.create_user(UserName="bob")
    text = document(allow("s3:*", Condition={"StringLike": {"aws:username": "b&<ö>"}}))
    iam.put_user_policy(UserName="bob", PolicyName="p", PolicyDocument=text)
    assert iam.get_user_policy(UserName="bob", PolicyName="p")["PolicyDocument"] == json.loads(text)


def test_inline_size_counts_no_whitespace(cloud, iam):
    iam.create_user(UserName="bob")
    room = 2048 - len(document(allow("s3:x")).replace(" ", ""))
    full = document(allow("s3:x" + "y" * room))
    iam.put_user_policy(
        UserName="bob",
        PolicyName="p",
        PolicyDocument=full.replace(":", ": \n\n  ").replace("s3: \n\n  ", "s3:"),
    )
    with refused("LimitExceeded", 409, "Maximum policy size of 2048 bytes exceeded for user bob"):
        iam.put_user_policy(UserName="bob", PolicyName="q", PolicyDocument=document(allow("s3:x")))
    with refused("LimitExceeded", 409):
        iam.put_user_policy(
            UserName="bob", PolicyName="p", PolicyDocument=document(allow("s3:xz" + "y" * room))
        )
    iam.put_user_policy(UserName="bob", PolicyName="p", PolicyDocument=document(allow("s3:x")))
    iam.put_user_policy(UserName="bob", PolicyName="q", PolicyDocument=document(allow("s3:x")))


def test_attached_limit(cloud, iam):
    arns = cloud.seed(
        policies=[{"name": f"p{n}", "document": document(allow("s3:*"))} for n in range(11)],
        users=[{"name": "bob"}],
    )["policies"]
    for number in range(10):
        iam.attach_user_policy(UserName="bob", PolicyArn=arns[f"p{number}"])
    iam.attach_user_policy(UserName="bob", PolicyArn=arns["p0"])
    with refused("LimitExceeded", 409, "PoliciesPerUser: 10"):
        iam.attach_user_policy(UserName="bob", PolicyArn=arns["p10"])
    with refused("NoSuchEntity", 404, "does not exist or is not attachable"):
        iam.attach_user_policy(UserName="bob", PolicyArn=cloud.arn("policy/none"))


def test_managed_policies(cloud, iam):
    arn = iam.create_policy(PolicyName="p", Path="/x/", PolicyDocument=document(allow("s3:*")))[
        "Policy"
    ]["Arn"]
    assert arn == cloud.arn("policy/x/p")
    with refused("EntityAlreadyExists", 409):
        iam.create_policy(PolicyName="P", PolicyDocument=document(allow("s3:*")))
    with refused("LimitExceeded", 409):
        iam.create_policy(PolicyName="big", PolicyDocument=document(allow("s3:" + "x" * 6200)))
    local = iam.list_policies(Scope="Local")["Policies"]
    assert [policy["Arn"] for policy in local] == [arn]
    assert READ_ONLY in {policy["Arn"] for policy in iam.list_policies(Scope="AWS")["Policies"]}
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"][
        "Statement"
    ]


def test_no_policy_is_no_access(cloud, aws):
    keys = user_with(cloud)
    words = (
        f"User: {cloud.arn('user/bob')} is not authorized to perform: iam:GetUser on resource: "
        f"{cloud.arn('user/bob')} because no identity-based policy allows the iam:GetUser action"
    )
    with refused("AccessDenied", 403, words):
        aws.client("iam", keys).get_user(UserName="bob")
    assert aws.client("sts", keys).get_caller_identity()["Arn"] == cloud.arn("user/bob")
    aws.client("sts", keys).get_session_token()


def test_explicit_deny(cloud, aws):
    keys = user_with(cloud, allow("*"), deny("*"))
    with refused("AccessDenied", 403, "with an explicit deny in an identity-based policy"):
        aws.client("iam", keys).get_user(UserName="bob")
    assert aws.client("sts", keys).get_caller_identity()["Arn"] == cloud.arn("user/bob")


@pytest.mark.parametrize(
    "statement,fine",
    [
        (allow("iam:GetUser"), True),
        (allow("IAM:getuser"), True),
        (allow("iam:Get*"), True),
        (allow("iam:?etUser"), True),
        (allow("iam:List*"), False),
        (allow("*", "arn:aws:iam::123456789012:user/x/*"), True),
        (allow("*", "arn:aws:iam::123456789012:user/eve"), False),
        (allow("*", "arn:aws:iam"), True),  # completed by wildcards (User Guide, element Resource)
        (allow("*", "arn:aws:sqs"), False),
        (allow("*", "arn:aws:iam::123456789012:user/x/eve"), True),
        (allow("*", "arn:aws:iam::123456789012:user/X/eve"), False),
        (allow("*", "arn:aws:iam::*:user/*/${aws:PrincipalTag/peer}"), True),
        (allow("*", "arn:aws:iam::*:user/x/${aws:username}"), False),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, False),
        ({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}, True),
        ({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:iam::*:user/x/*"}, False),
        (allow("*", Condition={"StringEquals": {"aws:username": "bob"}}), True),
        (allow("*", Condition={"StringEquals": {"aws:username": ["al", "BOB"]}}), False),
        (
            allow("*", Condition={"StringLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/b?b"}}),
            True,
        ),
        (
            allow("*", Condition={"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}),
            False,
        ),
        (
            allow("*", Condition={"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}),
            True,
        ),
        (allow("*", Condition={"NumericGreaterThan": {"aws:EpochTime": "1600000000"}}), True),
        (allow("*", Condition={"Null": {"aws:TokenIssueTime": "true"}}), True),
        (allow("*", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}), False),
        (allow("*", Condition={"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}}), True),
        (allow("*", Condition={"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}), True),
        (allow("*", Condition={"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}}), False),
        (allow("*", Condition={"StringEquals": {"iam:ResourceTag/team": "a"}}), True),
        (allow("*", Condition={"StringEquals": {"aws:ResourceTag/team": "b"}}), False),
    ],
)
def test_evaluation(cloud, aws, statement, fine):
    cloud.seed(users=[{"name": "eve", "path": "/x/", "tags": {"team": "a"}}])
    client = aws.client("iam", user_with(cloud, statement, tags={"peer": "eve"}))
    if fine:
        client.get_user(UserName="eve")
    else:
        with refused("AccessDenied", 403):
            client.get_user(UserName="eve")


def test_a_missing_user_has_no_path(cloud, aws):
    client = aws.client("iam", user_with(cloud, allow("*", cloud.arn("user/x/*"))))
    with refused("AccessDenied", 403, "on resource: user none because"):
        client.get_user(UserName="none")
    client = aws.client("iam", user_with(cloud, allow("*", cloud.arn("user/none")), name="al"))
    with refused("NoSuchEntity", 404):
        client.get_user(UserName="none")


def test_dated_deny_stops_a_key(cloud, aws, iam):
    import time

    keys = user_with(cloud, allow("*"))
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 600))
    fence = document(deny("*", Condition={"DateGreaterThan": {"aws:CurrentTime": end}}))
    iam.put_user_policy(UserName="bob", PolicyName="kms-fence", PolicyDocument=fence)
    client = aws.client("iam", keys)
    cloud.clock(580)
    client.get_user(UserName="bob")
    cloud.clock(601)
    with refused("AccessDenied", 403, "explicit deny"):
        client.get_user(UserName="bob")


def test_groups_and_attached_count(cloud, aws, iam):
    cloud.seed(groups=[{"name": "g", "inline": {"p": document(allow("iam:GetUser"))}}])
    keys = user_with(cloud)
    iam.add_user_to_group(GroupName="g", UserName="bob")
    client = aws.client("iam", keys)
    client.get_user(UserName="bob")
    iam.remove_user_from_group(GroupName="g", UserName="bob")
    with refused("AccessDenied", 403):
        client.get_user(UserName="bob")
    iam.attach_user_policy(UserName="bob", PolicyArn=READ_ONLY)
    client.get_user(UserName="bob")
    with refused("AccessDenied", 403):
        client.create_user(UserName="eve")


def test_membership_is_authorized_on_the_group(cloud, aws):
    cloud.seed(groups=[{"name": "g", "path": "/t/"}])
    wrong = user_with(cloud, allow("iam:AddUserToGroup", cloud.arn("user/*")), name="al")
    right = user_with(cloud, allow("iam:AddUserToGroup", cloud.arn("group/t/g")), name="bob")
    with refused("AccessDenied", 403, "iam:AddUserToGroup on resource: " + cloud.arn("group/t/g")):
        aws.client("iam", wrong).add_user_to_group(GroupName="g", UserName="al")
    aws.client("iam", right).add_user_to_group(GroupName="g", UserName="bob")


def test_tags_at_creation_need_tag_user(cloud, aws):
    client = aws.client("iam", user_with(cloud, allow("iam:CreateUser")))
    client.create_user(UserName="plain")
    with refused("AccessDenied", 403, "iam:TagUser"):
        client.create_user(UserName="tagged", Tags=[{"Key": "a", "Value": "b"}])
    assert "tagged" not in cloud.users()


def test_request_tags(cloud, aws):
    both = {
        "StringEquals": {"aws:RequestTag/kms-agent-id": "web"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["kms-agent-id", "x"]},
    }
    client = aws.client(
        "iam", user_with(cloud, allow(["iam:CreateUser", "iam:TagUser"], Condition=both))
    )
    client.create_user(UserName="a", Tags=[{"Key": "kms-agent-id", "Value": "web"}])
    for tags in (
        [{"Key": "kms-agent-id", "Value": "other"}],
        [{"Key": "kms-agent-id", "Value": "web"}, {"Key": "y", "Value": ""}],
    ):
        with refused("AccessDenied", 403):
            client.create_user(UserName="b", Tags=tags)


def test_boundary_is_kept_and_limits(cloud, aws, iam):
    arn = cloud.seed(policies=[{"name": "b", "document": document(allow("iam:GetUser"))}])[
        "policies"
    ]["b"]
    iam.create_user(UserName="bob", PermissionsBoundary=arn)
    keys = keys_of(
        cloud.seed(
            users=[{"name": "bob", "inline": {"p": document(allow("*"))}, "access_keys": 1}]
        ),
        "bob",
    )
    client = aws.client("iam", keys)
    got = client.get_user(UserName="bob")["User"]["PermissionsBoundary"]
    assert got == {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}
    with refused(
        "AccessDenied", 403, "because no permissions boundary allows the iam:ListUsers action"
    ):
        client.list_users()
    iam.delete_user_permissions_boundary(UserName="bob")
    client.list_users()
    iam.put_user_permissions_boundary(UserName="bob", PermissionsBoundary=arn)
    with refused("AccessDenied", 403):
        client.list_users()


def test_boundary_and_policy_arn_as_conditions(cloud, aws):
    arn = cloud.seed(policies=[{"name": "b", "document": document(allow("*"))}])["policies"]["b"]
    keys = user_with(
        cloud,
        allow(
            ["iam:CreateUser", "iam:PutUserPolicy"],
            Condition={"StringEquals": {"iam:PermissionsBoundary": arn}},
        ),
        allow("iam:AttachUserPolicy", Condition={"ArnEquals": {"iam:PolicyARN": READ_ONLY}}),
    )
    client = aws.client("iam", keys)
    with refused("AccessDenied", 403):
        client.create_user(UserName="a")
    client.create_user(UserName="a", PermissionsBoundary=arn)
    client.put_user_policy(UserName="a", PolicyName="p", PolicyDocument=document(allow("*")))
    client.attach_user_policy(UserName="a", PolicyArn=READ_ONLY)
    with refused("AccessDenied", 403):
        client.attach_user_policy(UserName="a", PolicyArn=arn)
    cloud.seed(users=[{"name": "free"}])
    with refused("AccessDenied", 403):
        client.put_user_policy(UserName="free", PolicyName="p", PolicyDocument=document(allow("*")))


def test_simulate(cloud, iam):
    arn = cloud.seed(
        users=[
            {
                "name": "bob",
                "inline": {
                    "p": document(
                        allow("iam:Get*"),
                        deny(
                            "*",
                            Condition={
                                "DateGreaterThan": {"aws:CurrentTime": "2001-01-01T00:00:00Z"},
                                "StringEquals": {"aws:RequestedRegion": "eu-west-1"},
                            },
                        ),
                    )
                },
            }
        ]
    )["users"]
    results = iam.simulate_principal_policy(
        PolicySourceArn=arn["bob"]["arn"], ActionNames=["iam:GetUser", "iam:CreateUser"]
    )["EvaluationResults"]
    assert [item["EvalDecision"] for item in results] == ["allowed", "implicitDeny"]
    context = [
        {
            "ContextKeyName": "aws:RequestedRegion",
            "ContextKeyValues": ["eu-west-1"],
            "ContextKeyType": "string",
        }
    ]
    results = iam.simulate_principal_policy(
        PolicySourceArn=arn["bob"]["arn"], ActionNames=["iam:GetUser"], ContextEntries=context
    )["EvaluationResults"]
    assert results[0]["EvalDecision"] == "explicitDeny"


def test_management_policy_can_be_replaced(cloud, iam):
    cloud.policy(document(allow("iam:GetUser")), document(deny("iam:ListUsers")))
    iam.get_user(UserName="kms-management")
    with refused("AccessDenied", 403, "explicit deny"):
        iam.list_users()
    with refused("AccessDenied", 403, "because no identity-based policy"):
        iam.create_user(UserName="bob")
