# SPDX-License-Identifier: Apache-2.0
"""A store without room, and one whose disk fails: no revocation waits for space, no credential that was handed out is
forgotten. Full disks are small tmpfs (root)."""
import contextlib
import ctypes
import json
import os
import random
import shutil
import signal
import subprocess
import time

import pytest

from agent import AGENTD
from cli import kms_exec_start, kmsctl
from rpc import Closed, RpcError
from trouble import wait_until

KIB, MIB = 1 << 10, 1 << 20


def live_keys(cloud):
    return {key["id"] for user in cloud.users().values() for key in user["keys"] if not key.get("deleted")}


class SmallDisk:
    """A tmpfs under the state directory."""

    def __init__(self, agent, size):
        self.agent, self.filler = agent, f"{agent.state}/filler"
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", agent.state], check=True)

    def free(self):
        stat = os.statvfs(self.agent.state)
        return stat.f_bavail * stat.f_frsize

    def fill(self, leave):
        """Takes all but so many bytes; gives room back when there is less."""
        with open(self.filler, "ab") as file:
            size = max(0, os.fstat(file.fileno()).st_size + self.free() - leave)
            file.truncate(min(size, file.tell()))
            with contextlib.suppress(OSError):
                os.posix_fallocate(file.fileno(), 0, max(1, size))
        return self.free()

    def empty(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.filler)

    def remove(self):
        subprocess.run(["umount", "-l", self.agent.state], check=False)


@pytest.fixture
def small(make_agent, request):
    """small(size, map_size) -> (agent, disk)"""
    disks = []

    def make(size, map_size):
        agent = make_agent(start=False, options={"map_size": map_size, "max_leases_per_uid": 10000,
                                                   "mint_rate_per_uid": 10000.0})
        disks.append(SmallDisk(agent, size))
        return agent.start(), disks[-1]

    yield make
    for disk in disks:
        disk.empty()
    request.addfinalizer(lambda: [disk.remove() for disk in disks])


@pytest.mark.root
@pytest.mark.slow
def test_disk_full_at_fifty_points(small, cloud):
    """Room left from none to twice the reserve (1 MiB): issuing stops first, with a clear error; a revocation never."""
    agent, disk = small(12 * MIB, "16M")
    pick = random.Random(16)
    points = [0, 4 * KIB] + pick.sample(range(64 * KIB), 8) + sorted(pick.sample(range(2 * MIB), 40))
    held = [agent.call("lease.issue", secret="app") for _ in range(len(points))]
    refused = 0
    # The agent has allocated its reserve and a little more: that has to be used up first.
    disk.fill(0)
    with pytest.raises(RpcError) as error:
        for _ in range(5000):
            agent.call("lease.issue", secret="app")
    assert error.value.code == "store_full"
    for number, (point, lease) in enumerate(zip(points, held)):
        disk.fill(point)
        if number < 10:
            time.sleep(1.1)  # the agent measures once a second
        try:
            agent.call("lease.issue", secret="app")
        except RpcError as error:
            assert error.code == "store_full", error
            assert "full" in error.message or "space" in error.message, error.message
            refused += 1
        start = time.monotonic()
        agent.call("lease.revoke", lease_id=lease["lease_id"])
        assert lease["access_key_id"] not in live_keys(cloud)
        agent.wait_lease(lease["lease_id"], "revoked", 5)
        assert time.monotonic() - start < 5
        assert agent.alive(), "no SIGBUS"
    assert refused, "no point was full enough"
    print(f"{refused} of {len(points)} points refused to issue")
    disk.empty()
    start = time.monotonic()
    wait_until(lambda: agent.call("agent.status")["ready"], "ready after space came back", 3)
    agent.call("lease.issue", secret="app")
    assert time.monotonic() - start < 3
    made = {call["params"]["UserName"] for call in cloud.calls("CreateUser")}
    known = json.loads(kmsctl(agent, "leases", "--all", "--json").stdout)["leases"]
    assert made == {lease["username"] for lease in known}, "no mint without a record"
    while cloud.users():
        agent.call("lease.revoke", secret="app", all=True)


@pytest.mark.root
def test_expiry_on_a_full_disk_and_a_start_on_one(small, cloud):
    agent, disk = small(16 * MIB, "32M")
    start = time.monotonic()
    first = agent.call("lease.issue", secret="app", ttl_s=5)
    second = agent.call("lease.issue", secret="app", ttl_s=8)
    disk.fill(0)
    wait_until(lambda: first["access_key_id"] not in live_keys(cloud), "dead on time", 7)
    assert time.monotonic() - start >= 4.5
    agent.wait_lease(first["lease_id"], "revoked", 5)
    agent.kill()
    agent.start()
    assert agent.call("agent.status")["ready"] is False
    wait_until(lambda: second["access_key_id"] not in live_keys(cloud), "dead on time", 10)
    agent.wait_lease(second["lease_id"], "revoked", 5)
    disk.empty()
    wait_until(lambda: agent.call("agent.status")["ready"], "ready", 3)


class PinnedReader:
    """Another process's read transaction (liblmdb through ctypes in a child): freed pages cannot be used again."""

    CODE = """
import ctypes, sys
lib = ctypes.CDLL("liblmdb.so.0")
env, txn = ctypes.c_void_p(), ctypes.c_void_p()
RDONLY = 0x20000
assert lib.mdb_env_create(ctypes.byref(env)) == 0
assert lib.mdb_env_set_mapsize(env, ctypes.c_size_t(int(sys.argv[2]))) == 0
assert lib.mdb_env_open(env, sys.argv[1].encode(), RDONLY, 0o600) == 0
assert lib.mdb_txn_begin(env, None, RDONLY, ctypes.byref(txn)) == 0
print("pinned", flush=True)
sys.stdin.read()
"""

    def __init__(self, agent, map_size):
        self.process = subprocess.Popen(["/usr/bin/python3", "-c", self.CODE, agent.state, str(map_size)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "pinned\n"

    def end(self):
        self.process.stdin.close()
        self.process.wait(5)


def has_lmdb():
    try:
        return ctypes.CDLL("liblmdb.so.0")
    except OSError:
        return None


def test_map_full_beside_a_pinned_reader(make_agent, cloud):
    """Issuing stops before the reserve, here 2 MiB or some 40 commits; what is held can still be revoked; when the
    reader goes there is room again."""
    assert has_lmdb(), "the agent links it"
    agent = make_agent(options={"map_size": "32M", "mint_rate_per_uid": 10000.0})
    reader = PinnedReader(agent, 32 * MIB)
    try:
        held = []
        with pytest.raises(RpcError) as error:
            for _ in range(2000):
                lease = agent.call("lease.issue", secret="app")
                held.append(lease)
                if len(held) > 4:
                    agent.call("lease.revoke", lease_id=held.pop(0)["lease_id"])
        assert error.value.code == "store_full" and error.value.message
        assert agent.call("agent.status")["ready"] is False
        start = time.monotonic()
        for lease in held:
            agent.call("lease.revoke", lease_id=lease["lease_id"])
            assert lease["access_key_id"] not in live_keys(cloud)
        print(f"{len(held)} keys dead in {time.monotonic() - start:.2f} s with the map full")
        agent.wait_no_users(20)
    finally:
        reader.end()
    wait_until(lambda: agent.call("agent.status")["ready"], "room again when the reader is gone", 5)
    agent.call("lease.issue", secret="app")


def use_up_the_reserve(agent, lease):
    """Renews until not even that can be recorded: beside a pinned reader each commit takes pages for good."""
    with pytest.raises(RpcError) as error:
        for ttl_s in range(3600, 3600 + 3000):
            agent.call("lease.renew", lease_id=lease["lease_id"], ttl_s=ttl_s)
    assert error.value.code == "store_full", error.value
    return error.value


def test_revocations_without_a_record(make_agent, cloud):
    """A foreign reader pins pages until even the reserve is used up: keys die on time by a client's revocation, by
    expiry and by the end of a process, over a crash too; nothing is issued or renewed; the records are made good when
    the reader has gone."""
    agent = make_agent(options={"map_size": "8M", "mint_rate_per_uid": 10000.0, "max_leases_per_uid": 1000})
    asked = agent.call("lease.issue", secret="app")
    spare = agent.call("lease.issue", secret="app")
    filler = agent.call("lease.issue", secret="app", ttl_s=3600)
    session = agent.call("lease.issue", secret="session")
    child = kms_exec_start(agent, "-s", "app", "sleep", "300")
    bound = wait_until(lambda: [lease for lease in agent.leases() if lease.get("bound")], "bound")[0]
    expiring = [agent.call("lease.issue", secret="app", ttl_s=20) for _ in range(5)]
    ends = time.monotonic() + 20
    reader = PinnedReader(agent, 8 * MIB)
    try:
        use_up_the_reserve(agent, filler)
        assert time.monotonic() < ends - 4, "too slow a machine for this test"
        answer = agent.call("lease.revoke", lease_id=asked["lease_id"])
        assert answer["state"] == "revoking"
        assert asked["access_key_id"] not in live_keys(cloud)
        assert agent.call("lease.get", lease_id=asked["lease_id"])["state"] == "revoking"
        with pytest.raises(RpcError) as error:
            agent.call("lease.renew", lease_id=asked["lease_id"])
        assert error.value.code == "lease_ended", error.value
        assert agent.call("lease.revoke", lease_id=session["lease_id"])["state"] == "revoked"
        with pytest.raises(RpcError) as error:
            agent.call("lease.issue", secret="session")
        assert error.value.code == "store_full"
        child.kill()
        child.wait()
        wait_until(lambda: bound["access_key_id"] not in live_keys(cloud), "dead with its process", 5)
        dead = {lease["access_key_id"] for lease in expiring}
        assert dead <= live_keys(cloud), "none early"
        wait_until(lambda: not dead & live_keys(cloud), "dead on time", ends - time.monotonic() + 3)
        assert time.monotonic() > ends - 2
        status = agent.call("agent.status")
        assert status["ready"] is False
        assert status["store"]["unrecorded"] == 8, status
        assert status["store"]["reader_pid"] == reader.process.pid, status
        assert f"process {reader.process.pid} " in agent.log()
        assert str(reader.process.pid) in kmsctl(agent, "status").stdout
        # What was in memory only is found again: due rows at once, what a client asked for is dead anyhow.
        agent.kill()
        agent.start()
        wait_until(lambda: agent.call("agent.status")["store"]["unrecorded"] >= 5, "held again", 10)
        assert agent.call("lease.revoke", lease_id=spare["lease_id"])["state"] == "revoking"
        assert spare["access_key_id"] not in live_keys(cloud)
    finally:
        reader.end()
    wait_until(lambda: agent.call("agent.status")["ready"], "room again when the reader is gone", 5)
    wait_until(lambda: agent.call("agent.status")["store"]["unrecorded"] == 0, "recorded", 5)
    assert "reader_pid" not in agent.call("agent.status")["store"]
    for lease in (*expiring, spare, bound):
        agent.wait_lease(lease["lease_id"], "revoked", 20)
    for lease in (asked, session):  # the restart forgot these two revocations; their keys stayed dead
        agent.call("lease.revoke", lease_id=lease["lease_id"])
    agent.wait_lease(asked["lease_id"], "revoked", 20)
    reasons = {lease["lease_id"]: lease["reason"] for lease in agent.leases(state="revoked", limit=256)}
    assert {reasons[lease["lease_id"]] for lease in expiring} == {"expired"}
    assert reasons[bound["lease_id"]] == "peer_exit"
    events = [(line["event"], line["lease_id"]) for line in agent.call("audit.list", limit=256)["lines"]]
    for lease in expiring:
        assert events.count(("revoking", lease["lease_id"])) == events.count(("revoked", lease["lease_id"])) == 1
    agent.call("lease.revoke", lease_id=filler["lease_id"])
    agent.wait_no_users(20)


# a disk that fails

def traced(agent, inject, path):
    """Starts the agent under strace, which injects failures; leak checks do not work beside it."""
    agent.start(prefix=("strace", "-f", "-o", path, "-e", f"trace={inject.split(':')[0]}", "-e", f"inject={inject}"),
                wait=False, ASAN_OPTIONS="detect_leaks=0:" + os.environ.get("ASAN_OPTIONS", ""))
    ready = agent.notify.wait("READY=1", agent.notify.count("READY=1") + 1, 20, agent.alive)
    return ready


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize("call,numbers", [("fdatasync", range(1, 15)), ("pwrite64", range(1, 60, 4))],
                         ids=["fdatasync", "pwrite64"])
def test_eio_at_each_sync(make_agent, cloud, call, numbers):
    """EIO at the Nth sync, or write, of the data file: the agent exits at once, and after a restart every credential
    that was handed out has its record, and nothing else is left at AWS."""
    agent = make_agent()
    agent.call("lease.issue", secret="session")
    agent.stop()
    handed = {}
    failures = 0
    for n in numbers:
        ready = traced(agent, f"{call}:error=EIO:when={n}", f"{agent.path}/strace")
        with contextlib.suppress(Closed, OSError, RpcError):
            if ready:
                lease = agent.call("lease.issue", secret="app")
                handed[lease["lease_id"]] = lease
                kept = agent.call("lease.issue", secret="app")
                handed[kept["lease_id"]] = kept
                agent.call("lease.revoke", lease_id=lease["lease_id"])
                agent.call("lease.renew", lease_id=kept["lease_id"], ttl_s=7200)
        end = time.monotonic() + 3
        while agent.alive() and time.monotonic() < end:
            time.sleep(0.02)
        if agent.alive():  # fewer of these calls than n
            subprocess.run(["pkill", "-TERM", "-P", str(agent.pid)], check=False)
            agent.wait()
        else:
            assert agent.wait() != 0, "it exits, and says so"
            failures += 1
        agent.start()
        known = {lease["lease_id"]: lease for lease in agent.leases(state="any", limit=256)}
        for lease_id, lease in handed.items():
            assert lease_id in known, f"{call} {n}: a lease whose credential was handed out is lost"
        wait_until(lambda: {user["tags"]["kms-lease-id"] for user in cloud.users().values()} ==
                   {lease["lease_id"] for lease in agent.leases(state="active", limit=256)
                    if lease["secret"] == "app"},
                   lambda: f"{call} {n}: {list(cloud.users())} at AWS, {agent.leases()} here", 30)
        agent.stop()
    assert failures >= 4, f"only {failures} of the failures were met"
    print(f"{call}: {failures} failures, {len(handed)} credentials handed out")


def test_second_instance_ends_at_once(agent):
    other = f"{agent.path}/other.sock"
    start = time.monotonic()
    result = subprocess.run([AGENTD, "--config", agent.config, "--socket", other], capture_output=True, text=True,
                            timeout=10, check=False, env=agent.env())
    took = time.monotonic() - start
    assert result.returncode != 0 and took < 1.5, (result.returncode, took)
    assert "another" in result.stderr or "in use" in result.stderr or "already" in result.stderr, result.stderr
    agent.call("lease.issue", secret="app")
    agent.signal(signal.SIGTERM)
    assert agent.wait() == 0
    agent.start()
    assert len(agent.leases()) == 1
