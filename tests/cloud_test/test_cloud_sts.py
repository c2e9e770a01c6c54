# SPDX-License-Identifier: Apache-2.0
"""STS: who may get which session, for how long, and what the session may do."""

import datetime
import time

import pytest

from cloud_helpers import allow, deny, document, refused, trust, user_with

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


@pytest.fixture
def role(cloud):
    """A role that the account trusts, up to 4 hours, allowed to read IAM."""
    return cloud.seed(
        roles=[
            {
                "name": "r",
                "path": "/app/",
                "trust": trust({"AWS": cloud.arn("root")}),
                "max_session_duration": 14400,
                "inline": {"p": document(allow("iam:*"), allow("sts:*"))},
            }
        ]
    )["roles"]["r"]


def assume(client, arn, **more):
    return client.assume_role(RoleArn=arn, RoleSessionName="s1", **more)


def left(credentials):
    return (
        credentials["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
    ).total_seconds()


def test_assume_role(cloud, sts, aws, role):
    answer = assume(sts, role)
    keys = answer["Credentials"]
    assert keys["AccessKeyId"].startswith("ASIA") and 3590 < left(keys) <= 3600
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{cloud.account_id}:assumed-role/r/s1"
    assert (
        answer["AssumedRoleUser"]["AssumedRoleId"].startswith("AROA")
        and "PackedPolicySize" not in answer
    )
    identity = aws.client("sts", keys).get_caller_identity()
    assert identity["Arn"] == answer["AssumedRoleUser"]["Arn"]
    assert identity["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]
    with refused(
        "ValidationError", 400, "Must specify userName when calling with non-User credentials"
    ):
        aws.client("iam", keys).get_user()
    aws.client("iam", keys).get_user(UserName="kms-management")


@pytest.mark.parametrize(
    "seconds,words",
    [
        (899, "greater than or equal to 900"),
        (43201, "less than or equal to 43200"),
        (14401, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."),
    ],
)
def test_duration_refused(cloud, sts, role, seconds, words):
    with refused("ValidationError", 400, words):
        assume(sts, role, DurationSeconds=seconds)
    assert cloud.state()["sessions"] == []


@pytest.mark.parametrize("seconds", [900, 14400])
def test_duration_taken(cloud, sts, role, seconds):
    assert seconds - 10 < left(assume(sts, role, DurationSeconds=seconds)["Credentials"]) <= seconds


def test_role_chaining_ends_after_an_hour(cloud, sts, aws, role):
    for keys in (assume(sts, role)["Credentials"], sts.get_session_token()["Credentials"]):
        client = aws.client("sts", keys)
        assume(client, role, DurationSeconds=3600)
        with refused(
            "ValidationError",
            400,
            "The requested DurationSeconds exceeds the 1 hour session limit for "
            "roles assumed by role chaining",
        ):
            assume(client, role, DurationSeconds=3601)


def test_session_expires(cloud, sts, aws, role):
    client = aws.client("sts", assume(sts, role, DurationSeconds=900)["Credentials"])
    cloud.clock(880)
    client.get_caller_identity()
    cloud.clock(901)
    with refused("ExpiredToken", 403, "The security token included in the request is expired"):
        client.get_caller_identity()


def test_unknown_role_is_access_denied(cloud, sts):
    with refused("AccessDenied", 403, "is not authorized to perform: sts:AssumeRole on resource: "):
        assume(sts, cloud.arn("role/nothing"))


@pytest.mark.parametrize(
    "principal,fine",
    [
        ("user/t/bob", True),
        ("user/bob", False),
        ("user/t/bo", False),
        ("user/t/bobby", False),
        ("root", True),
    ],
)
def test_trust_names_the_whole_arn(cloud, aws, principal, fine):
    keys = user_with(cloud, allow("sts:AssumeRole"), path="/t/")
    arn = cloud.seed(roles=[{"name": "r", "trust": trust({"AWS": cloud.arn(principal)})}])["roles"][
        "r"
    ]
    if fine:
        assume(aws.client("sts", keys), arn)
    else:
        with refused("AccessDenied", 403):
            assume(aws.client("sts", keys), arn)


def test_trust_of_the_account_needs_an_identity_policy(cloud, aws, role):
    keys = user_with(cloud)
    with refused("AccessDenied", 403):
        assume(aws.client("sts", keys), role)
    direct = cloud.seed(roles=[{"name": "d", "trust": trust({"AWS": cloud.arn("user/bob")})}])[
        "roles"
    ]["d"]
    assume(aws.client("sts", keys), direct)
    keys = user_with(cloud, allow("sts:AssumeRole", cloud.arn("role/app/*")), name="al")
    assume(aws.client("sts", keys), role)
    keys = user_with(cloud, allow("*"), deny("sts:AssumeRole"), name="ed")
    with refused("AccessDenied", 403, "with an explicit deny in an identity-based policy"):
        assume(aws.client("sts", keys), role)


def test_deny_in_trust(cloud, sts):
    text = document(
        {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"},
        {
            "Effect": "Deny",
            "Principal": {"AWS": cloud.management["user_arn"]},
            "Action": "sts:AssumeRole",
        },
    )
    arn = cloud.seed(roles=[{"name": "r", "trust": text}])["roles"]["r"]
    with refused("AccessDenied", 403):
        assume(sts, arn)


def test_external_id(cloud, sts):
    text = trust(
        {"AWS": cloud.arn("root")}, Condition={"StringEquals": {"sts:ExternalId": "project-1"}}
    )
    arn = cloud.seed(roles=[{"name": "r", "trust": text}])["roles"]["r"]
    for more in ({}, {"ExternalId": "project-2"}):
        with refused("AccessDenied", 403):
            assume(sts, arn, **more)
    assume(sts, arn, ExternalId="project-1")


def test_session_name_condition(cloud, sts):
    text = trust(
        {"AWS": cloud.arn("root")}, Condition={"StringLike": {"sts:RoleSessionName": "kms-*"}}
    )
    arn = cloud.seed(roles=[{"name": "r", "trust": text}])["roles"]["r"]
    with refused("AccessDenied", 403):
        assume(sts, arn)
    sts.assume_role(RoleArn=arn, RoleSessionName="kms-1")


def test_session_tags(cloud, sts, aws):
    tags = [{"Key": "team", "Value": "a"}, {"Key": "x", "Value": "1"}]
    plain = cloud.seed(roles=[{"name": "p", "trust": trust({"AWS": cloud.arn("root")})}])["roles"][
        "p"
    ]
    with refused("AccessDenied", 403, "sts:TagSession"):
        assume(sts, plain, Tags=tags)
    arn = cloud.seed(
        roles=[
            {
                "name": "r",
                "trust": trust({"AWS": cloud.arn("root")}, ["sts:AssumeRole", "sts:TagSession"]),
                "inline": {
                    "p": document(
                        allow(
                            "iam:GetUser",
                            Condition={"StringEquals": {"aws:PrincipalTag/team": "a"}},
                        ),
                        allow("sts:*"),
                    )
                },
            }
        ]
    )["roles"]["r"]
    answer = assume(sts, arn, Tags=tags, TransitiveTagKeys=["team"])
    assert answer["PackedPolicySize"] >= 1
    aws.client("iam", answer["Credentials"]).get_user(UserName="kms-management")
    with refused("AccessDenied", 403):
        aws.client("iam", assume(sts, arn)["Credentials"]).get_user(UserName="kms-management")
    second = aws.client("sts", answer["Credentials"]).assume_role(
        RoleArn=arn, RoleSessionName="s2"
    )["Credentials"]
    aws.client("iam", second).get_user(UserName="kms-management")
    assert cloud.state()["sessions"][-1]["tags"] == {"team": "a"}
    with refused("InvalidInput", 400, "Duplicate tag keys"):
        assume(sts, arn, Tags=[{"Key": "a", "Value": ""}, {"Key": "A", "Value": ""}])


def test_session_policy_intersects(cloud, sts, aws, role):
    keys = assume(sts, role, Policy=document(allow("iam:GetUser"), allow("s3:*")))["Credentials"]
    client = aws.client("iam", keys)
    client.get_user(UserName="kms-management")
    with refused("AccessDenied", 403, "because no session policy allows the iam:ListUsers action"):
        client.list_users()
    keys = assume(sts, role, PolicyArns=[{"arn": READ_ONLY}])["Credentials"]
    client = aws.client("iam", keys)
    client.list_users()
    with refused("AccessDenied", 403, "no session policy"):
        client.create_user(UserName="bob")


@pytest.mark.parametrize("case", ["none", "document", "arns"])
def test_dated_session_policy(cloud, sts, aws, role, case):
    """The three ways of ending a session before its time, and that each leaves what it should."""
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
    dated = deny("*", Condition={"DateGreaterThan": {"aws:CurrentTime": end}})
    more = {
        "none": {"Policy": document(allow("*"), dated)},
        "document": {"Policy": document(allow("iam:Get*"), dated)},
        "arns": {"Policy": document(dated), "PolicyArns": [{"arn": READ_ONLY}]},
    }[case]
    client = aws.client("iam", assume(sts, role, DurationSeconds=900, **more)["Credentials"])
    client.get_user(UserName="kms-management")
    if case == "none":
        client.create_user(UserName="bob")
    else:
        with refused("AccessDenied", 403, "no session policy"):
            client.create_user(UserName="bob")
    cloud.clock(62)
    with refused("AccessDenied", 403, "with an explicit deny in a session policy"):
        client.get_user(UserName="kms-management")


def test_session_policy_limits(cloud, sts, role):
    with refused("MalformedPolicyDocument", 400):
        assume(sts, role, Policy="{}")
    with refused("MalformedPolicyDocument", 400):
        assume(sts, role, PolicyArns=[{"arn": cloud.arn("policy/none")}])
    big = document(allow("s3:" + "x" * 1900))
    answer = assume(sts, role, Policy=big)
    assert 1 <= answer["PackedPolicySize"] <= 100
    arns = cloud.seed(
        policies=[
            {"name": "n" * 100 + str(n), "document": document(allow("s3:*"))} for n in range(9)
        ]
    )
    with refused("PackedPolicyTooLarge", 400):
        assume(
            sts, role, Policy=big, PolicyArns=[{"arn": arn} for arn in arns["policies"].values()]
        )


def test_get_session_token(cloud, sts, aws):
    keys = sts.get_session_token(DurationSeconds=900)["Credentials"]
    assert 890 < left(keys) <= 900
    assert 43190 < left(sts.get_session_token()["Credentials"]) <= 43200
    client = aws.client("sts", keys)
    assert client.get_caller_identity()["Arn"] == cloud.management["user_arn"]
    for call in (
        client.get_session_token,
        lambda: client.get_federation_token(Name="x1"),
        lambda: client.get_access_key_info(AccessKeyId=keys["AccessKeyId"]),
    ):
        with refused("AccessDenied", 403, "with session credentials"):
            call()
    with refused("InvalidClientTokenId", 403):
        aws.client("iam", keys).list_users()


def test_role_sessions_get_no_session_token(cloud, sts, aws, role):
    client = aws.client("sts", assume(sts, role)["Credentials"])
    with refused("AccessDenied", 403, "Cannot call GetSessionToken with session credentials"):
        client.get_session_token()


def test_session_token_follows_the_users_policies(cloud, aws, role, iam):
    keys = user_with(cloud, allow("sts:AssumeRole"))
    session = aws.client("sts", aws.client("sts", keys).get_session_token()["Credentials"])
    assume(session, role)
    iam.put_user_policy(UserName="bob", PolicyName="kms-fence", PolicyDocument=document(deny("*")))
    with refused("AccessDenied", 403):
        assume(session, role)
    session.get_caller_identity()


def test_mfa_session_may_call_iam(cloud, aws, iam):
    from test_cloud_delete_conflict import add_mfa, totp

    keys = user_with(
        cloud, allow("iam:*", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})
    )
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName="m")["VirtualMFADevice"]
    seed, now = made["Base32StringSeed"], time.time()
    iam.enable_mfa_device(
        UserName="bob",
        SerialNumber=made["SerialNumber"],
        AuthenticationCode1=totp(seed, now, -1),
        AuthenticationCode2=totp(seed, now),
    )
    assert add_mfa
    client = aws.client("sts", keys)
    wrong = "%06d" % ((int(totp(seed, now)) + 1) % 1000000)
    with refused("AccessDenied", 403, "MultiFactorAuthentication failed"):
        client.get_session_token(SerialNumber=made["SerialNumber"], TokenCode=wrong)
    session = client.get_session_token(
        SerialNumber=made["SerialNumber"], TokenCode=totp(seed, time.time())
    )
    aws.client("iam", session["Credentials"]).list_users()
    with refused("AccessDenied", 403):
        aws.client("iam", keys).list_users()


def test_federation_token(cloud, aws, sts):
    answer = sts.get_federation_token(Name="fed", Policy=document(allow("s3:*")))
    assert answer["FederatedUser"]["Arn"] == f"arn:aws:sts::{cloud.account_id}:federated-user/fed"
    keys = answer["Credentials"]
    assert aws.client("sts", keys).get_caller_identity()["UserId"] == f"{cloud.account_id}:fed"
    with refused("InvalidClientTokenId", 403):
        aws.client("iam", keys).list_users()
    with refused("AccessDenied", 403):
        aws.client("sts", keys).assume_role(RoleArn=cloud.arn("role/r0000"), RoleSessionName="s1")
    with refused("AccessDenied", 403, "sts:GetFederationToken"):
        aws.client("sts", user_with(cloud)).get_federation_token(Name="fed")


def test_sessions_of_a_role_end_with_it(cloud, sts, aws, iam):
    iam.create_role(
        RoleName="r",
        AssumeRolePolicyDocument=trust({"AWS": cloud.arn("root")}),
        MaxSessionDuration=7200,
    )
    keys = assume(sts, cloud.arn("role/r"), DurationSeconds=7200)["Credentials"]
    client = aws.client("sts", keys)
    client.get_caller_identity()
    iam.delete_role(RoleName="r")
    with refused("InvalidClientTokenId", 403):
        client.get_caller_identity()


def test_revoke_sessions_by_issue_time(cloud, sts, aws, iam, role):
    client = aws.client("iam", assume(sts, role)["Credentials"])
    client.list_users()
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 5))
    iam.put_role_policy(
        RoleName="r",
        PolicyName="revoke",
        PolicyDocument=document(
            deny("*", Condition={"DateLessThan": {"aws:TokenIssueTime": later}})
        ),
    )
    with refused("AccessDenied", 403):
        client.list_users()


def test_role_settings(cloud, iam):
    with refused("MalformedPolicyDocument", 400, "Invalid principal in policy"):
        iam.create_role(
            RoleName="r", AssumeRolePolicyDocument=trust({"AWS": cloud.arn("user/none")})
        )
    with refused("MalformedPolicyDocument", 400):
        iam.create_role(RoleName="r", AssumeRolePolicyDocument=document(allow("sts:AssumeRole")))
    with refused("ValidationError", 400):
        iam.create_role(
            RoleName="r",
            AssumeRolePolicyDocument=trust({"AWS": cloud.arn("root")}),
            MaxSessionDuration=3599,
        )
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust({"AWS": cloud.arn("root")}))
    made = iam.get_role(RoleName="r")["Role"]
    assert (
        made["MaxSessionDuration"] == 3600
        and made["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]
    )
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=trust({"AWS": cloud.account_id}))
    assert cloud.account_id in cloud.state()["roles"][0]["trust"]
