# SPDX-License-Identifier: Apache-2.0
"""Clients that ask and do not read: what one uid can make the agent keep is bounded, and others notice nothing."""
import os
import re
import time

import pytest

from agent import AGENTD
from trouble import wait_until

MIB = 1 << 20
CONNECTIONS = 64
IN_FLIGHT = 16
LEASES = 200
# PROTOCOL.md: 4 MiB of answers for a uid, and an answer more for each connection.
GROWTH_MAX = 16 * MIB


def has_sanitizer():
    with open(AGENTD, "rb") as file:
        return b"__asan_init" in file.read()


def rss(agent):
    with open(f"/proc/{agent.pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read())[1]) * 1024


@pytest.fixture
def crowded(make_agent):
    """An agent with so many leases that a page of them is as long as pages get."""
    agent = make_agent(start=False, options={"mint_rate_per_uid": 1000.0, "sts_rate": 500.0})
    agent.secrets["session"] = agent.session(share="none")
    agent.write_config()
    agent.start()
    with agent.rpc() as rpc:
        for _ in range(LEASES // IN_FLIGHT + 1):
            asked = [rpc.send("lease.issue", {"secret": "session"}) for _ in range(IN_FLIGHT)]
            for msgid in asked:
                rpc.wait(msgid)
        assert len(rpc.call("lease.list", limit=256)["leases"]) > 150
    return agent


def ask_and_do_not_read(agent, method, params, count=IN_FLIGHT):
    """Connections that have sent so many requests each."""
    connections = [agent.rpc(timeout_s=60) for _ in range(CONNECTIONS - 1)]
    for rpc in connections:
        rpc.socket.setblocking(False)
        try:
            for _ in range(count):
                rpc.send(method, params)
        except BlockingIOError:
            pass  # the agent reads no more: that is what is asked for
    return connections


def settle(agent):
    """Waits until the agent works no more: its CPU time stands still."""
    def ticks():
        with open(f"/proc/{agent.pid}/stat", encoding="ascii") as file:
            return sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))

    def idle():
        before = ticks()
        time.sleep(0.5)
        return ticks() - before <= 1
    wait_until(idle, "the agent is idle", 60)


@pytest.mark.slow
def test_unread_lists(crowded):
    """Long answers: what does not fit is refused at once, and all that is asked for is answered."""
    agent, before = crowded, rss(crowded)
    connections = ask_and_do_not_read(agent, "lease.list", {"limit": 256})
    settle(agent)
    if not has_sanitizer():
        assert rss(agent) - before < GROWTH_MAX
    # The uid's own short requests are answered meanwhile, on a connection that is read.
    with agent.rpc(timeout_s=5) as rpc:
        assert rpc.call("agent.status")["live_leases"] >= LEASES
    lengths, codes = [], set()
    for rpc in connections:
        rpc.socket.settimeout(30)
        data = 0
        for _ in range(IN_FLIGHT):
            _, error, result = rpc.receive()
            codes.add(error["code"] if error else None)
            assert error is None or "4 MiB" in error["message"]
            data += len(result["leases"]) * 500 if result else 0
        lengths.append(data)
        rpc.close()
    assert codes == {None, "busy"}
    # What the agent kept and what the kernel took for it (208 KiB a socket), by an estimate of a row.
    assert sum(lengths) < GROWTH_MAX + CONNECTIONS * 212992, f"{sum(lengths) // MIB} MiB were made"
    assert len(agent.call("lease.list", limit=256)["leases"]) > 150


@pytest.mark.slow
@pytest.mark.parametrize("method,params", [("agent.status", None), ("secret.get", {"secret": "session"}),
                                           ("lease.steal", {}), ("lease.get", {"lease_id": "0" * 32})],
                         ids=["status", "get", "unknown", "no-lease"])
def test_unread_short_answers(agent, method, params):
    """Short answers: the agent stops reading."""
    before = rss(agent)
    connections = ask_and_do_not_read(agent, method, params, 20000)
    settle(agent)
    if not has_sanitizer():
        assert rss(agent) - before < GROWTH_MAX
    start = time.monotonic()
    with agent.rpc(timeout_s=5) as rpc:
        assert rpc.call("agent.status")["connections"] == CONNECTIONS
    assert time.monotonic() - start < 2
    for rpc in connections:
        rpc.close()


@pytest.mark.root
@pytest.mark.parametrize("method", ["lease.list", "agent.status"])
def test_other_uids_are_served(make_agent, method):
    """A uid that may have nothing asks without end and does not read; another gets its own at once."""
    agent = make_agent()
    child = os.fork()
    if child == 0:
        try:
            os.setresuid(12345, 12345, 12345)
            kept = ask_and_do_not_read(agent, method, None, 5000)
            time.sleep(60 + len(kept))
        finally:
            os._exit(0)
    try:
        times, connections = [], 0
        while len(times) < 50 or connections < CONNECTIONS:
            start = time.monotonic()
            agent.call("lease.list")
            times.append(time.monotonic() - start)
            connections = agent.call("agent.status")["connections"]
            assert len(times) < 5000, "the hostile uid is there"
        assert max(times) < 1, sorted(times)[-10:]
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
