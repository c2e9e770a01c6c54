# SPDX-License-Identifier: Apache-2.0
"""Whose turn it is among the calls to AWS: what is most urgent first, nothing in a circle, nobody waiting for ever."""
import collections
import contextlib
import os
import subprocess
import sys
import threading
import time

import pytest

from methods import prepare, settings
from rpc import RpcError
from trouble import InBackground, wait_until

HOLDER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from rpc import Rpc
with Rpc(sys.argv[2]) as rpc:
    lease = rpc.call("lease.issue", secret="app", ttl_s=3600, bind=True)
    print(lease["access_key_id"], lease["bound"], flush=True)
    time.sleep(1000)
"""


def wide(make_agent):
    """An agent that takes many leases of a uid at once."""
    return make_agent(options={"max_leases_per_uid": 5000, "mint_rate_per_uid": 10000.0})


def set_rate(agent, rate):
    agent.options["iam_rate"] = rate
    agent.write_config()
    agent.reload()


def issue_until(agent, count, end):
    ids = []
    with agent.rpc(timeout_s=120) as rpc:
        for _ in range(count):
            ttl_s = int(end - time.monotonic())
            assert ttl_s >= 5, "the host is too slow for this test"
            ids.append(rpc.send("lease.issue", {"secret": "app", "ttl_s": ttl_s}))
            if len(ids) >= 12:
                rpc.wait(ids.pop(0))
        for number in ids:
            rpc.wait(number)


def deleted(cloud, key):
    return any(call["params"]["AccessKeyId"] == key for call in cloud.calls("DeleteAccessKey"))


@pytest.mark.slow
def test_exit_of_a_process_goes_before_expiries(make_agent, cloud):
    """Keys that have expired are stopped by their fence; that of a process which ended early is not."""
    agent = wide(make_agent)
    with subprocess.Popen([sys.executable, "-c", HOLDER, os.path.dirname(__file__), agent.socket],
                          stdout=subprocess.PIPE, text=True) as holder:
        key, bound = holder.stdout.readline().split()
        assert bound == "True"
        end = time.monotonic() + 20
        issue_until(agent, 150, end)
        set_rate(agent, 5.0)
        time.sleep(max(0, end - time.monotonic()) + 4)
        mark = cloud.mark()
        holder.kill()
    start = time.monotonic()
    wait_until(lambda: deleted(cloud, key), "the key of the process is dead", 60, 0.05)
    took_s = time.monotonic() - start
    assert len(cloud.calls("DeleteAccessKey", since=mark)) < 30, "expiries were waiting"
    assert took_s < 2, took_s
    set_rate(agent, 500.0)
    agent.wait_no_users(60)


def cpu_s(agent):
    with open(f"/proc/{agent.process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.hooks
def test_revocation_that_has_no_turn_before_the_deadline(make_agent, cloud):
    """Who asked hears that it is recorded; it comes in its turn, and waiting for it costs nothing."""
    agent = wide(make_agent)
    leases = [agent.call("lease.issue", secret="app", ttl_s=3600) for _ in range(40)]
    set_rate(agent, 0.6)
    clients = [agent.rpc(timeout_s=30) for _ in range(4)]
    asked = [(clients[i % 4], clients[i % 4].send("lease.revoke", {"lease_id": lease["lease_id"]}))
             for i, lease in enumerate(leases)]
    wait_until(lambda: all(agent.call("lease.get", lease_id=lease["lease_id"])["state"] != "active" for lease in leases),
               "all are recorded")
    agent.pass_time(60)
    late = []
    for client, request in asked:
        try:
            client.wait(request)
        except RpcError as error:
            assert error.code == "timeout" and "turn" in error.message and "goes on" in error.hint, error
            late.append(error)
    assert len(late) > 30
    before = cpu_s(agent)
    time.sleep(2)
    assert cpu_s(agent) - before < 0.5
    set_rate(agent, 500.0)
    agent.wait_no_users(60)


@pytest.mark.slow
def test_refused_credentials_are_not_asked_in_a_circle(make_agent, cloud):
    """The role is gone: AWS refuses the session that is left of it, and gives no other."""
    agent = make_agent(start=False)
    prepare(agent, {"it": settings(agent, "assume-role", "iam-user")})
    agent.start()
    leases = [agent.call("lease.issue", secret="it", ttl_s=8) for _ in range(3)]
    agent.wait_delivered(*leases)
    cloud.fault("DeleteAccessKey", "error", code="InvalidClientTokenId", status=403, count=-1)
    cloud.fault("AssumeRole", "error", code="AccessDenied", status=403, count=-1)
    cloud.wait_for_call("DeleteAccessKey", 3, timeout_s=20)
    wait_until(lambda: all(agent.call("lease.get", lease_id=lease["lease_id"])["stuck"] for lease in leases), "stuck")
    mark = cloud.mark()
    time.sleep(65)  # the next attempts, of which the first is a minute after the one before
    assert 0 < len(cloud.calls("DeleteAccessKey", since=mark)) <= 9
    assert len(cloud.calls("AssumeRole", since=mark)) <= 9


class Renewals:
    """A holder that keeps many renewals of its lease on their way."""

    def __init__(self, agent, lease_id, connections=4, depth=15):
        self.stopped, self.answers = False, collections.Counter()
        self.threads = [threading.Thread(target=self.run, args=(agent, lease_id, depth), daemon=True)
                        for _ in range(connections)]

    def run(self, agent, lease_id, depth):
        with agent.rpc() as rpc:
            for _ in range(depth):
                rpc.send("lease.renew", {"lease_id": lease_id, "ttl_s": 3600})
            while not self.stopped:
                _, error, _ = rpc.receive()
                self.answers[error["code"] if error else "ok"] += 1
                rpc.send("lease.renew", {"lease_id": lease_id, "ttl_s": 3600})

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped = True
        for thread in self.threads:
            thread.join(10)


def test_revocation_of_a_lease_that_is_renewed_all_the_time(make_agent, cloud):
    """A holder that asks for renewals without end does not keep its lease."""
    agent = make_agent(options={"iam_rate": 5.0})
    lease = agent.call("lease.issue", secret="app")
    agent.wait_lease(lease["lease_id"], "active")
    with Renewals(agent, lease["lease_id"]) as renewals:
        wait_until(lambda: renewals.answers["busy"] > 100, "the lease is busy", 20, 0.05)
        start = time.monotonic()
        agent.call("lease.revoke", lease_id=lease["lease_id"])
        took_s = time.monotonic() - start
        assert deleted(cloud, lease["access_key_id"])
        wait_until(lambda: renewals.answers["lease_ended"], "renewals are refused", 10, 0.05)
    assert took_s < 2, (renewals.answers, took_s)
    agent.wait_no_users(60)


def test_exit_of_a_process_that_renews_all_the_time(make_agent, cloud):
    agent = make_agent(options={"iam_rate": 5.0})
    with subprocess.Popen([sys.executable, "-c", HOLDER, os.path.dirname(__file__), agent.socket],
                          stdout=subprocess.PIPE, text=True) as holder:
        key, _ = holder.stdout.readline().split()
        lease_id = agent.leases()[0]["lease_id"]
        with Renewals(agent, lease_id) as renewals:
            wait_until(lambda: renewals.answers["busy"] > 100, "the lease is busy", 20, 0.05)
            holder.kill()
            start = time.monotonic()
            wait_until(lambda: deleted(cloud, key), "the key of the process is dead", 20, 0.05)
            took_s = time.monotonic() - start
    assert took_s < 2, took_s
    agent.wait_no_users(60)


@pytest.mark.parametrize("how", ["client", "expiry"])
def test_renewal_without_a_thread_keeps_nothing(make_agent, cloud, how):
    """Mints that hang have all threads of their kind; a renewal behind them does not keep its lease from dying."""
    agent = make_agent(options={"iam_rate": 500.0, "mint_rate_per_uid": 10000.0})
    lease = agent.call("lease.issue", secret="app", ttl_s=1800 if how == "client" else 12)
    end = time.monotonic() + 12
    agent.wait_delivered(lease)
    cloud.fault("CreateUser", "hang_before", count=-1)
    mints = [InBackground(agent, "lease.issue", secret="app") for _ in range(40)]
    wait_until(lambda: len(cloud.calls("CreateUser")) >= 16, "the lane is full")
    renewal = InBackground(agent, "lease.renew", lease_id=lease["lease_id"], ttl_s=1800)
    time.sleep(0.5)
    assert renewal.thread.is_alive(), "it waits"
    if how == "client":
        end = time.monotonic()
        agent.call("lease.revoke", lease_id=lease["lease_id"])
    wait_until(lambda: deleted(cloud, lease["access_key_id"]), "the key is dead", 60, 0.05)
    assert time.monotonic() - end < 2
    with pytest.raises(RpcError, match="is being revoked"):
        renewal.wait(10)
    cloud.clear_faults()
    for mint in mints:
        with contextlib.suppress(RpcError):
            mint.wait(60)


@pytest.mark.slow
def test_many_revocations_of_one_lease(make_agent, cloud):
    """While AWS hangs each of them takes its turn: whoever waits is told so in time."""
    agent = make_agent()
    agent.wait_identities()
    lease = agent.call("lease.issue", secret="app")
    agent.wait_delivered(lease)
    cloud.fault("*", "hang_before", count=-1, service="iam")
    start, answers = time.monotonic(), []

    def revoke():
        with agent.rpc(timeout_s=150) as rpc, pytest.raises(RpcError) as refused:
            rpc.call("lease.revoke", lease_id=lease["lease_id"])
        answers.append((time.monotonic() - start, str(refused.value)))

    threads = [threading.Thread(target=revoke, daemon=True) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(150)
    assert len(answers) == 12 and max(answers)[0] < 70, answers
    assert "waits for its turn" in max(answers)[1]
    cloud.clear_faults()
    agent.wait_no_users(70)
