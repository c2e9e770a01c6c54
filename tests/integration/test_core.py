# SPDX-License-Identifier: Apache-2.0
"""No secret in a core: there is none; if root had one made all the same it would have no memory in it, and the memory of
the secrets least of all. Of the credentials that were handed out nothing is left in any other memory either."""
import os
import re
import resource
import shutil
import signal
import subprocess
import time

import pytest

from agent import AGENTD, SecretSearch
from trouble import wait_until

UNLIMITED = resource.RLIM_INFINITY
HEAP_KIB = 2048  # of the secrets
USER = 12345


def has_sanitizer():
    with open(AGENTD, "rb") as file:
        return b"__asan_init" in file.read()


def in_directory(path):
    """Words in front of a command: its core goes here, and may be as large as it likes."""
    return ("sh", "-c", 'cd "$0" && ulimit -c unlimited && exec "$@"', path)


def cores(path):
    return [name for name in os.listdir(path) if name.startswith("core")]


def mappings(pid):
    """(start, end, permissions, flags, KiB, name) of each mapping, proc_pid_smaps(5)."""
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as file:
        text = file.read()
    for part in re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", text)[1:]:
        head = part.split("\n", 1)[0].split(None, 5)
        start, end = (int(number, 16) for number in head[0].split("-"))
        flags = re.search(r"(?m)^VmFlags: (.*)$", part)[1].split()
        yield start, end, head[1], flags, (end - start) >> 10, head[5] if len(head) > 5 else ""


def other_memory(pid):
    """Every readable mapping but the locked ones."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, permissions, flags, kib, name in mappings(pid):
            # A sanitizer's shadow is terabytes of nothing, and what it marks as such; files are the programs.
            if "dd" in flags or permissions[0] != "r" or kib > 1 << 20 or name.startswith(("/", "[v")):
                continue
            for at in range(start, end, 1 << 20):
                try:
                    yield f"{name or 'anonymous'} {at:x}", os.pread(memory.fileno(), min(1 << 20, end - at), at)
                except OSError:
                    break


def end_by(agent, number):
    """The status of waitpid(2) after a signal."""
    agent.signal(number)
    end = time.monotonic() + 15
    pid, status = 0, 0
    while pid == 0:
        pid, status = os.waitpid(agent.pid, os.WNOHANG)
        assert pid != 0 or time.monotonic() < end, f"the agent lives on after signal {number}"
        time.sleep(0.01)
    agent.process.returncode = -number  # it was reaped here
    agent.process = None
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == number
    return status


@pytest.fixture(scope="module")
def machine_makes_cores(tmp_path_factory):
    """The proof of the others: a process without such care leaves a core here."""
    path = str(tmp_path_factory.mktemp("core"))
    process = subprocess.Popen([*in_directory(path), "sleep", "60"])
    wait_until(lambda: b"sleep" in open(f"/proc/{process.pid}/cmdline", "rb").read()[:6], "sleep runs")
    os.kill(process.pid, signal.SIGABRT)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = -signal.SIGABRT
    found = os.WCOREDUMP(status)
    shutil.rmtree(path, ignore_errors=True)
    return found


def raise_limit(pid):
    try:
        resource.prlimit(pid, resource.RLIMIT_CORE, (UNLIMITED, UNLIMITED))
    except PermissionError:
        pytest.skip("raising the limit of another process takes CAP_SYS_RESOURCE")


SIGNALS = [signal.SIGABRT, signal.SIGQUIT, signal.SIGSEGV]


@pytest.mark.parametrize("raised", [False, True], ids=["limit", "limit-raised-by-root"])
@pytest.mark.parametrize("number", SIGNALS, ids=[number.name for number in SIGNALS])
def test_no_core(make_agent, machine_makes_cores, number, raised):
    if number == signal.SIGSEGV and has_sanitizer():
        number = signal.SIGTRAP  # the sanitizer takes SIGSEGV for itself
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    agent = make_agent(start=False)
    agent.start(prefix=in_directory(agent.path) if hard == UNLIMITED else ())
    assert resource.prlimit(agent.pid, resource.RLIMIT_CORE) == (0, 0)
    if raised:
        raise_limit(agent.pid)
    agent.call("lease.issue", secret="session")
    status = end_by(agent, number)
    assert not os.WCOREDUMP(status)
    assert cores(agent.path) == []
    if hard == UNLIMITED:
        assert machine_makes_cores, "this proves nothing where nobody's core is kept: see core(5)"


def test_memory_of_secrets_is_locked_and_in_no_dump(agent):
    heaps = [flags for _, _, permissions, flags, kib, _ in mappings(agent.pid)
             if "dd" in flags and "lo" in flags and kib == HEAP_KIB and permissions == "rw-p"]
    assert len(heaps) == 1, list(mappings(agent.pid))


def test_cores_have_no_memory(agent):
    """core(5): no kind of mapping is wanted."""
    with open(f"/proc/{agent.pid}/coredump_filter", encoding="ascii") as file:
        assert int(file.read(), 16) == 0


@pytest.mark.root
def test_nothing_is_left_of_what_was_handed_out(agent, cloud):
    """A shared session is held, IAM users and sessions were made, listed, renewed and revoked."""
    agent.secrets["none"] = agent.session(share="none")
    agent.write_config()
    agent.reload()
    leases = [agent.call("lease.issue", secret=name) for name in ("app", "session", "none", "app", "session")]
    agent.call("lease.renew", lease_id=leases[0]["lease_id"], ttl_s=7200)
    agent.call("lease.renew", lease_id=leases[2]["lease_id"])
    agent.call("lease.list")
    agent.call("lease.revoke", lease_id=leases[0]["lease_id"])
    # libcurl keeps the management key beside each open connection; that one is only kept out of cores.
    secrets = [secret for secret in cloud.canaries()
               if len(secret) >= 20 and secret != cloud.management["secret_access_key"]]
    assert leases[1]["secret_access_key"] in secrets
    held = leases[1]["secret_access_key"].encode()
    search = SecretSearch(secrets)
    # The memory that is left out is where they are: else this search would prove nothing.
    with open(f"/proc/{agent.pid}/mem", "rb", buffering=0) as memory:
        assert any(held in os.pread(memory.fileno(), end - start, start)
                   for start, end, permissions, flags, kib, _ in mappings(agent.pid)
                   if "dd" in flags and "lo" in flags and permissions[0] == "r" and kib == HEAP_KIB)
    found = [name for name, data in other_memory(agent.pid) if search.found_in(data)]
    assert found == []


@pytest.mark.root
def test_same_user_cannot_look_into_it(make_agent):
    """PR_SET_DUMPABLE 0: /proc/PID/mem and environ are root's, and no debugger of the same user gets in."""
    agent = make_agent(start=False)
    subprocess.run(["chown", "-R", str(USER), agent.path], check=True)
    agent.start(prefix=("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"))
    with open(f"/proc/{agent.pid}/status", encoding="ascii") as file:
        assert re.search(rf"(?m)^Uid:\s+{USER}\s+{USER}", file.read())
    assert os.stat(f"/proc/{agent.pid}/mem").st_uid == 0
    for name in ("mem", "environ", "maps", "fd/0", "auxv"):
        looked = subprocess.run(["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "head", "-c1",
                                 f"/proc/{agent.pid}/{name}"], capture_output=True, text=True, check=False)
        assert looked.returncode != 0 and "Permission denied" in looked.stderr, (name, looked)
