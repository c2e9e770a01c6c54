# SPDX-License-Identifier: Apache-2.0
"""SIGKILL before and after each AWS call of a mint and of a revocation: after a restart nothing is left at AWS and no
record is live. Where the fate of CreateUser or DeleteUser is unknown, the five-minute guard has to pass first: the
look-alike's clock is moved, and the agent learns it from the next Date header."""
import contextlib
import time

import pytest

from rpc import Closed

DOCUMENT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}]}
GUARD_S = 400

# The calls of a mint and of an early revocation in order, each with its number among calls of the same action.
MINT = [("CreateUser", 1), ("PutUserPolicy", 1), ("AddUserToGroup", 1), ("AttachUserPolicy", 1), ("PutUserPolicy", 2),
        ("CreateAccessKey", 1), ("GetCallerIdentity", 1), ("GetCallerIdentity", 2)]
REVOKE = [("DeleteAccessKey", 1), ("GetUser", 1), ("PutUserPolicy", 1), ("ListAccessKeys", 1),
          ("ListAttachedUserPolicies", 1), ("DetachUserPolicy", 1), ("ListGroupsForUser", 1),
          ("RemoveUserFromGroup", 1), ("ListUserPolicies", 1), ("DeleteUserPolicy", 1), ("DeleteUserPolicy", 2),
          ("DeleteUser", 1)]


@pytest.fixture
def full_agent(make_agent, cloud):
    """An agent whose secret "full" needs every call of a mint."""
    cloud.seed(groups=[{"name": "readers", "inline": {"list": DOCUMENT}}],
               policies=[{"name": "Extra", "document": DOCUMENT}])
    agent = make_agent(start=False)
    agent.write_file("secrets.d/policy.json", '{"Version":"2012-10-17","Statement":'
                     '[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}')
    agent.secrets = {"full": agent.iam_user(groups=["readers"], policy_arns=[cloud.arn("policy/Extra")],
                                            policy_documents=["@policy.json"], ready_timeout="10s")}
    agent.write_config()
    return agent


def issue_until_killed(agent):
    with contextlib.suppress(Closed, ConnectionResetError, BrokenPipeError):
        with agent.rpc() as rpc:
            rpc.call("lease.issue", secret="full")
            return
    agent.wait(10)


def live_leases(agent):
    return [lease for lease in agent.leases() if lease["state"] != "revoked"]


def wait_clean(agent, timeout_s=30.0):
    """No users at AWS and no live record."""
    agent.wait_no_users(timeout_s)
    end = time.monotonic() + timeout_s
    while live_leases(agent):
        assert time.monotonic() < end, f"live records are left: {live_leases(agent)}"
        time.sleep(0.1)


def check_recovers(agent, guarded):
    """Restarts; guarded: only AWS's time can tell that nothing is there."""
    agent.start()
    agent.wait_no_users(30)
    if guarded:
        agent.cloud.clock(GUARD_S)
    wait_clean(agent, 60 if guarded else 30)
    assert agent.cloud.users() == {}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("action,nth", MINT, ids=[f"{action}-{nth}" for action, nth in MINT])
def test_kill_around_a_call_of_a_mint(full_agent, cloud, action, nth, when):
    agent = full_agent.start()
    if action == "GetCallerIdentity":  # not the one of the identity check at start
        cloud.wait_for_call("GetCallerIdentity")
    cloud.fault(action, "kill", nth=nth, pid=agent.pid, when=when)
    issue_until_killed(agent)
    assert not agent.alive(), "the fault did not fire"
    check_recovers(agent, guarded=action == "CreateUser" and when == "before")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("action,nth", REVOKE, ids=[f"{action}-{nth}" for action, nth in REVOKE])
def test_kill_around_a_call_of_a_revocation(full_agent, cloud, action, nth, when):
    agent = full_agent.start()
    lease = agent.call("lease.issue", secret="full")
    assert lease["ready"]
    cloud.fault(action, "kill", nth=nth, pid=agent.pid, when=when)
    with contextlib.suppress(Closed, ConnectionResetError, BrokenPipeError):
        agent.call("lease.revoke", lease_id=lease["lease_id"])
    agent.wait(15)
    check_recovers(agent, guarded=action == "DeleteUser" and when == "after")


POINTS = ["record-intent", "create-user", "put-fence", "create-access-key", "record-grant", "probe"]


@pytest.mark.hooks
@pytest.mark.parametrize("point", POINTS)
def test_kill_after_a_step_of_a_mint(full_agent, cloud, point):
    """Between the answer of one step and the next: the window that a log beside the lease table would have."""
    agent = full_agent.start(KMS_CRASH_AT=point)
    issue_until_killed(agent)
    assert not agent.alive(), f"there is no crash point {point}"
    check_recovers(agent, guarded=point == "record-intent")


@pytest.mark.hooks
@pytest.mark.parametrize("point", ["revoke-begin", "revoke-stage", "revoke-stage:2", "revoke-stage:3"])
def test_kill_after_a_stage_of_a_revocation(full_agent, cloud, point):
    agent = full_agent.start(KMS_CRASH_AT=point)
    lease = agent.call("lease.issue", secret="full")
    with contextlib.suppress(Closed, ConnectionResetError, BrokenPipeError):
        agent.call("lease.revoke", lease_id=lease["lease_id"])
    agent.wait(15)
    check_recovers(agent, guarded=point == "revoke-stage:3")


@pytest.mark.parametrize("kind", ["cut_before", "cut_after"])
@pytest.mark.parametrize("action,nth", MINT[:6], ids=[f"{action}-{nth}" for action, nth in MINT[:6]])
def test_reply_of_a_mint_is_lost(full_agent, cloud, action, nth, kind):
    """AWS did it or not, and nobody said so: one user, at most one key, and a lease or one clear error."""
    agent = full_agent.start()
    cloud.fault(action, kind, nth=nth)
    failed = None
    try:
        lease = agent.call("lease.issue", secret="full")
    except Exception as error:  # the error is checked below
        failed = error
    if failed is None:
        assert len(cloud.users()) == 1
        assert len(cloud.users()[lease["username"]]["keys"]) == 1
        agent.call("lease.revoke", lease_id=lease["lease_id"])
    else:
        assert action == "CreateAccessKey", f"only a lost key ends a mint: {failed}"
        assert failed.code == "aws_unavailable"
    agent.wait_no_users(30)
    if action == "CreateUser":  # the call that nobody answered may be carried out later: the guard has to pass
        cloud.clock(GUARD_S)
    wait_clean(agent, 60)
    assert len([call for call in cloud.calls("CreateAccessKey") if call["applied"]]) <= 1


@pytest.mark.parametrize("kind", ["cut_before", "cut_after"])
@pytest.mark.parametrize("action,nth", REVOKE[:-1], ids=[f"{action}-{nth}" for action, nth in REVOKE[:-1]])
def test_reply_of_a_revocation_is_lost(full_agent, cloud, action, nth, kind):
    agent = full_agent.start()
    lease = agent.call("lease.issue", secret="full")
    cloud.fault(action, kind, nth=nth)
    with contextlib.suppress(Exception):  # the first call may answer with the error; the revocation goes on
        agent.call("lease.revoke", lease_id=lease["lease_id"])
    wait_clean(agent)
