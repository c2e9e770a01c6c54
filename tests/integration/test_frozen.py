# SPDX-License-Identifier: Apache-2.0
"""A lease is revoked as it was made, whatever the configuration says by then: type, method, role, account, path."""
import pytest

from aws_client import identity
from client import Cloud
from methods import document, prepare, seed_role, settings
from rpc import RpcError

USERS, SESSIONS = "iam-user", "temporary-credentials"
OTHER_ACCOUNT = "210987654321"


@pytest.fixture(scope="module")
def elsewhere():
    """Another account."""
    with Cloud.start("--account-id", OTHER_ACCOUNT) as cloud:
        yield cloud


@pytest.fixture
def box(make_agent, cloud, elsewhere):
    """A running agent; "it" mints IAM users under /old/ by the role minter."""
    elsewhere.reset()
    agent = make_agent(start=False)
    prepare(agent, {"it": settings(agent, "assume-role", USERS, path="/old/")})
    seed_role(cloud, "powerless", inline={"none": document("s3:ListBucket")})
    for name in ("access_key_id", "secret_access_key"):
        agent.put_credential(f"elsewhere-{name}", elsewhere.management[name])
    agent.elsewhere = elsewhere
    return agent.start()


def change(agent, what):
    """The new configuration, not yet read."""
    secret, cloud = agent.secrets["it"], agent.cloud
    if what == "type":
        agent.secrets["it"] = settings(agent, "assume-role", SESSIONS)
    elif what == "method":
        agent.secrets["it"] = settings(agent, "irsa", USERS)
    elif what == "role":
        secret["role_arn"] = cloud.arn("role/powerless")
    elif what == "path":
        secret["path"] = "/new/"
    elif what == "account":
        agent.elsewhere.seed(roles=[{"name": "minter", "inline": {"all": document()}, "trust": {
            "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                                                    "Principal": {"AWS": agent.elsewhere.management["user_arn"]}}]}}])
        secret.update(role_arn=agent.elsewhere.arn("role/minter"), iam_endpoint=agent.elsewhere.url,
                      sts_endpoint=agent.elsewhere.url, access_key_id="credential:elsewhere-access_key_id",
                      secret_access_key="credential:elsewhere-secret_access_key")
    elif what == "gone":
        agent.secrets = {"other": agent.iam_user()}
    agent.write_config()


def check_revoked(agent, lease, mark):
    """Gone from the account it was made in, by the identity that made it."""
    cloud = agent.cloud
    agent.wait_no_users(timeout_s=30)
    assert agent.wait_lease(lease["lease_id"], "revoked")["account_id"] == cloud.account_id
    assert identity(cloud, lease) == "InvalidClientTokenId"
    calls = [call for call in cloud.log(mark) if call["action"] in ("DeleteAccessKey", "DeleteUser")
             and call["params"]["UserName"] == lease["username"]]
    assert [call["action"] for call in calls] == ["DeleteAccessKey", "DeleteUser"]
    assert all(":assumed-role/minter/" in call["principal_arn"] for call in calls)
    assert not [call for call in agent.elsewhere.log() if "User" in call["action"]]


CHANGES = ["type", "method", "role", "account", "path", "gone"]


@pytest.mark.parametrize("what", CHANGES)
def test_revoked_after_a_reload(box, cloud, what):
    lease = box.call("lease.issue", secret="it")
    assert lease["arn"].startswith(cloud.arn("user/old/"))
    change(box, what)
    box.reload()
    mark = cloud.mark()
    assert box.call("lease.revoke", lease_id=lease["lease_id"])["lease_id"] == lease["lease_id"]
    check_revoked(box, lease, mark)


@pytest.mark.parametrize("what", CHANGES)
def test_expired_after_a_restart(box, cloud, what):
    """Only the record knows how it was made."""
    lease = box.call("lease.issue", secret="it", ttl_s=5)
    change(box, what)
    mark = cloud.mark()
    box.restart()
    box.call("agent.status")
    if what != "gone":
        with_today(box, what)
    check_revoked(box, lease, mark)


def with_today(agent, what):
    """The new configuration is what counts for new leases (and shows the agent AWS's time)."""
    if what == "role":
        with pytest.raises(RpcError) as caught:
            agent.call("lease.issue", secret="it")
        assert caught.value.code == "aws_denied"
        return
    lease = agent.call("lease.issue", secret="it")
    if what == "account":
        assert lease["account_id"] == OTHER_ACCOUNT and lease["username"] in agent.elsewhere.users()
        agent.elsewhere.request("DELETE", "log")
        return
    if what == "type":
        assert lease["session_token"]
        return
    assert (":user/new/" if what == "path" else ":user/kms/") in lease["arn"]
    agent.call("lease.revoke", lease_id=lease["lease_id"])


@pytest.mark.hooks
def test_key_of_another_account(make_agent):
    """The same reference leads to a key of another account now: that the user is unknown there proves nothing."""

    def put_key(cloud):
        agent.put_credential("root-id", cloud.management["access_key_id"])
        agent.put_credential("root-secret", cloud.management["secret_access_key"])

    with Cloud.start() as first:
        agent = make_agent(start=False, options={"iam_endpoint": first.url, "sts_endpoint": first.url})
        put_key(first)
        agent.start()
        lease = agent.call("lease.issue", secret="app")
    with Cloud.start("--port", str(first.port), "--account-id", OTHER_ACCOUNT) as second:
        put_key(second)
        second.clock(400)  # NoSuchEntity is believed from five minutes on
        agent.write_clock(400000)
        agent.wait_log("the clock was set")
        with pytest.raises(RpcError) as caught:
            agent.call("lease.revoke", lease_id=lease["lease_id"])
        for account in (first.account_id, OTHER_ACCOUNT):
            assert account in caught.value.message
        shown = agent.call("lease.get", lease_id=lease["lease_id"])
        assert shown["state"] == "revoking" and shown["stuck"] is True and OTHER_ACCOUNT in shown["error"]


def test_session_that_is_an_iam_user_secret_now(box, cloud):
    """Nothing to delete, and its end is said."""
    box.secrets["it"] = settings(box, "assume-role", SESSIONS)
    box.write_config()
    box.reload()
    lease = box.call("lease.issue", secret="it")
    box.secrets["it"] = settings(box, "assume-role", USERS)
    box.write_config()
    box.reload()
    mark = cloud.mark()
    answer = box.call("lease.revoke", lease_id=lease["lease_id"])
    assert answer["ends_at"] == lease["credential_expires_at"]
    box.wait_lease(lease["lease_id"], "revoked")
    assert not [call for call in cloud.log(mark) if call["service"] == "iam"]


def test_renewal_after_a_change(box, cloud):
    """What was frozen takes away, today's configuration grants: no renewal of another type, and never a session of
    another role under the old lease."""
    lease = box.call("lease.issue", secret="it", ttl_s=600)
    change(box, "type")
    box.reload()
    with pytest.raises(RpcError) as caught:
        box.call("lease.renew", lease_id=lease["lease_id"], ttl_s=1200)
    assert caught.value.code == "not_renewable"
    session = box.call("lease.issue", secret="it", ttl_s=900)
    box.secrets["it"]["role_arn"] = cloud.arn("role/powerless")
    box.secrets["it"]["max_ttl"] = "30m"
    box.secrets["it"]["default_ttl"] = "15m"
    box.write_config()
    box.reload()
    renewed = box.call("lease.renew", lease_id=session["lease_id"], ttl_s=1800)
    assert renewed["arn"] == session["arn"] and ":assumed-role/minter/" in identity(cloud, renewed)
    assert "30m" in renewed["clamp_reason"] or renewed["granted_ttl_s"] == 1800
