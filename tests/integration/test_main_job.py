# SPDX-License-Identifier: Apache-2.0
"""The main job over the wire: a credential is minted, works, and dies on time."""
import datetime
import time

import pytest

from agent import group
from aws_client import allowed, identity
from rpc import RpcError

ADMIN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"}]}


def parse(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def minting_calls(cloud, user):
    """Without the GetUser by which the first mint of a process may ask for AWS's time."""
    return [call["action"] for call in cloud.log()
            if call["params"].get("UserName") == user and call["action"] != "GetUser"]


def test_issue_iam_user(agent, rpc):
    before = time.time()
    lease = rpc.call("lease.issue", secret="app")
    assert lease["secret"] == "app" and lease["credential_type"] == "iam-user"
    assert "session_token" not in lease or lease["session_token"] is None
    assert lease["account_id"] == agent.cloud.account_id and lease["region"] == "eu-west-1"
    assert lease["requested_ttl_s"] == lease["granted_ttl_s"] == 3600
    assert before + 3598 <= parse(lease["expires_at"]) <= time.time() + 3601
    assert lease["renewable"] is True and lease["bound"] is False and lease["shared"] is False
    assert identity(agent.cloud, lease) == lease["arn"]
    user = agent.cloud.users()[lease["username"]]
    assert user["tags"]["kms-agent-id"] == "test-agent"
    assert user["tags"]["kms-lease-id"] == lease["lease_id"]


def test_fence_before_key(agent, rpc):
    lease = rpc.call("lease.issue", secret="app")
    calls = minting_calls(agent.cloud, lease["username"])
    assert calls[0] == "CreateUser" and calls[1] == "PutUserPolicy"
    assert calls.index("CreateAccessKey") == len(calls) - 1
    assert list(agent.cloud.users()[lease["username"]]["inline"]) == ["kms-fence"]


def test_everything_a_secret_can_give(make_agent, cloud):
    cloud.seed(groups=[{"name": "readers", "inline": {"list": ADMIN}}],
               policies=[{"name": "Boundary", "document": ADMIN}, {"name": "Extra", "document": ADMIN}])
    agent = make_agent(start=False)
    agent.write_file("secrets.d/policy.json", '{"Version":"2012-10-17","Statement":[]}'.replace(
        "[]", '[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]'))
    agent.secrets = {"full": agent.iam_user(
        path="/kms/team/", permissions_boundary=cloud.arn("policy/Boundary"), groups=["readers"],
        policy_arns=[cloud.arn("policy/Extra")], policy_documents=["@policy.json"],
        tags=["team=platform", "cost=42"], username_template="job-{secret}-{lease}")}
    agent.write_config()
    agent.start()
    lease = agent.call("lease.issue", secret="full")
    user = cloud.users()[lease["username"]]
    assert lease["username"] == f"job-full-{lease['lease_id'].replace('-', '')}"
    assert user["path"] == "/kms/team/" and user["groups"] == ["readers"]
    assert user["boundary"] == cloud.arn("policy/Boundary") and user["attached"] == [cloud.arn("policy/Extra")]
    assert set(user["inline"]) == {"kms-fence", "kms-inline-1"}
    assert user["tags"]["team"] == "platform" and user["tags"]["cost"] == "42"
    assert allowed(cloud, lease) == "yes"
    agent.call("lease.revoke", lease_id=lease["lease_id"])
    agent.wait_no_users()


def test_revoke(agent, rpc):
    lease = rpc.call("lease.issue", secret="app")
    agent.wait_identities()
    mark = agent.cloud.mark()
    answer = rpc.call("lease.revoke", lease_id=lease["lease_id"])
    assert answer["lease_id"] == lease["lease_id"] and answer["state"] in ("revoking", "revoked")
    # The answer comes after the key is dead, whatever clean-up is left.
    assert identity(agent.cloud, lease) == "InvalidClientTokenId"
    agent.wait_no_users()
    assert agent.cloud.log(mark)[0]["action"] == "DeleteAccessKey"
    assert agent.wait_lease(lease["lease_id"], "revoked")["state"] == "revoked"


def test_expiry(agent, rpc):
    lease = rpc.call("lease.issue", secret="app", ttl_s=5)
    assert lease["granted_ttl_s"] == 5
    end = parse(lease["expires_at"])
    time.sleep(max(0.0, end - time.time() - 1))
    assert identity(agent.cloud, lease) == lease["arn"], "dead before its time"
    agent.wait_no_users(timeout_s=10)
    assert time.time() < end + 5
    assert identity(agent.cloud, lease) == "InvalidClientTokenId"


def test_fence_without_the_agent(agent, rpc):
    """The agent is gone for good; the credential dies all the same."""
    agent.cloud.seed(groups=[{"name": "all", "inline": {"all": ADMIN}}])
    agent.secrets["app"]["groups"] = ["all"]
    agent.write_config()
    agent.reload()
    lease = rpc.call("lease.issue", secret="app", ttl_s=600)
    agent.kill()
    assert allowed(agent.cloud, lease) == "yes"
    agent.cloud.clock(598)
    assert allowed(agent.cloud, lease) == "yes"
    agent.cloud.clock(603)
    assert allowed(agent.cloud, lease) == "AccessDenied"


def test_session(agent, rpc):
    lease = rpc.call("lease.issue", secret="session")
    assert lease["credential_type"] == "temporary-credentials" and lease["session_token"]
    assert lease.get("username") is None
    assert identity(agent.cloud, lease).startswith("arn:aws:")
    assert agent.cloud.users() == {}
    assert lease["bound"] is False and lease["ready"] is True


def test_session_shorter_than_aws_allows(agent, rpc):
    with pytest.raises(RpcError) as caught:
        rpc.call("lease.issue", secret="session", ttl_s=60)
    assert caught.value.code == "invalid_ttl" and "15m" in caught.value.message


def test_ttl_above_the_maximum_names_both(agent, rpc):
    with pytest.raises(RpcError) as caught:
        rpc.call("lease.issue", secret="app", ttl_s=86401)
    assert caught.value.code == "invalid_ttl"
    assert "1d1s" in caught.value.message and "max_ttl of 1d" in caught.value.message
    assert agent.cloud.users() == {}


def test_renew_moves_the_fence_first(agent, rpc):
    lease = rpc.call("lease.issue", secret="app", ttl_s=600)
    agent.wait_identities()
    mark = agent.cloud.mark()
    renewed = rpc.call("lease.renew", lease_id=lease["lease_id"], ttl_s=1800)
    assert parse(renewed["expires_at"]) > parse(lease["expires_at"]) + 1000
    assert [call["action"] for call in agent.cloud.log(mark)] == ["PutUserPolicy"]
    fence = agent.cloud.users()[lease["username"]]["inline"]["kms-fence"]
    assert renewed["expires_at"][:19] in str(fence)


def test_list_pages(agent, rpc):
    ids = {rpc.call("lease.issue", secret="app")["lease_id"] for _ in range(5)}
    seen, cursor = [], None
    while True:
        page = rpc.call("lease.list", limit=2, **({"cursor": cursor} if cursor else {}))
        assert len(page["leases"]) <= 2
        seen += [lease["lease_id"] for lease in page["leases"]]
        cursor = page.get("cursor")
        if not cursor:
            break
    assert sorted(seen) == sorted(ids), "every lease once"
    assert all("secret_access_key" not in lease for lease in page["leases"])


def test_restart_keeps_leases(agent):
    lease = agent.call("lease.issue", secret="app", ttl_s=600)
    agent.wait_delivered(lease)
    agent.kill()
    agent.start()
    found = agent.call("lease.get", lease_id=lease["lease_id"])
    assert found["state"] == "active" and found["expires_at"] == lease["expires_at"]
    assert identity(agent.cloud, lease) == lease["arn"]
    agent.call("lease.revoke", lease_id=lease["lease_id"])
    agent.wait_no_users()


def test_expired_while_the_agent_was_away(agent):
    lease = agent.call("lease.issue", secret="app", ttl_s=5)
    agent.kill()
    time.sleep(6)
    agent.start()
    agent.wait_no_users(timeout_s=75)  # a start knows no AWS time yet and may wait 60 s for a Date
    assert agent.wait_lease(lease["lease_id"], "revoked")


def test_many_at_once(make_agent, cloud):
    """Pipelined requests on several connections: each answer once, each its own user."""
    agent = make_agent(options={"max_leases_per_uid": 1000, "mint_rate_per_uid": 1000.0})
    leases = []
    with agent.rpc() as first, agent.rpc() as second:
        for rpc in (first, second):
            rpc.ids = [rpc.send("lease.issue", {"secret": "app"}) for _ in range(16)]
        for rpc in (first, second):
            leases += [rpc.wait(msgid) for msgid in rpc.ids]
    assert len({lease["lease_id"] for lease in leases}) == 32
    assert len({lease["access_key_id"] for lease in leases}) == 32
    assert {lease["username"] for lease in leases} == set(cloud.users())
    answer = agent.call("lease.revoke", secret="app", all=True)
    assert answer is not None
    agent.wait_no_users(timeout_s=30)


def test_secret_renamed_in_the_configuration(agent, rpc):
    """A lease of a secret that is no longer configured is revoked by its frozen recipe."""
    lease = rpc.call("lease.issue", secret="app")
    agent.write_file("secrets.d/app.conf", "secret: {\n" + group("other", agent.secrets["app"]) + "};\n")
    agent.reload()
    with pytest.raises(RpcError):
        rpc.call("lease.issue", secret="app")
    rpc.call("lease.revoke", lease_id=lease["lease_id"])
    agent.wait_no_users()
