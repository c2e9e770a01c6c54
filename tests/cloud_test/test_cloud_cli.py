# SPDX-License-Identifier: Apache-2.0
"""The aws CLI as a judge: what it sends is taken, what is answered it understands."""

import json
import os
import re
import shutil
import subprocess

import pytest

from client import AWS
from cloud_helpers import document, allow

CLI = next(
    (path for path in ("/usr/bin/aws", shutil.which("aws") or "") if os.path.exists(path)), None
)
pytestmark = pytest.mark.skipif(CLI is None, reason="no aws CLI: apt install awscli")


def run(cloud, *words, env=None, fails=None):
    result = subprocess.run(
        [AWS, *words, "--output", "json"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **cloud.env(), "AWS_CLI": CLI, **(env or {})},
    )
    if fails:
        assert result.returncode != 0 and f"({fails})" in result.stderr, result.stderr
        return None
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout) if result.stdout else None


def test_life_of_a_user(cloud):
    made = run(
        cloud,
        "iam",
        "create-user",
        "--user-name",
        "bob",
        "--path",
        "/kms/",
        "--tags",
        "Key=cost centre,Value=ü +=@",
    )["User"]
    assert made["Arn"] == cloud.arn("user/kms/bob") and made["Tags"][0]["Value"] == "ü +=@"
    run(
        cloud,
        "iam",
        "put-user-policy",
        "--user-name",
        "bob",
        "--policy-name",
        "p",
        "--policy-document",
        document(allow("iam:GetUser", cloud.arn("user/kms/${aws:username}"))),
    )
    key = run(cloud, "iam", "create-access-key", "--user-name", "bob")["AccessKey"]
    env = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    assert run(cloud, "sts", "get-caller-identity", env=env)["Arn"] == made["Arn"]
    assert run(cloud, "iam", "get-user", env=env)["User"]["UserId"] == made["UserId"]
    run(cloud, "iam", "list-users", env=env, fails="AccessDenied")
    run(cloud, "iam", "delete-user", "--user-name", "bob", fails="DeleteConflict")
    run(
        cloud,
        "iam",
        "delete-access-key",
        "--user-name",
        "bob",
        "--access-key-id",
        key["AccessKeyId"],
    )
    run(cloud, "iam", "delete-user-policy", "--user-name", "bob", "--policy-name", "p")
    run(cloud, "iam", "delete-user", "--user-name", "bob")
    run(cloud, "sts", "get-caller-identity", env=env, fails="InvalidClientTokenId")


def test_sessions_and_pages(cloud):
    cloud.seed(users=[{"name": f"u{number:03}"} for number in range(120)])
    assert len(run(cloud, "iam", "list-users")["Users"]) == 121
    keys = run(cloud, "sts", "get-session-token", "--duration-seconds", "900")["Credentials"]
    env = {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }
    assert run(cloud, "sts", "get-caller-identity", env=env)["Arn"] == cloud.management["user_arn"]


def curl(cloud, form, service, region, keys, *more):
    command = [
        "curl",
        "-sS",
        "--aws-sigv4",
        f"aws:amz:{region}:{service}",
        "--user",
        ":".join(keys),
    ]
    result = subprocess.run(
        [*command, cloud.url + "/", "-d", form, *more], capture_output=True, text=True, timeout=30
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl: apt install curl")
def test_libcurls_signature(cloud):
    """What kms-agentd signs with: IAM and STS, with and without a session token."""
    keys = (cloud.management["access_key_id"], cloud.management["secret_access_key"])
    tag = "Tags.member.1.Key=a%20b&Tags.member.1.Value=%C3%BC%2B~%2F"
    form = f"Action=CreateUser&Version=2010-05-08&UserName=bob&Path=%2Fkms%2F&{tag}"
    assert "<Value>" not in curl(cloud, form, "iam", "us-east-1", keys) and cloud.users() == {}
    form = form.replace("~", "")
    assert "<UserName>bob</UserName>" in curl(cloud, form, "iam", "us-east-1", keys)
    assert cloud.users()["bob"]["tags"] == {"a b": "ü+/"}
    answer = curl(cloud, "Action=GetSessionToken&Version=2011-06-15", "sts", "eu-west-1", keys)

    def part(name):
        return re.search(f"<{name}>([^<]*)</{name}>", answer).group(1)

    session = (part("AccessKeyId"), part("SecretAccessKey"))
    form = "Action=GetCallerIdentity&Version=2011-06-15"
    token = "X-Amz-Security-Token: " + part("SessionToken")
    answer = curl(cloud, form, "sts", "eu-west-1", session, "-H", token)
    assert cloud.management["user_arn"] in answer
    assert "SignatureDoesNotMatch" in curl(cloud, form, "sts", "eu-west-1", (keys[0], "wrong"))
