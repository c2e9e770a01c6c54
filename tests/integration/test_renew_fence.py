# SPDX-License-Identifier: Apache-2.0
"""The fence of a renewal that came to nothing: it moves before the renewal is acknowledged, so it has to be put back."""
import contextlib
import time

import pytest

import methods
import metrics
from aws_client import allowed
from rpc import RpcError
from trouble import wait_until

ALLOW = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
LONG_S = 20 * 3600


@pytest.fixture
def box(agent):
    agent.secrets["app"]["policy_documents"] = [ALLOW]
    agent.write_config()
    agent.reload()
    return agent


def fence_end(cloud, lease):
    """From when on the fence denies, as the answers of the agent have times."""
    return methods.fence_end(cloud.users()[lease["username"]])


def puts(cloud, mark=0):
    return len(cloud.calls("PutUserPolicy", since=mark))


def wait_lowered(cloud, lease):
    wait_until(lambda: fence_end(cloud, lease) == lease["expires_at"], "the fence is at the end of the lease again", 15)


def wait_commits_rest(agent):
    """Waits until what is written lazily is written."""
    def rest():
        before = metrics.read(agent)["kms_store_commits_total"]
        time.sleep(0.5)
        return metrics.read(agent)["kms_store_commits_total"] == before
    wait_until(rest, "no more commits")


def renew_in_vain(agent, lease):
    with contextlib.suppress(Exception):
        agent.call("lease.renew", lease_id=lease["lease_id"], ttl_s=LONG_S)


@pytest.mark.parametrize("when", ["after", "before"])
def test_killed_in_a_renewal(box, cloud, when):
    """A minute's lease, a renewal to 20 hours, the agent is killed before it can answer."""
    lease = box.call("lease.issue", secret="app", ttl_s=60)
    cloud.fault("PutUserPolicy", "kill", pid=box.pid, when=when)
    renew_in_vain(box, lease)
    box.wait(10)
    assert (fence_end(cloud, lease) == lease["expires_at"]) == (when == "before")
    box.start()
    wait_lowered(cloud, lease)
    assert box.call("lease.get", lease_id=lease["lease_id"])["expires_at"] == lease["expires_at"]
    assert allowed(cloud, lease) == "yes"
    box.kill()
    cloud.clock(62)
    assert allowed(cloud, lease) == "AccessDenied"


@pytest.mark.hooks
def test_killed_before_the_record(box, cloud):
    box.restart(KMS_CRASH_AT="renew-fence:1")
    lease = box.call("lease.issue", secret="app", ttl_s=60)
    renew_in_vain(box, lease)
    box.wait(10)
    assert fence_end(cloud, lease) != lease["expires_at"]
    box.start()
    wait_lowered(cloud, lease)


@pytest.mark.hooks
def test_no_answer(box, cloud):
    """The fence moved and nobody said so. It is put back at once, and again when nothing late can come any more."""
    lease = box.call("lease.issue", secret="app", ttl_s=600)
    mark = cloud.mark()
    cloud.fault("PutUserPolicy", "cut_after")
    cloud.fault("PutUserPolicy", "error", code="AccessDenied", status=403, nth=2)
    with pytest.raises(RpcError) as error:
        box.call("lease.renew", lease_id=lease["lease_id"], ttl_s=LONG_S)
    assert error.value.code == "aws_denied"
    wait_lowered(cloud, lease)
    assert puts(cloud, mark) == 3
    for past_s in (70, 140, 300):
        cloud.clock(past_s)
        box.write_clock(past_s * 1000, past_s * 1000)
        cloud.wait_for_call("PutUserPolicy", 4, since=mark)
        time.sleep(1.5)
        assert puts(cloud, mark) == 4, "once more, and that was the last"
    assert box.call("lease.renew", lease_id=lease["lease_id"], ttl_s=1200)["expires_at"] == fence_end(cloud, lease)


@pytest.mark.hooks
def test_not_put_back_at_once(box, cloud):
    """AWS is away when the fence is to go back: it goes when AWS is there again."""
    lease = box.call("lease.issue", secret="app", ttl_s=600)
    cloud.fault("PutUserPolicy", "cut_after")
    cloud.fault("PutUserPolicy", "error", code="AccessDenied", status=403, nth=2, count=2)
    renew_in_vain(box, lease)
    box.wait_log("cannot be put back yet")
    assert fence_end(cloud, lease) != lease["expires_at"]
    box.pass_time(70)
    wait_lowered(cloud, lease)


def test_client_goes_away(box, cloud):
    """A client that hangs up while AWS is asked: what is recorded and what the fence says is the same."""
    lease = box.call("lease.issue", secret="app", ttl_s=600)
    mark = cloud.mark()
    cloud.fault("PutUserPolicy", "delay_after", ms=1500)
    with box.rpc() as rpc:
        rpc.send("lease.renew", {"lease_id": lease["lease_id"], "ttl_s": LONG_S})
        cloud.wait_for_call("PutUserPolicy", since=mark)
    assert fence_end(cloud, lease) != lease["expires_at"]
    wait_until(lambda: fence_end(cloud, lease) == box.call("lease.get", lease_id=lease["lease_id"])["expires_at"],
               "the fence is where the record is", 15)


def test_refused(box, cloud):
    """What AWS refused did not move the fence: nothing is put back."""
    lease = box.call("lease.issue", secret="app", ttl_s=600)
    cloud.fault("PutUserPolicy", "error", code="AccessDenied", status=403)
    mark = cloud.mark()
    with pytest.raises(RpcError) as error:
        box.call("lease.renew", lease_id=lease["lease_id"], ttl_s=LONG_S)
    assert error.value.code == "aws_denied"
    time.sleep(1.5)
    assert puts(cloud, mark) == 1 and fence_end(cloud, lease) == lease["expires_at"]


def test_renewal_that_goes_well(box, cloud):
    """One call and two commits: that the fence may be there, and the renewal."""
    lease = box.call("lease.issue", secret="app", ttl_s=600)
    box.wait_delivered(lease)
    wait_commits_rest(box)
    mark, commits = cloud.mark(), metrics.read(box)["kms_store_commits_total"]
    renewed = box.call("lease.renew", lease_id=lease["lease_id"], ttl_s=1200)
    made = metrics.read(box)["kms_store_commits_total"] - commits
    assert made == 2
    time.sleep(1.5)
    assert puts(cloud, mark) == 1 and fence_end(cloud, lease) == renewed["expires_at"]
