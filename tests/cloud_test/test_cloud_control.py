# SPDX-License-Identifier: Apache-2.0
"""The control API: log, state, canaries, violations, seed, reset; and the process itself."""

import json
import os
import stat
import subprocess
import sys
import time

import pytest

from client import HERE, Cloud, CloudError
from cloud_helpers import Raw, allow, deny, document, refused, user_with

AGENT = [{"Key": "kms-agent-id", "Value": "web-7"}]


def fence(seconds=3600):
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
    return document(deny("*", Condition={"DateGreaterThan": {"aws:CurrentTime": end}}))


def test_log(cloud, iam):
    mark = cloud.mark()
    iam.create_user(UserName="bob", Path="/x/")
    with refused("NoSuchEntity"):
        iam.get_user(UserName="eve")
    first, second = cloud.log(since=mark)
    assert first["seq"] == mark + 1 and second["seq"] == mark + 2
    assert (first["service"], first["action"], first["status"], first["applied"]) == (
        "iam",
        "CreateUser",
        200,
        True,
    )
    assert first["params"] == {"UserName": "bob", "Path": "/x/"}
    assert first["principal_arn"] == cloud.management["user_arn"] and "Boto3" in first["user_agent"]
    assert first["access_key_id"] == cloud.management["access_key_id"]
    assert (second["status"], second["error_code"], second["applied"]) == (
        404,
        "NoSuchEntity",
        False,
    )
    assert first["connection"] == second["connection"] and second["retried_same_connection"]
    assert cloud.calls("CreateUser", since=mark) == [first]


def test_log_of_a_refused_signature(cloud):
    Raw(cloud, "GetUser", keys=(cloud.management["access_key_id"], "x" * 40)).send()
    call = cloud.log()[-1]
    assert (call["status"], call["error_code"], call["principal_arn"]) == (
        403,
        "SignatureDoesNotMatch",
        None,
    )


def test_no_secret_in_log_and_state(cloud, iam, sts, aws):
    iam.create_user(UserName="bob")
    key = iam.create_access_key(UserName="bob")["AccessKey"]
    iam.create_login_profile(UserName="bob", Password="canary-Password-1")
    session = sts.get_session_token()["Credentials"]
    aws.client("sts", session).get_caller_identity()
    secrets = cloud.canaries()
    assert {
        key["SecretAccessKey"],
        session["SecretAccessKey"],
        session["SessionToken"],
        cloud.management["secret_access_key"],
    } <= set(secrets)
    text = json.dumps(cloud.log()) + json.dumps(cloud.state())
    assert not [secret for secret in secrets + ["canary-Password-1"] if secret in text]


def test_state(cloud, iam):
    iam.create_user(UserName="bob", Path="/x/", Tags=AGENT)
    key = iam.create_access_key(UserName="bob")["AccessKey"]["AccessKeyId"]
    iam.put_user_policy(UserName="bob", PolicyName="p", PolicyDocument=fence())
    user = cloud.users()["bob"]
    assert (
        user["path"] == "/x/"
        and user["tags"] == {"kms-agent-id": "web-7"}
        and list(user["inline"]) == ["p"]
    )
    assert [(item["id"], item["status"]) for item in user["keys"]] == [(key, "Active")]
    assert key in cloud.state()["live_keys"] and cloud.users("/y/") == {}
    iam.delete_access_key(UserName="bob", AccessKeyId=key)
    assert (
        cloud.users()["bob"]["keys"][0]["deleted"] is True and key not in cloud.state()["live_keys"]
    )


@pytest.mark.parametrize(
    "text,bad",
    [
        (None, True),
        (document(allow("*")), True),
        (document(deny("s3:*")), True),
        (fence(), False),
        (document(deny("*")), False),
        (document(deny("*", "arn:aws:s3:::x")), True),
        (document(deny("*", Condition={"DateGreaterThan": {"aws:CurrentTime": "soon"}})), True),
        (
            document(
                deny("*", Condition={"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}})
            ),
            True,
        ),
    ],
)
def test_key_before_a_fence(cloud, iam, text, bad):
    iam.create_user(UserName="bob", Tags=AGENT)
    if text:
        iam.put_user_policy(UserName="bob", PolicyName="kms-fence", PolicyDocument=text)
    iam.create_access_key(UserName="bob")
    found = cloud.violations()
    assert [item["what"] for item in found] == (["CreateAccessKey before a fence"] if bad else [])


def test_strangers_need_no_fence(cloud, iam):
    iam.create_user(UserName="bob")
    iam.create_access_key(UserName="bob")
    assert cloud.violations() == []


def test_fence_taken_away(cloud, iam):
    iam.create_user(UserName="bob", Tags=AGENT)
    iam.put_user_policy(UserName="bob", PolicyName="kms-fence", PolicyDocument=fence())
    key = iam.create_access_key(UserName="bob")["AccessKey"]["AccessKeyId"]
    iam.put_user_policy(UserName="bob", PolicyName="kms-fence", PolicyDocument=fence(7200))
    assert cloud.violations() == []
    iam.delete_user_policy(UserName="bob", PolicyName="kms-fence")
    assert len(cloud.violations()) == 1 and cloud.violations()[0]["user"] == "bob"
    iam.delete_access_key(UserName="bob", AccessKeyId=key)


def test_seed_is_idempotent(cloud, iam):
    body = {
        "groups": [{"name": "g"}],
        "users": [
            {
                "name": "bob",
                "path": "/x/",
                "tags": {"a": "b"},
                "groups": ["g"],
                "inline": {"p": document(allow("s3:*"))},
                "access_keys": 1,
            }
        ],
    }
    first, second = cloud.seed(**body), cloud.seed(**body)
    assert first == second and len(iam.list_access_keys(UserName="bob")["AccessKeyMetadata"]) == 1
    assert iam.get_group(GroupName="g")["Users"][0]["UserName"] == "bob"
    with pytest.raises(CloudError, match="unknown fields"):
        cloud.seed(users=[{"name": "eve", "policies": []}])
    with pytest.raises(CloudError, match="MalformedPolicy"):
        cloud.seed(users=[{"name": "eve", "inline": {"p": "{}"}}])


def test_reset(cloud, iam, aws):
    before = cloud.canaries()
    user_with(cloud, allow("*"))
    cloud.policy(document(deny("*")))
    cloud.clock(1000)
    cloud.fault("*", "error", count=-1)
    cloud.throttle(rate=0, burst=0)
    cloud.lag(users_s=100)
    cloud.reset()
    assert cloud.users() == {} and cloud.log() == [] and cloud.faults() == []
    assert (
        cloud.request("GET", "clock")["offset_s"] == 0
        and cloud.request("GET", "lag")["users_s"] == 0
    )
    iam.list_users()
    assert len(cloud.canaries()) == len(before) + 1


def test_unknown_control_call(cloud):
    for method, name in (("GET", "nonsense"), ("POST", "state"), ("POST", "lag?")):
        with pytest.raises(CloudError):
            cloud.request(method, name, {"nonsense": 1} if method == "POST" else None)


def test_info_file_and_end(tmp_path):
    info = tmp_path / "info.json"
    start = time.monotonic()
    process = subprocess.Popen(
        ["/usr/bin/python3", os.path.join(HERE, "cloud.py"), "--info", str(info)]
    )
    try:
        while not info.exists():
            assert time.monotonic() - start < 10 and process.poll() is None
            time.sleep(0.01)
        assert time.monotonic() - start < 2
        assert stat.S_IMODE(info.stat().st_mode) == 0o600
        body = json.loads(info.read_text())
        assert (
            set(body) == {"port", "url", "account_id", "management", "pid"}
            and body["pid"] == process.pid
        )
        assert body["url"] == f"http://127.0.0.1:{body['port']}"
        process.terminate()
        assert process.wait(5) == 0
    finally:
        process.kill()
        process.wait()


def test_parent_death(tmp_path):
    info = tmp_path / "info.json"
    code = (
        "import subprocess, sys, time, os\n"
        f"subprocess.Popen(['/usr/bin/python3', {os.path.join(HERE, 'cloud.py')!r}, "
        f"'--info', {str(info)!r},"
        " '--parent-death'])\n"
        f"while not os.path.exists({str(info)!r}): time.sleep(0.01)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=20)
    pid = json.loads(info.read_text())["pid"]
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                if file.read().rsplit(")", 1)[1].split()[0] == "Z":
                    return
        except (FileNotFoundError, ProcessLookupError):
            return
        time.sleep(0.02)
    pytest.fail("the look-alike outlived its parent")


def test_tls_and_partition(tmp_path):
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            key,
            "-out",
            cert,
            "-days",
            "2",
            "-subj",
            "/CN=127.0.0.1",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ],
        check=True,
        capture_output=True,
    )
    import boto3

    with _tls_cloud(cert, key) as cloud:
        client = boto3.client(
            "iam",
            region_name="us-gov-west-1",
            endpoint_url=cloud["url"],
            verify=str(cert),
            aws_access_key_id=cloud["management"]["access_key_id"],
            aws_secret_access_key=cloud["management"]["secret_access_key"],
        )
        assert (
            client.get_user()["User"]["Arn"]
            == "arn:aws-us-gov:iam::123456789012:user/kms-management"
        )


def _tls_cloud(cert, key):
    import contextlib

    @contextlib.contextmanager
    def run():
        with Cloud.start(
            "--tls-cert", str(cert), "--tls-key", str(key), "--partition", "aws-us-gov"
        ) as cloud:
            yield cloud.info

    return run()
