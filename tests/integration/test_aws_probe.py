# SPDX-License-Identifier: Apache-2.0
"""The AWS layer alone against the look-alike: every action once, and what the client must never do twice.
tests/unit/aws_probe.c makes the calls; botocore makes what the agent itself never makes."""
import os
import re
import subprocess

import botocore.session
import pytest

from agent import BUILD

PROBE = os.environ.get("AWS_PROBE", os.path.join(BUILD, "tests", "unit", "aws_probe"))
USER = "kms-probe-0123456789abcdef0123456789abcdef"
FENCE = {"Version": "2012-10-17", "Statement": [{
    "Effect": "Deny", "Action": "*", "Resource": "*",
    "Condition": {"DateGreaterThanEquals": {"aws:CurrentTime": "2099-01-01T00:00:00Z"}}}]}
SECRET_SHAPE = re.compile(r"[A-Za-z0-9/+]{40}")


def probe(cloud, mode, **more):
    """Runs a mode; answers its lines. Nothing it prints may look like a secret key."""
    environment = {"PATH": os.environ["PATH"], "CLOUD_URL": cloud.url,
                   "AWS_ACCESS_KEY_ID": cloud.management["access_key_id"],
                   "AWS_SECRET_ACCESS_KEY": cloud.management["secret_access_key"], **more}
    run = subprocess.run([PROBE, mode], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    for canary in cloud.canaries():
        assert canary not in run.stdout and canary not in run.stderr
    return run.stdout.splitlines()


def failed(lines):
    return [line for line in lines if re.match(r"[A-Z]\w+ -?\d+ ", line) and line.split()[1] != "0"]


def iam(cloud):
    session = botocore.session.get_session()
    return session.create_client("iam", region_name="us-east-1", endpoint_url=cloud.url,
                                 aws_access_key_id=cloud.management["access_key_id"],
                                 aws_secret_access_key=cloud.management["secret_access_key"])


def test_mint_and_revoke(cloud):
    cloud.seed(groups=[{"name": "probe"}])
    lines = probe(cloud, "mint")
    assert failed(lines) == []
    assert "tags probe 0123456789abcdef0123456789abcdef 2099-01-01T00:00:00Z" in lines
    assert f"identity {cloud.arn('user/kms/' + USER)}" in lines
    assert cloud.users() == {}
    create = cloud.calls("CreateUser")[0]["params"]
    tags = {create[f"Tags.member.{n}.Key"]: create[f"Tags.member.{n}.Value"] for n in range(1, 6)}
    assert tags["team"] == "Größe + @/= ü" and tags["empty"] == ""
    # One connection for all, save CreateAccessKey, which always gets a new one.
    connections = [(call["action"], call["connection"]) for call in cloud.log()]
    at = [action for action, _ in connections].index("CreateAccessKey")
    assert len({connection for _, connection in connections[:at]}) == 1
    assert connections[at][1] != connections[at - 1][1]


def test_everything_a_user_can_have_is_removed(cloud):
    cloud.seed(groups=[{"name": "probe"}], users=[{
        "name": USER, "path": "/kms/", "groups": ["probe"], "inline": {"kms-fence": FENCE}, "access_keys": 2,
        "attached": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]}])
    client = iam(cloud)
    client.create_login_profile(UserName=USER, Password="Correct-horse-9-battery")
    client.create_service_specific_credential(UserName=USER, ServiceName="codecommit.amazonaws.com")
    before = cloud.mark()
    lines = probe(cloud, "clean")
    assert [line.split()[4] for line in failed(lines)] == ["DeleteConflict"]  # the first DeleteUser, on purpose
    assert cloud.users() == {}
    actions = {call["action"] for call in cloud.calls(since=before)}
    assert {"ListMFADevices", "ListSSHPublicKeys", "ListSigningCertificates", "ListServiceSpecificCredentials",
            "DeleteServiceSpecificCredential", "DeleteLoginProfile"} <= actions


def test_single_removals(cloud):
    cloud.seed(groups=[{"name": "probe"}], users=[{
        "name": USER, "path": "/kms/", "groups": ["probe"], "inline": {"kms-fence": FENCE},
        "attached": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]}])
    assert failed(probe(cloud, "singles")) == []
    assert cloud.users() == {}


def test_users_are_listed_page_by_page(cloud):
    cloud.seed(users=[{"name": f"many-{n}", "path": "/many/"} for n in range(250)])
    assert "users 250 pages 3" in probe(cloud, "list-users")


def test_sessions(cloud, tmp_path):
    account_root = {"AWS": cloud.arn("root")}
    provider = cloud.arn("oidc-provider/oidc.example.test")
    cloud.seed(
        oidc=[{"issuer": "https://oidc.example.test", "audiences": ["sts.amazonaws.com"], "hs256_key": "0123456789abcdef" * 2}],
        roles=[{"name": "probe", "trust": {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": account_root, "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": {"StringEquals": {"sts:ExternalId": "probe-external"}}}]}},
            {"name": "web", "trust": {"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"Federated": provider},
                "Action": "sts:AssumeRoleWithWebIdentity"}]}}])
    token = tmp_path / "token"
    token.write_text(cloud.web_token("https://oidc.example.test", "system:serviceaccount:a:b",
                                     aud="sts.amazonaws.com"))
    lines = probe(cloud, "sessions", PROBE_ROLE=cloud.arn("role/probe"), PROBE_WEB_ROLE=cloud.arn("role/web"),
                  PROBE_ROLE_TOKEN_FILE=str(token))
    assert failed(lines) == []
    sessions = [line.split() for line in lines if line.startswith("session")]
    assert [(line[1], line[3]) for line in sessions] == [("ASIA", "1")] * 3
    assert all(840 <= int(line[7]) <= 901 for line in sessions)
    call = cloud.calls("AssumeRoleWithWebIdentity")[0]
    assert not call["access_key_id"]  # unsigned
    assert cloud.calls("AssumeRole")[0]["params"]["Tags.member.1.Value"] == "a b"


@pytest.mark.parametrize("kind", ["cut_after", "cut_before"])
def test_create_access_key_is_never_sent_twice(cloud, kind):
    """libcurl resends by itself on a reused connection that ends without an answer; not this action."""
    cloud.seed(users=[{"name": USER, "path": "/kms/"}])
    cloud.fault("CreateAccessKey", kind)
    line = [line for line in probe(cloud, "key") if line.startswith("CreateAccessKey")][0].split()
    assert line[1] != "0" and line[3] == "1"  # failed, and may have been applied
    assert len(cloud.calls("CreateAccessKey")) == 1
    assert len(cloud.users()[USER]["keys"]) == (1 if kind == "cut_after" else 0)


@pytest.mark.parametrize("kind, more, applied", [
    ("status", {"code": 500}, "1"), ("status", {"code": 503, "xml": True}, "0"), ("garbage_html", {}, "1"),
    ("bad_xml", {}, "1"), ("error", {}, "0"), ("other_root", {"code": "Throttling"}, "0")])
def test_faults_of_create_access_key(cloud, kind, more, applied):
    cloud.seed(users=[{"name": USER, "path": "/kms/"}])
    cloud.fault("CreateAccessKey", kind, **more)
    line = [line for line in probe(cloud, "key") if line.startswith("CreateAccessKey")][0].split()
    if kind == "other_root" and line[1] == "0":
        pytest.skip("the fault changes errors only")
    assert line[1] != "0" and line[3] == applied
    assert len(cloud.calls("CreateAccessKey")) == 1


def test_clock_of_the_cloud_is_learned_and_a_wrong_one_is_named(cloud):
    cloud.signature_clock("cloud")
    cloud.clock(3600)
    line = probe(cloud, "key")[0].split()
    assert line[0] == "GetUser" and line[1] == "-21"  # KMS_ECLOCK
    cloud.signature_clock("either")
    cloud.clock(0)
