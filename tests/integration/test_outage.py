# SPDX-License-Identifier: Apache-2.0
"""AWS is away: nothing is given up, and after it has come back the first retry is no more than a minute off. The long
outages pass by the clocks of the agent and of the look-alike, which the tests move together."""
import contextlib
import time
from datetime import datetime

import pytest

import metrics
from aws_client import allowed, identity
from rpc import RpcError
from test_steady import end_of
from trouble import nudge, wait_until

STEP_S = 60
KINDS = ["reset", "black hole", "stop", "503", "throttle"]
LEASES = 3
AWAY_S = 18


class Outage:
    """One kind of outage of the look-alike."""

    def __init__(self, cloud, kind):
        self.cloud, self.kind = cloud, kind
        self.offset_s = 0
        self.mark = None
        self.over = False

    @property
    def hears(self):
        """Whether the look-alike's control API works now."""
        return self.over or self.kind not in ("black hole", "stop")

    def begin(self):
        self.mark = self.cloud.mark()
        if self.kind == "reset":
            self.cloud.fault("*", "cut_before", reset=True, count=-1)
        elif self.kind == "black hole":
            self.cloud.pause()
        elif self.kind == "stop":
            self.cloud.away(AWAY_S)
            self.back = time.monotonic() + AWAY_S
        elif self.kind == "503":
            self.cloud.fault("*", "status", code=503, xml=False, count=-1)
        else:
            self.cloud.fault("*", "error", code="Throttling", message="Rate exceeded", status=400, count=-1)

    def pass_time(self, agent, offset_s):
        """Time passes for both."""
        self.offset_s = offset_s
        if self.hears:
            self.cloud.clock(offset_s)
        agent.write_clock(offset_s * 1000, offset_s * 1000)

    def end(self):
        """Returns the number of a call of before, for log(since): none of those after it was answered meanwhile, and the
        agent may be quicker than the control API."""
        if self.hears:
            self.mark = self.cloud.mark()
        if self.kind == "black hole":
            self.cloud.resume()
        elif self.kind == "stop":
            time.sleep(max(0, self.back - time.monotonic()) + 0.1)
            wait_until(lambda: answers(self.cloud), "the look-alike is back", 10)
        else:
            self.cloud.clear_faults()
        self.over = True
        self.cloud.clock(self.offset_s)
        return self.mark


def answers(cloud):
    with contextlib.suppress(OSError):
        cloud.mark()
        return True
    return False


def worked(call):
    return call["status"] in (200, 404)


def wall(call):
    """When a logged call came, by this host's clock."""
    return datetime.fromisoformat(call["wall"].replace("Z", "+00:00")).timestamp()


def attempts(agent):
    return sum(value for name, value in metrics.read(agent).items()
               if isinstance(name, tuple) and name[0] == "kms_revocation_failures_total")


def overdue(agent):
    return metrics.read(agent)["kms_leases_overdue"]


@pytest.fixture
def resumed(cloud):
    """Whatever happens the look-alike runs again."""
    yield
    cloud.resume()
    end = time.monotonic() + AWAY_S + 5
    while not answers(cloud):
        assert time.monotonic() < end, "the look-alike does not come back"
        time.sleep(0.1)


@pytest.mark.hooks
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("simulated_s", [60, 15 * 60, 26 * 3600], ids=["1 min", "15 min", "26 h"])
def test_outage(agent, cloud, resumed, kind, simulated_s):
    outage = Outage(cloud, kind)
    issued = time.monotonic()
    leases = [agent.call("lease.issue", secret="app", ttl_s=5) for _ in range(LEASES)]
    agent.call("lease.issue", secret="app", ttl_s=86000)
    outage.begin()
    # Due in the outage: the gauge of overdue leases says so within five seconds.
    wait_until(lambda: overdue(agent) == LEASES, "the gauge rises", 5 + 5 - (time.monotonic() - issued))
    assert time.monotonic() - issued >= 4.9, "overdue before their end"
    wait_until(lambda: sum(lease["attempts"] > 0 for lease in agent.leases(state="revoking")) == LEASES,
               lambda: f"a first attempt of each: {agent.leases()}", 25)
    # Time passes in steps of a minute, so that all retries come to their longest wait.
    for step in range(1, min(12 if outage.hears else 2, simulated_s // STEP_S) + 1):
        before = attempts(agent)
        outage.pass_time(agent, step * STEP_S)
        if outage.hears:
            wait_until(lambda: attempts(agent) >= before + LEASES, "a try in each minute", 10)
    outage.pass_time(agent, simulated_s)
    states = [lease for lease in agent.leases(state="revoking")]
    assert len(states) == LEASES and not any(lease.get("stuck") for lease in states), "nothing is given up"
    assert agent.call("agent.status")["overdue_s"] >= min(simulated_s, 60) - 5
    assert agent.call("agent.status")["stuck"] == 0
    mark = outage.end()
    # After recovery the first retry is at most 60 s off, of the time that passes for the agent.
    begin_s, start = outage.offset_s, time.monotonic()
    while not [call for call in cloud.calls("DeleteAccessKey", since=mark) if call["answered"] and worked(call)]:
        late_s = outage.offset_s - begin_s + time.monotonic() - start
        assert late_s <= 60, f"no retry within {late_s} s"
        if time.monotonic() - start > 1:
            outage.pass_time(agent, outage.offset_s + 5)
        time.sleep(0.3)
    end = time.monotonic() + 30
    while len(cloud.users()) > (1 if simulated_s < 86000 else 0):
        assert time.monotonic() < end, (cloud.users(), agent.log()[-3000:])
        outage.pass_time(agent, outage.offset_s + 5)
        time.sleep(0.3)
    for lease in leases:
        agent.wait_lease(lease["lease_id"], "revoked")  # its user goes before the record says so
        assert identity(cloud, lease) == "InvalidClientTokenId"
    wait_until(lambda: overdue(agent) == 0, "no lease is overdue any more", 10)


@pytest.mark.hooks
def test_fence_holds_in_an_outage_of_the_agents_way_only(agent, cloud):
    """The agent cannot reach AWS, others can: from the end on all is denied."""
    lease = agent.call("lease.issue", secret="app", ttl_s=5)
    cloud.fault("DeleteAccessKey", "cut_before", count=-1)
    cloud.fault("PutUserPolicy", "cut_before", count=-1)
    time.sleep(6.2)
    assert identity(cloud, lease).startswith("arn:"), "the key is there"
    assert allowed(cloud, lease) == "AccessDenied", "and good for nothing"


@pytest.mark.parametrize("kind", ["reset", "503", "throttle"])
def test_a_mint_in_an_outage_fails_in_time_and_leaves_nothing(agent, cloud, kind):
    outage = Outage(cloud, kind)
    outage.begin()
    start = time.monotonic()
    with pytest.raises(RpcError) as error:
        agent.call("lease.issue", secret="app")
    assert error.value.code in ("aws_unavailable", "aws_throttled") and time.monotonic() - start < 60
    outage.end()
    agent.wait_no_users(60)


# the clock

def answered_by_itself(cloud, mark):
    return [call for call in cloud.calls("GetCallerIdentity", since=mark) if call["answered"]]


HOUR, YEAR = 3600, 365 * 86400


@pytest.mark.hooks
@pytest.mark.parametrize("jump_s", [HOUR, -HOUR, YEAR, -10 * YEAR], ids=["+1 h", "-1 h", "+1 y", "-10 y"])
def test_clock_jump(agent, cloud, jump_s):
    """The host's clock jumps, AWS's does not: no lease dies early, none late, and the agent asks for the time."""
    longer = agent.call("lease.issue", secret="app", ttl_s=3600)
    short = agent.call("lease.issue", secret="app", ttl_s=8)
    end = end_of(short)
    mark = cloud.mark()
    time.sleep(1)
    agent.write_clock(jump_s * 1000)
    wait_until(lambda: answered_by_itself(cloud, mark), "the agent asks AWS for the time by itself", 3)
    wait_until(lambda: abs(agent.call("agent.status").get("clock_offset_ms", 0) + jump_s * 1000) < 2500, "the offset", 3)
    call = cloud.wait_for_call("DeleteAccessKey", since=mark, timeout_s=12)[0]
    assert call["params"]["UserName"] == short["username"]
    late_s = wall(call) - end
    print(f"late by {late_s:.2f} s")
    assert -0.1 <= late_s <= 2, late_s
    agent.wait_lease(short["lease_id"], "revoked")
    assert agent.call("lease.get", lease_id=longer["lease_id"])["state"] == "active"
    assert longer["username"] in cloud.users()
    with pytest.raises(RpcError) as error:
        agent.call("lease.issue", secret="app")
    assert error.value.code == "clock_skew"
    # And back.
    agent.write_clock(0)
    wait_until(lambda: abs(agent.call("agent.status").get("clock_offset_ms", 10**9)) < 2500, "the offset", 3)
    agent.call("lease.issue", secret="app")
    assert {call["params"]["UserName"] for call in cloud.calls("DeleteAccessKey")} == {short["username"]}


@pytest.mark.hooks
def test_many_jumps(agent, cloud):
    lease = agent.call("lease.issue", secret="app", ttl_s=600)
    for jump_s in (HOUR, 0, -HOUR, YEAR, -10 * YEAR, 200, -200, 0) * 2:
        agent.write_clock(jump_s * 1000)
        time.sleep(0.2)
    time.sleep(0.5)
    assert agent.call("lease.get", lease_id=lease["lease_id"])["state"] == "active"
    assert cloud.calls("DeleteAccessKey") == []


@pytest.mark.hooks
def test_jump_while_aws_is_away(agent, cloud):
    """Nobody can say what time it is: leases that the new clock calls ended wait for AWS, not for the clock."""
    agent.call("lease.issue", secret="app", ttl_s=600)
    cloud.fault("*", "cut_before", reset=True, count=-1)
    agent.write_clock(YEAR * 1000)
    time.sleep(3)
    assert {lease["state"] for lease in agent.leases()} == {"active"}
    cloud.clear_faults()
    nudge(agent)
    time.sleep(0.5)
    assert {lease["state"] for lease in agent.leases()} == {"active"}
    assert cloud.calls("DeleteAccessKey") == []


def test_after_a_start_expiries_do_not_wait_a_minute(agent, cloud):
    """What ended while the agent was down: it asks AWS for the time by itself."""
    lease = agent.call("lease.issue", secret="app", ttl_s=5)
    agent.wait_delivered(lease, agent.call("lease.issue", secret="app", ttl_s=600))
    agent.kill()
    time.sleep(5.5)
    mark = cloud.mark()
    start = time.time()
    agent.start()
    call = cloud.wait_for_call("DeleteAccessKey", since=mark)[0]
    assert call["params"]["UserName"] == lease["username"]
    assert wall(call) - start < 3, wall(call) - start
    assert answered_by_itself(cloud, mark)[0]["seq"] < call["seq"]


def test_skew_of_aws_above_four_minutes(agent, cloud):
    """AWS's clock differs: mints are refused with the sentence, revocations go on, expiry is AWS's."""
    lease = agent.call("lease.issue", secret="app", ttl_s=1000)
    cloud.clock(241)
    nudge(agent)
    with pytest.raises(RpcError) as error:
        agent.call("lease.issue", secret="app")
    assert error.value.code == "clock_skew" and "behind AWS's" in error.value.message
    agent.call("lease.revoke", lease_id=lease["lease_id"])
    agent.wait_no_users(20)
    cloud.clock(230)
    nudge(agent)
    ends = agent.call("lease.issue", secret="app", ttl_s=600)["expires_at"]
    assert 825 <= datetime.fromisoformat(ends.replace("Z", "+00:00")).timestamp() - time.time() <= 832
