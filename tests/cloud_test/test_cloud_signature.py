# SPDX-License-Identifier: Apache-2.0
"""Signatures, dates, keys and tokens: what is refused, and with which error."""

import re

import pytest
from botocore.auth import SigV4Auth

from cloud_helpers import Raw, keys_of, refused, user_with


def test_good_signature(cloud):
    answer = Raw(cloud, "GetUser").send()
    assert answer.status == 200 and b"<UserName>kms-management</UserName>" in answer.body
    request_id = answer.headers["x-amzn-RequestId"]
    assert re.fullmatch(r"[0-9a-f-]{36}", request_id)
    assert f"<RequestId>{request_id}</RequestId>".encode() in answer.body


@pytest.mark.parametrize(
    "body",
    [
        "Action=GetUser&Version=2010-05-08&UserName=kms-management&",
        "Version=2010-05-08&Action=GetUser",
        "Action=%47etUser&Version=2010-05-08",
        "Action=ListUsers&Version=2010-05-08&PathPrefix=/",
    ],
)
def test_the_bytes_count_not_their_meaning(cloud, body):
    assert Raw(cloud, "", body=body).send().status == 200


def test_space_as_plus_or_percent(cloud):
    for space in ("+", "%20"):
        body = (
            "Action=TagUser&Version=2010-05-08&UserName=kms-management"
            f"&Tags.member.1.Key=a&Tags.member.1.Value=x{space}y"
        )
        assert Raw(cloud, "", body=body).send().status == 200
        assert cloud.users(management=True)["kms-management"]["tags"] == {"a": "x y"}


def test_query_string_request(cloud):
    answer = Raw(
        cloud, "", body="", method="GET", query="?Action=GetUser&Version=2010-05-08"
    ).send()
    assert answer.status == 200


def test_changed_body(cloud):
    request = Raw(cloud, "GetUser")
    request.body += "&UserName=other"
    answer = request.send()
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")


def test_wrong_secret(cloud):
    answer = Raw(cloud, "GetUser", keys=(cloud.management["access_key_id"], "x" * 40)).send()
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")


def test_unknown_key(cloud):
    answer = Raw(cloud, "GetUser", keys=("AKIAAAAAAAAAAAAAAAAA", "x" * 40)).send()
    assert (answer.status, answer.code) == (403, "InvalidClientTokenId")


@pytest.mark.parametrize(
    "header,value",
    [
        ("X-Amz-Date", "20200101T000000Z"),
        ("Host", "iam.amazonaws.com"),
        ("Content-Type", "text/plain"),
    ],
)
def test_changed_signed_header(cloud, header, value):
    request = Raw(cloud, "GetUser")
    request.headers[header] = value
    assert request.send().code == "SignatureDoesNotMatch"


def resign_without(request, cloud, name):
    """The same request signed without one header."""
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    class Without(SigV4Auth):
        def headers_to_sign(self, made):
            headers = super().headers_to_sign(made)
            del headers[name]
            return headers

    made = AWSRequest(
        "POST",
        cloud.url + "/",
        data=request.body.encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    keys = cloud.management
    Without(
        Credentials(keys["access_key_id"], keys["secret_access_key"]), "iam", "us-east-1"
    ).add_auth(made)
    request.headers = dict(made.headers.items())
    return request


def test_content_type_need_not_be_signed(cloud):
    assert resign_without(Raw(cloud, "GetUser"), cloud, "content-type").send().status == 200


@pytest.mark.parametrize("name", ["host", "x-amz-date"])
def test_host_and_date_must_be_signed(cloud, name):
    answer = resign_without(Raw(cloud, "GetUser"), cloud, name).send()
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")


def test_token_must_be_signed(cloud, sts):
    keys = sts.get_session_token()["Credentials"]
    request = Raw(
        cloud, "GetCallerIdentity", "sts", keys=(keys["AccessKeyId"], keys["SecretAccessKey"])
    )
    request.headers["X-Amz-Security-Token"] = keys["SessionToken"]
    assert request.send().code == "SignatureDoesNotMatch"


def test_extra_header_signed_with_double_spaces(cloud):
    assert Raw(cloud, "GetUser", extra={"X-Amz-Meta": "a   b  c"}).send().status == 200


def test_unsigned(cloud):
    request = Raw(cloud, "GetUser")
    del request.headers["Authorization"]
    answer = request.send()
    assert (answer.status, answer.code) == (403, "MissingAuthenticationToken")


@pytest.mark.parametrize(
    "value",
    [
        "AWS4-HMAC-SHA256 Credential=AKIA/20200101/us-east-1/iam/aws4_request, SignedHeaders=host",
        "AWS4-HMAC-SHA256 Credential=AKIA/us-east-1/iam/aws4_request, SignedHeaders=host,"
        " Signature=00",
        "Basic Zm9vOmJhcg==",
    ],
)
def test_incomplete(cloud, value):
    request = Raw(cloud, "GetUser")
    request.headers["Authorization"] = value
    answer = request.send()
    assert (answer.status, answer.code) == (400, "IncompleteSignature")


@pytest.mark.parametrize(
    "action,service,region,scope",
    [
        ("GetUser", "iam", "eu-west-1", "iam"),
        ("GetUser", "iam", "us-east-1", "sts"),
        ("GetCallerIdentity", "sts", "us-east-1", "iam"),
    ],
)
def test_wrong_scope(cloud, action, service, region, scope):
    answer = Raw(cloud, action, service, region=region, scope=scope).send()
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")
    assert "Credential should be scoped" in answer.message


def test_sts_takes_any_region(cloud):
    assert Raw(cloud, "GetCallerIdentity", "sts", region="ap-southeast-2").send().status == 200


def test_host_of_amazon_decides(cloud):
    extra = {"Host": "sts.eu-west-1.amazonaws.com"}
    assert (
        Raw(cloud, "GetCallerIdentity", "sts", region="eu-west-1", extra=extra).send().status == 200
    )
    assert (
        Raw(cloud, "GetCallerIdentity", "sts", region="us-east-1", extra=extra).send().code
        == "SignatureDoesNotMatch"
    )
    assert Raw(cloud, "GetUser", extra={"Host": "iam.amazonaws.com"}).send().status == 200
    assert Raw(cloud, "GetUser", extra=extra).send().code == "InvalidAction"


@pytest.mark.parametrize("seconds", [-310, 310])
def test_date_out_of_range(cloud, seconds):
    answer = Raw(cloud, "GetUser", when=seconds).send()
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")
    assert ("Signature expired" if seconds < 0 else "Signature not yet current") in answer.message


@pytest.mark.parametrize("seconds", [-290, 290])
def test_date_in_range(cloud, seconds):
    assert Raw(cloud, "GetUser", when=seconds).send().status == 200


def test_signature_clocks(cloud):
    cloud.clock(3600)
    assert Raw(cloud, "GetUser").send().status == 200
    assert Raw(cloud, "GetUser", when=3600).send().status == 200
    assert Raw(cloud, "GetUser", when=1800).send().code == "SignatureDoesNotMatch"
    cloud.signature_clock("cloud")
    assert Raw(cloud, "GetUser").send().code == "SignatureDoesNotMatch"
    assert Raw(cloud, "GetUser", when=3600).send().status == 200
    cloud.signature_clock("real", expired_code="RequestExpired")
    assert Raw(cloud, "GetUser").send().status == 200
    answer = Raw(cloud, "GetUser", when=3600).send()
    assert (answer.status, answer.code) == (400, "RequestExpired")


def test_inactive_and_deleted_key(cloud, aws, iam):
    keys = user_with(cloud)
    caller = aws.client("sts", keys)
    assert caller.get_caller_identity()["Arn"] == cloud.arn("user/bob")
    iam.update_access_key(UserName="bob", AccessKeyId=keys["AccessKeyId"], Status="Inactive")
    with refused("InvalidClientTokenId", 403):
        caller.get_caller_identity()
    iam.update_access_key(UserName="bob", AccessKeyId=keys["AccessKeyId"], Status="Active")
    caller.get_caller_identity()
    iam.delete_access_key(UserName="bob", AccessKeyId=keys["AccessKeyId"])
    with refused("InvalidClientTokenId", 403):
        caller.get_caller_identity()


def test_session_tokens(cloud, aws, sts):
    keys = sts.get_session_token(DurationSeconds=900)["Credentials"]
    assert keys["AccessKeyId"].startswith("ASIA") and len(keys["SessionToken"]) > 800
    good = aws.client("sts", keys)
    assert good.get_caller_identity()["Arn"] == cloud.management["user_arn"]
    for token in (None, "wrong", keys["SessionToken"][:-1]):
        with refused("InvalidClientTokenId", 403):
            aws.client("sts", {**keys, "SessionToken": token}).get_caller_identity()
    cloud.clock(880)
    good.get_caller_identity()
    cloud.clock(901)
    with refused("ExpiredToken", 403):
        good.get_caller_identity()


def test_token_with_a_long_term_key(cloud, aws):
    keys = keys_of(cloud.seed(users=[{"name": "bob", "access_keys": 1}]), "bob")
    with refused("InvalidClientTokenId", 403):
        aws.client("sts", {**keys, "SessionToken": "x" * 100}).get_caller_identity()


def test_date_header_is_the_clouds(cloud):
    cloud.clock(86400 * 400)
    from email.utils import parsedate_to_datetime
    import time

    stamp = parsedate_to_datetime(Raw(cloud, "GetUser").send().headers["Date"]).timestamp()
    assert abs(stamp - time.time() - 86400 * 400) < 5
