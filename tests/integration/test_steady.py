# SPDX-License-Identifier: Apache-2.0
"""What an operator may do at any time, and what may run short, while leases end: reloads, restarts, no descriptors
left. And how long a client waits for its key to be dead."""
import contextlib
import os
import resource
import select
import statistics
import time
from datetime import datetime

import msgpack
import pytest

from cli import kmsctl
from rpc import RpcError
from trouble import wait_until

RELOADS = int(os.environ.get("KMS_RELOADS", "100"))
RESTARTS = int(os.environ.get("KMS_RESTARTS", "10"))


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def deaths(cloud):
    """When each key died, by this host's clock."""
    dead = {}
    for call in cloud.calls("DeleteAccessKey"):
        if call["error_code"] is None:
            dead.setdefault(call["params"]["AccessKeyId"], instant(call["wall"]))
    return dead


def end_of(lease):
    """Created (the id's time) and the TTL; issued_at has whole seconds only."""
    return int(lease["lease_id"].replace("-", "")[:12], 16) / 1000 + lease["granted_ttl_s"]


def check_deaths(cloud, leases, late_s):
    dead = deaths(cloud)
    for lease in leases:
        assert lease["access_key_id"] in dead, f"lost: {lease['lease_id']}"
        late = dead[lease["access_key_id"]] - end_of(lease)
        assert -0.05 <= late <= late_s, f"{late:.2f} s late"


@pytest.mark.slow
def test_reloads_lose_nothing(make_agent, cloud):
    """Reloads under load, bad ones between: no request fails, every lease ends on time."""
    agent = make_agent(options={"mint_rate_per_uid": 10000.0, "max_leases_per_uid": 10000})
    leases = []
    for number in range(RELOADS):
        if number % 10 == 9:
            agent.write_file("secrets.d/bad.conf", 'secret: { bad: { method = "none" } }\n')
            with pytest.raises(RpcError) as error:
                agent.call("agent.reload")
            assert error.value.code == "config_invalid"
            os.unlink(f"{agent.path}/secrets.d/bad.conf")
        agent.call("agent.reload")
        leases.append(agent.call("lease.issue", secret="app", ttl_s=5 + number % 7))
    wait_until(lambda: {lease["access_key_id"] for lease in leases} <= set(deaths(cloud)), "all dead", 25)
    check_deaths(cloud, leases, 2)
    assert len(agent.call("secret.list")["secrets"]) == 2


@pytest.mark.slow
def test_restarts_lose_nothing(make_agent, cloud):
    """Stopped, or killed, and started again while leases end."""
    agent = make_agent(options={"mint_rate_per_uid": 10000.0})
    leases, down = [], []
    for number in range(RESTARTS):
        leases += [agent.call("lease.issue", secret="app", ttl_s=ttl_s) for ttl_s in (5, 6 + number % 5, 30)]
        agent.wait_delivered(*leases[-3:])
        start = time.time()
        agent.kill() if number % 2 else agent.stop()
        agent.start()
        down.append((start, time.time()))
    wait_until(lambda: {lease["access_key_id"] for lease in leases} <= set(deaths(cloud)), "all dead", 45)
    # What ended while the agent was away is late by that: no start takes longer than the promise gives.
    print(f"away for {max(end - start for start, end in down):.2f} s at most")
    check_deaths(cloud, leases, 2 + max(end - start for start, end in down))
    agent.wait_no_users(20)


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_no_descriptors_left(agent, cloud):
    """RLIMIT_NOFILE is used up by connections: the agent does not spin, revocations go on, and it accepts again as
    soon as there is room."""
    lease = agent.call("lease.issue", secret="app", ttl_s=8)
    used = len(os.listdir(f"/proc/{agent.pid}/fd"))
    resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (used + 6, used + 6))
    crowd = [agent.rpc() for _ in range(24)]
    wait_until(lambda: len(os.listdir(f"/proc/{agent.pid}/fd")) >= used + 5, "descriptors are used up")
    before, start = cpu_s(agent.pid), time.monotonic()
    wait_until(lambda: lease["access_key_id"] in deaths(cloud), "dead on time", 12)
    check_deaths(cloud, [lease], 2)
    time.sleep(max(0, 10 - (time.monotonic() - start)))
    share = (cpu_s(agent.pid) - before) / (time.monotonic() - start)
    assert share <= 0.05, f"{share:.0%} of a processor"
    for connection in crowd:
        connection.close()
    start = time.monotonic()
    assert agent.call("agent.status")["pid"] == agent.pid
    assert time.monotonic() - start <= 1


@pytest.mark.slow
def test_bound_leases_leave_descriptors(make_agent, cloud):
    """Bound leases take one descriptor each while their process lives. They are refused, before anything is made, while
    enough are left: for a lease that ends on time beside a crowd, when AWS has closed the connections, and for kmsctl."""
    agent = make_agent(start=False, options={"mint_rate_per_uid": 10000.0, "max_leases_per_uid": 2000})
    agent.start(prefix=("prlimit", "--nofile=600:600"))
    bound = []
    with agent.rpc() as rpc, pytest.raises(RpcError) as error:
        while len(bound) < 600:
            bound.append(rpc.call("lease.issue", secret="app", bind=True))
    assert error.value.code == "limit_reached" and "LimitNOFILE" in str(error.value)
    assert len(bound) >= 100 and len(cloud.users()) == len(bound)

    lease = agent.call("lease.issue", secret="app", ttl_s=8)
    crowd = [agent.rpc() for _ in range(60)]
    assert len(os.listdir(f"/proc/{agent.pid}/fd")) <= 600 - 256
    cloud.fault("*", "cut_before", count=1)
    assert kmsctl(agent, "status").returncode == 0
    wait_until(lambda: lease["access_key_id"] in deaths(cloud), "dead on time", 12)
    check_deaths(cloud, [lease], 2)
    for connection in crowd:
        connection.close()

    def binds():
        try:
            bound.append(agent.call("lease.issue", secret="app", bind=True))
        except RpcError as refused:
            assert refused.code == "limit_reached"
            return False
        return True

    agent.call("lease.revoke", lease_id=bound.pop()["lease_id"])
    wait_until(binds, "room for one more", 10)
    assert not binds()
    for one in bound:
        agent.call("lease.revoke", lease_id=one["lease_id"])


def test_revocation_is_immediate(agent, cloud):
    """A client hears of the dead key within one call of AWS, which takes 50 ms here, and a little."""
    leases = [agent.call("lease.issue", secret="app") for _ in range(40)]
    cloud.fault("DeleteAccessKey", "delay", ms=50, count=-1)
    took = []
    with agent.rpc() as rpc:
        for lease in leases:
            start = time.monotonic()
            rpc.call("lease.revoke", lease_id=lease["lease_id"])
            took.append(time.monotonic() - start)
            assert lease["access_key_id"] in deaths(cloud)
            time.sleep(0.1)  # the clean-up of the one before
    own = sorted(value - 0.05 for value in took)
    print(f"beside AWS's 50 ms: p50 {statistics.median(own) * 1000:.1f} ms, max {own[-1] * 1000:.1f} ms")
    # The promise is 20 ms at p99; a check shares its processors and its sanitizers, so the median is held to it.
    assert statistics.median(own) <= 0.02 and own[int(0.9 * len(own))] <= 0.1, own


def test_slow_clients_cost_nothing(make_agent):
    """Three hundred connections that begin a message and send on at a byte a second, or say nothing: the first are cut
    after five seconds, and another client is served as ever."""
    agent = make_agent(options={"max_connections_per_uid": 1000})
    slow = [agent.rpc() for _ in range(150)]
    silent = [agent.rpc() for _ in range(150)]
    whole = msgpack.packb([0, 1, "agent.status", [{}]])
    begun = time.monotonic()
    took, sent, cut = [], 0, {}
    with agent.rpc() as good:
        while time.monotonic() - begun < 9:
            if time.monotonic() - begun >= sent and sent < len(whole) - 1:
                for connection in slow:
                    with contextlib.suppress(OSError):
                        connection.send_bytes(whole[sent:sent + 1])
                sent += 1
            for connection in slow:
                if connection not in cut and select.select([connection.socket], [], [], 0)[0]:
                    cut[connection] = time.monotonic() - begun
            start = time.monotonic()
            good.call("agent.status")
            took.append(time.monotonic() - start)
            time.sleep(0.02)
    assert len(cut) == len(slow), f"{len(slow) - len(cut)} slow ones still hold a connection"
    assert 4.5 <= min(cut.values()) and max(cut.values()) <= 7, (min(cut.values()), max(cut.values()))
    took.sort()
    print(f"{len(took)} requests: p50 {took[len(took) // 2] * 1000:.1f} ms, p99 {took[len(took) * 99 // 100] * 1000:.1f} ms")
    assert took[len(took) // 2] <= 0.02 and took[len(took) * 99 // 100] <= 0.2
    with silent[0] as connection:
        assert connection.call("agent.status")["pid"] == agent.pid, "idle ones have a minute"
    for connection in (*slow, *silent[1:]):
        connection.close()
