# SPDX-License-Identifier: Apache-2.0
"""3 methods x 2 credential types x {issue, renew, get, list, revoke, expire}: each cell by the real programs, and by
real calls with what they gave. The cells that moto can do run against moto as well (moto_cannot.txt)."""
import json
import time

import pytest

from aws_client import allowed, identity
from cli import AWS, kms_exec, kmsctl, kmsctl_json
from methods import COMBINATIONS, fence_end, management_arn, prepare, settings

pytestmark = pytest.mark.parametrize("method,kind", COMBINATIONS, ids=["-".join(pair) for pair in COMBINATIONS])
SHORTEST_S = 900  # of STS, where nothing can end a session sooner


@pytest.fixture
def box(method, kind, make_agent, cloud):
    """An agent with one secret, "it", of the method and type."""
    if method == "irsa" and hasattr(cloud, "enforce"):
        cloud.enforce(False)  # moto refuses unsigned calls while it checks signatures
    agent = make_agent(start=False)
    prepare(agent, {"it": settings(agent, method, kind)})
    return agent.start()


def issue(box, ttl="1h"):
    return kmsctl_json(box, "issue", "it", "--keep", "--ttl", ttl)


def expected_arn(box, method, kind):
    """How the ARN of the identity begins that a lease's credential speaks for."""
    if kind == "iam-user":
        return box.cloud.arn("user/kms/kms-it-")
    if method == "access-key":
        return management_arn(box.cloud)
    role = "minter" if method == "assume-role" else "pod"
    return f"arn:aws:sts::{box.cloud.account_id}:assumed-role/{role}/kms-it-"


def is_dated(method, kind):
    """Whether AWS itself ends the credential before a session's least duration."""
    return kind == "temporary-credentials" and method != "access-key"


def refused(box, lease):
    """The error a dead key gets."""
    if hasattr(box.cloud, "enforce"):
        box.cloud.enforce(True)
    return identity(box.cloud, lease)


def short_ttl(method, kind):
    return SHORTEST_S if (method, kind) == ("access-key", "temporary-credentials") else 5


def test_cell_issue(box, method, kind):
    result = kms_exec(box, "-s", "it", "--", AWS, "sts", "get-caller-identity", "--output", "json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["Arn"].startswith(expected_arn(box, method, kind))
    lease = issue(box)
    assert lease["credential_type"] == kind and lease["account_id"] == box.cloud.account_id
    assert (lease.get("session_token") is None) == (kind == "iam-user")
    assert (lease.get("username") is None) == (kind != "iam-user")
    assert lease["requested_ttl_s"] == lease["granted_ttl_s"] == 3600 and lease.get("clamp_reason") is None
    assert lease["arn"].startswith(expected_arn(box, method, kind)) and identity(box.cloud, lease) == lease["arn"]


def test_cell_renew(box, method, kind):
    lease = issue(box, "20m")
    time.sleep(1.1)  # AWS's times are whole seconds
    renewed = kmsctl_json(box, "renew", lease["lease_id"], "--ttl", "50m")
    assert renewed["lease_id"] == lease["lease_id"] and renewed["expires_at"] > lease["expires_at"]
    assert renewed["requested_ttl_s"] == renewed["granted_ttl_s"] == 3000
    if kind == "iam-user":
        assert renewed["access_key_id"] == lease["access_key_id"] and renewed.get("secret_access_key") is None
        assert fence_end(box.cloud.users()[lease["username"]])[:19] == renewed["expires_at"][:19]
        assert identity(box.cloud, lease) == lease["arn"]
    else:
        assert renewed["access_key_id"] != lease["access_key_id"], "a session cannot be prolonged, it is replaced"
        assert identity(box.cloud, renewed) == renewed["arn"] == lease["arn"]
    assert kmsctl_json(box, "lease", lease["lease_id"])["expires_at"] == renewed["expires_at"]


def test_cell_get(box, method, kind):
    lease = issue(box)
    shown = kmsctl_json(box, "lease", lease["lease_id"])
    assert shown["state"] == "active" and shown["method"] == method and shown["credential_type"] == kind
    for name in ("lease_id", "secret", "access_key_id", "arn", "account_id", "expires_at", "issued_at"):
        assert shown[name] == lease[name], name
    assert not {"secret_access_key", "session_token"} & set(shown)
    text = kmsctl(box, "lease", lease["lease_id"]).stdout
    assert lease["access_key_id"] in text and lease["secret_access_key"] not in text


def test_cell_list(box, method, kind):
    leases = [issue(box), issue(box)]
    listed = {lease["lease_id"]: lease for lease in kmsctl_json(box, "leases", "--secret", "it")["leases"]}
    assert set(listed) == {lease["lease_id"] for lease in leases}
    for lease in leases:
        assert listed[lease["lease_id"]]["access_key_id"] == lease["access_key_id"]
    table = kmsctl(box, "leases").stdout
    assert all(lease["lease_id"] in table for lease in leases)
    assert not any(lease["secret_access_key"] in table for lease in leases)


def test_cell_revoke(box, method, kind):
    lease = issue(box)
    answer = kmsctl_json(box, "revoke", lease["lease_id"])
    assert json.dumps(answer).count(lease["lease_id"]) == 1
    shown = box.wait_lease(lease["lease_id"], "revoked")
    assert shown["reason"] == "client"
    if kind == "iam-user":
        assert refused(box, lease) == "InvalidClientTokenId" and shown.get("ends_at") is None
        box.wait_no_users()
    else:
        assert shown["ends_at"] >= lease["expires_at"], "AWS cannot take a session back; when it ends is said"
        assert identity(box.cloud, lease) == lease["arn"]
    assert issue(box)["access_key_id"] != lease["access_key_id"]


def test_cell_expire(box, method, kind):
    ttl_s = short_ttl(method, kind)
    lease = issue(box, f"{ttl_s}s")
    assert lease["granted_ttl_s"] == ttl_s
    assert identity(box.cloud, lease) == lease["arn"]
    if ttl_s == SHORTEST_S:
        box.cloud.clock(ttl_s + 1)
        box.write_clock((ttl_s + 1) * 1000)
        box.wait_log("the clock was set")
        box.call("lease.issue", secret="it")  # shows the agent that the clock of AWS moved too
    box.wait_lease(lease["lease_id"], "revoked", timeout_s=12)
    if kind == "iam-user":
        box.wait_no_users()
        assert refused(box, lease) == "InvalidClientTokenId"
    elif is_dated(method, kind):
        assert allowed(box.cloud, lease) == "AccessDenied"
    else:
        assert identity(box.cloud, lease) == "ExpiredToken"
