# SPDX-License-Identifier: Apache-2.0
"""AssumeRoleWithWebIdentity: unsigned, with a token of a registered issuer."""

import datetime

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from cloud_helpers import allow, document, refused, trust

ISSUER = "https://oidc.example.com/id/1"


@pytest.fixture
def role(cloud):
    name = ISSUER.removeprefix("https://")
    text = trust(
        {"Federated": cloud.arn(f"oidc-provider/{name}")},
        "sts:AssumeRoleWithWebIdentity",
        Condition={
            "StringEquals": {
                f"{name}:aud": "sts.amazonaws.com",
                f"{name}:sub": "system:serviceaccount:ns:app",
            }
        },
    )
    return cloud.seed(
        oidc=[{"issuer": ISSUER, "audiences": ["sts.amazonaws.com"], "hs256_key": "k" * 32}],
        roles=[
            {
                "name": "w",
                "trust": text,
                "max_session_duration": 43200,
                "inline": {"p": document(allow("iam:GetUser"))},
            }
        ],
    )["roles"]["w"]


@pytest.fixture
def anonymous(cloud):
    return boto3.client(
        "sts",
        region_name="eu-west-1",
        endpoint_url=cloud.url,
        config=Config(signature_version=UNSIGNED, retries={"max_attempts": 0}),
    )


def assume(client, role, token, **more):
    return client.assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="pod", WebIdentityToken=token, **more
    )


def good(cloud, **more):
    return cloud.web_token(ISSUER, more.pop("sub", "system:serviceaccount:ns:app"), **more)


def test_good_token(cloud, anonymous, aws, role):
    answer = assume(anonymous, role, good(cloud), DurationSeconds=43200)
    assert answer["SubjectFromWebIdentityToken"] == "system:serviceaccount:ns:app"
    assert answer["Audience"] == "sts.amazonaws.com" and answer["Provider"].endswith(
        "oidc.example.com/id/1"
    )
    left = answer["Credentials"]["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
    assert 43190 < left.total_seconds() <= 43200
    aws.client("iam", answer["Credentials"]).get_user(UserName="kms-management")
    with refused("AccessDenied", 403, "Cannot call GetSessionToken"):
        aws.client("sts", answer["Credentials"]).get_session_token()


@pytest.mark.parametrize(
    "more,code,status,words",
    [
        (
            {"sub": "system:serviceaccount:ns:other"},
            "AccessDenied",
            403,
            "Not authorized to perform",
        ),
        ({"aud": "other"}, "InvalidIdentityToken", 400, "Incorrect token audience"),
        ({"ttl_s": -10}, "ExpiredTokenException", 400, "Token expired"),
        (
            {"claims": {"iss": "https://stranger.example.com"}},
            "InvalidIdentityToken",
            400,
            "No OpenIDConnect provider",
        ),
    ],
)
def test_bad_claims(cloud, anonymous, role, more, code, status, words):
    with refused(code, status, words):
        assume(anonymous, role, good(cloud, **more))
    assert cloud.state()["sessions"] == []


def test_bad_signature_and_no_token(cloud, anonymous, role):
    with refused("InvalidIdentityToken", 400):
        assume(anonymous, role, good(cloud)[:-4] + "AAAA")
    with refused("InvalidIdentityToken", 400, "not a valid JWT"):
        assume(anonymous, role, "nonsense")


def test_duration_and_session_policy(cloud, anonymous, aws, role):
    cloud.seed(
        roles=[
            {"name": "w", "trust": cloud.state()["roles"][0]["trust"], "max_session_duration": 3600}
        ]
    )
    with refused("ValidationError", 400, "exceeds the MaxSessionDuration"):
        assume(anonymous, role, good(cloud), DurationSeconds=3601)
    answer = assume(anonymous, role, good(cloud), Policy=document(allow("s3:*")))
    with refused("AccessDenied", 403, "no session policy"):
        aws.client("iam", answer["Credentials"]).get_user(UserName="kms-management")


def test_a_role_that_trusts_no_provider(cloud, anonymous, role):
    arn = cloud.seed(roles=[{"name": "r", "trust": trust({"AWS": cloud.arn("root")})}])["roles"][
        "r"
    ]
    for target in (arn, cloud.arn("role/none")):
        with refused(
            "AccessDenied", 403, "Not authorized to perform sts:AssumeRoleWithWebIdentity"
        ):
            assume(anonymous, target, good(cloud))


def test_expiry_runs_on_the_clouds_clock(cloud, anonymous, role):
    token = good(cloud, ttl_s=600)
    assume(anonymous, role, token)
    cloud.clock(601)
    with refused("ExpiredTokenException", 400):
        assume(anonymous, role, token)


def test_other_calls_must_be_signed(cloud, anonymous):
    with refused("MissingAuthenticationToken", 403):
        anonymous.get_caller_identity()


def test_the_token_is_a_canary_and_not_in_the_log(cloud, anonymous, role):
    token = good(cloud)
    assume(anonymous, role, token)
    assert token in cloud.canaries() and token not in str(cloud.log())


def test_providers(cloud, iam):
    arn = iam.create_open_id_connect_provider(
        Url="https://x.example.com/a", ClientIDList=["aud"], ThumbprintList=["0" * 40]
    )["OpenIDConnectProviderArn"]
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == [{"Arn": arn}]
    assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["ClientIDList"] == ["aud"]
    with refused("EntityAlreadyExists", 409):
        iam.create_open_id_connect_provider(
            Url="https://x.example.com/a", ThumbprintList=["0" * 40]
        )
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    with refused("NoSuchEntity", 404):
        iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
