# SPDX-License-Identifier: Apache-2.0
"""Clean-up of a user that AWS does not let go: what is dead stays dead, and somebody hears of it."""
import contextlib
import time

import pytest

import metrics
from aws_client import client
from iam_logins import totp
from methods import ALL, document
from rpc import RpcError
from trouble import InBackground, move_cloud, wait_until


def fences(cloud, lease):
    """The inline policies of a lease's user."""
    user = cloud.users().get(lease["username"])
    return None if user is None else list(user["inline"])


def tries(cloud, mark=0):
    return len(cloud.calls("DeleteUser", since=mark))


def test_fence_of_a_user_that_may_not_be_deleted(make_agent, cloud):
    """It goes back up whenever DeleteUser fails, as sessions made with the key may live on."""
    agent = make_agent()
    lease = agent.call("lease.issue", secret="app")
    cloud.policy(ALL, document("iam:DeleteUser", effect="Deny"))
    agent.call("lease.revoke", lease_id=lease["lease_id"])
    wait_until(lambda: agent.call("agent.status")["stuck"] == 1, "stuck")
    assert fences(cloud, lease) == ["kms-fence"]
    for again in range(1, 3):
        mark = cloud.mark()
        move_cloud(agent, again * 62)
        wait_until(lambda: tries(cloud, mark), "another try", 20)
        wait_until(lambda: fences(cloud, lease) == ["kms-fence"], "the fence is up again")
    cloud.policy(ALL)
    move_cloud(agent, 400)
    agent.wait_no_users(30)


@pytest.mark.parametrize("code, status", [("InternalFailure", 500), ("EntityTemporarilyUnmodifiable", 409)])
def test_fence_after_one_failure(make_agent, cloud, code, status):
    """Also where the next try comes soon: no look finds the user without."""
    agent = make_agent()
    lease = agent.call("lease.issue", secret="app")
    cloud.fault("DeleteUser", "error", code=code, status=status, count=6)
    agent.call("lease.revoke", lease_id=lease["lease_id"])
    wait_until(lambda: tries(cloud) >= 4, "some tries", 20)
    ups = [call for call in cloud.calls("PutUserPolicy") if call["params"]["PolicyName"] == "kms-fence"]
    assert len(ups) >= 4, "the fence went up after each"
    agent.wait_no_users(60)


def test_fence_after_no_answer(make_agent, cloud):
    """Whether the user is gone nobody knows: where it is not, the next try begins with its fence."""
    agent = make_agent()
    lease = agent.call("lease.issue", secret="app")
    cloud.fault("DeleteUser", "hang_before", count=1)
    agent.call("lease.revoke", lease_id=lease["lease_id"])
    agent.wait_no_users(40)
    actions = [call["action"] for call in cloud.log()]
    later = actions[actions.index("DeleteUser") + 1:]
    assert later.index("PutUserPolicy") < later.index("ListAccessKeys"), later


@pytest.mark.slow
def test_conflict_that_does_not_end(make_agent, cloud):
    """What hangs on a user that no list shows: told after two minutes, and no more than a trickle of calls."""
    agent = make_agent()
    lease = agent.call("lease.issue", secret="app")
    fault = cloud.fault("DeleteUser", "error", code="DeleteConflict", status=409, count=-1)
    agent.call("lease.revoke", lease_id=lease["lease_id"])
    time.sleep(15)
    assert agent.call("agent.status")["stuck"] == 0, "lists lag longer than that"
    wait_until(lambda: agent.call("agent.status")["stuck"] == 1, "stuck", 250)
    assert "DeleteConflict" in agent.call("lease.get", lease_id=lease["lease_id"])["error"]
    assert metrics.read(agent)["kms_leases_stuck"] == 1
    assert fences(cloud, lease) == ["kms-fence"]
    mark = cloud.mark()
    time.sleep(20)
    assert len(cloud.log(mark)) <= 3, "the next try is minutes away"
    assert cloud.faults()[0]["id"] == fault
    cloud.clear_faults()
    move_cloud(agent, 320)
    agent.wait_no_users(60)


@pytest.mark.parametrize("status", [403, 404, 407])
def test_refusal_that_is_not_of_aws(make_agent, cloud, status):
    """A proxy or a load balancer in between: an outage like others, nobody has to act."""
    agent = make_agent()
    agent.wait_identities()
    lease = agent.call("lease.issue", secret="app", ttl_s=5)
    cloud.fault("*", "garbage_html", status=status, count=-1)
    wait_until(lambda: agent.call("lease.get", lease_id=lease["lease_id"]).get("error"), "some tries", 30)
    time.sleep(3)
    seen = agent.call("lease.get", lease_id=lease["lease_id"])
    assert seen["state"] == "revoking" and not seen["stuck"] and str(status) in seen["error"], seen
    cloud.clear_faults()
    agent.wait_no_users(30)


@pytest.mark.parametrize("failures", [1, 3])
def test_virtual_mfa_device_is_not_left(make_agent, cloud, failures):
    """Once deactivated no list of the user's shows it."""
    agent = make_agent()
    lease = agent.call("lease.issue", secret="app")
    iam = client(cloud, "iam", cloud.management)
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName=lease["username"])["VirtualMFADevice"]
    seed = device["Base32StringSeed"]
    iam.enable_mfa_device(UserName=lease["username"], SerialNumber=device["SerialNumber"],
                          AuthenticationCode1=totp(seed, time.time(), -1), AuthenticationCode2=totp(seed, time.time()))
    cloud.fault("DeleteVirtualMFADevice", "error", code="ServiceUnavailable", status=503, count=failures)
    agent.call("lease.revoke", lease_id=lease["lease_id"])
    agent.wait_no_users(60)
    assert iam.list_virtual_mfa_devices()["VirtualMFADevices"] == []


@pytest.mark.parametrize("action", ["DeleteAccessKey", "DeleteUser"])
def test_page_instead_of_an_answer(make_agent, cloud, action):
    """Status 200 is not AWS's word: a portal's page neither kills a key nor deletes a user."""
    agent = make_agent()
    lease = agent.call("lease.issue", secret="app")
    fault = cloud.fault(action, "garbage_html", status=200, count=-1)
    InBackground(agent, "lease.revoke", lease_id=lease["lease_id"])
    wait_until(lambda: len(cloud.calls(action)) >= 3, "some tries", 30)
    seen = agent.call("lease.get", lease_id=lease["lease_id"])
    assert seen["state"] == "revoking" and not seen["stuck"] and action in seen["error"], seen
    assert any(entry["id"] == fault for entry in cloud.faults())
    cloud.clear_faults()
    agent.wait_no_users(60)


@pytest.mark.slow
def test_conflict_among_other_failures(make_agent, cloud):
    """What lasts is told of also when calls fail otherwise in between, and calls do not pour."""
    agent = make_agent(options={"iam_rate": 50.0})
    lease = agent.call("lease.issue", secret="app")
    cloud.fault("ListGroupsForUser", "status", code=503, probability=0.4, count=-1, seed=3)
    cloud.fault("DeleteUser", "error", code="DeleteConflict", status=409, count=-1)
    mark = cloud.mark()
    agent.call("lease.revoke", lease_id=lease["lease_id"])
    wait_until(lambda: agent.call("agent.status")["stuck"] == 1, "stuck", 280, 0.5)
    assert len(cloud.log(mark)) < 500
    cloud.clear_faults()
    move_cloud(agent, 320)
    agent.wait_no_users(60)


def test_conflict_that_a_client_hurries(make_agent, cloud):
    """Asking again and again makes nothing last longer than it does."""
    agent = make_agent(options={"iam_rate": 100.0})
    lease = agent.call("lease.issue", secret="app")
    cloud.fault("DeleteUser", "error", code="DeleteConflict", status=409, count=-1)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with contextlib.suppress(RpcError):
            agent.call("lease.revoke", lease_id=lease["lease_id"])
    assert agent.call("agent.status")["stuck"] == 0
    assert len(cloud.calls("DeleteUser")) > 6
    cloud.clear_faults()
    agent.wait_no_users(60)
