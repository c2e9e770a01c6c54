# SPDX-License-Identifier: Apache-2.0
"""The metadata services of the look-alike, with botocore's own fetchers as judges."""

import datetime
import json
import os
import urllib.error
import urllib.request

import pytest
from botocore.utils import ContainerMetadataFetcher, InstanceMetadataFetcher, MetadataRetrievalError

from client import Cloud, CloudError

ANY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


@pytest.fixture(scope="module")
def metadata_cloud():
    python = os.environ.get("CLOUD_PYTHON", "/usr/bin/python3")
    with Cloud.start("--metadata-port", "0", python=python) as cloud:
        yield cloud


@pytest.fixture
def box(metadata_cloud):
    """A look-alike whose instance has the role "machine"."""
    metadata_cloud.reset()
    metadata_cloud.seed(roles=[{"name": "machine", "trust": TRUST, "inline": {"all": ANY}}])
    metadata_cloud.metadata(role="machine")
    return metadata_cloud


def fetch_instance(cloud):
    fetcher = InstanceMetadataFetcher(timeout=2, num_attempts=1, base_url=cloud.metadata_url + "/")
    return fetcher.retrieve_iam_role_credentials()


def raw(cloud, path, method="GET", **headers):
    request = urllib.request.Request(cloud.metadata_url + path, method=method, headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def arn_of(aws_factory, cloud, keys):
    sts = aws_factory(cloud).client("sts", keys)
    return sts.get_caller_identity()["Arn"]


@pytest.fixture
def aws_factory():
    from conftest import Aws

    return Aws


def test_instance_credentials_are_a_session_of_the_role(box, aws_factory):
    got = fetch_instance(box)
    keys = {
        "AccessKeyId": got["access_key"],
        "SecretAccessKey": got["secret_key"],
        "SessionToken": got["token"],
    }
    assert ":assumed-role/machine/i-" in arn_of(aws_factory, box, keys)
    assert [entry["place"] for entry in box.metadata_log()] == ["token", "roles", "credentials"]
    assert {keys["SecretAccessKey"], keys["SessionToken"]} <= set(box.canaries())


def test_version_1_only_when_told(box):
    path = "/latest/meta-data/iam/security-credentials/"
    assert raw(box, path)[0] == 401
    assert raw(box, path, **{"X-aws-ec2-metadata-token": "made-up"})[0] == 401
    box.metadata(version1=True)
    assert raw(box, path) == (200, "machine")
    assert [entry["with_token"] for entry in box.metadata_log()] == [False, True, False]


@pytest.mark.parametrize("ttl,status", [(None, 400), ("0", 400), ("21601", 400), ("21600", 200)])
def test_token_needs_its_ttl_header(box, ttl, status):
    headers = {} if ttl is None else {"X-aws-ec2-metadata-token-ttl-seconds": ttl}
    assert raw(box, "/latest/api/token", "PUT", **headers)[0] == status


def test_instance_without_a_role(box):
    box.metadata(role=None)
    assert fetch_instance(box) == {}


@pytest.mark.parametrize("tokens,given,good", [
    (None, None, True), (["one"], "one", True), (["one"], "two", False), (["one"], None, False)])
def test_container(box, tokens, given, good):
    box.metadata(containers={"/v2/credentials/x": {"role": "machine", "tokens": tokens}})
    fetcher = ContainerMetadataFetcher(sleep=lambda seconds: None)
    headers = {} if given is None else {"Authorization": given}
    url = box.metadata_url + "/v2/credentials/x"
    if good:
        assert fetcher.retrieve_full_uri(url, headers)["RoleArn"].endswith(":role/machine")
    else:
        with pytest.raises(MetadataRetrievalError):
            fetcher.retrieve_full_uri(url, headers)


def test_rotate_and_expire(box, aws_factory):
    def keys():
        got = fetch_instance(box)
        return {"AccessKeyId": got["access_key"], "SecretAccessKey": got["secret_key"],
                "SessionToken": got["token"]}

    first = keys()
    assert keys() == first
    box.metadata(rotate=True)
    second = keys()
    assert second["AccessKeyId"] != first["AccessKeyId"]
    assert "machine" in arn_of(aws_factory, box, first), "the old session still lives"
    box.metadata(expire=True)
    with pytest.raises(Exception, match="ExpiredToken"):
        arn_of(aws_factory, box, second)
    assert "machine" in arn_of(aws_factory, box, keys())


def test_faults_and_past_documents(box):
    box.metadata(faults=[{"at": "credentials", "kind": "code"}])
    assert fetch_instance(box) == {}
    box.metadata(faults=[{"at": "roles", "kind": "status", "status": 503}])
    assert fetch_instance(box) == {}
    box.metadata(session_s=-60)
    now = datetime.datetime.now(datetime.timezone.utc)
    token = raw(box, "/latest/api/token", "PUT", **{"X-aws-ec2-metadata-token-ttl-seconds": "60"})
    path = "/latest/meta-data/iam/security-credentials/machine"
    document = json.loads(raw(box, path, **{"X-aws-ec2-metadata-token": token[1]})[1])
    assert datetime.datetime.fromisoformat(document["Expiration"].replace("Z", "+00:00")) < now
    with pytest.raises(CloudError):
        box.metadata(faults=[{"at": "nowhere", "kind": "code"}])
