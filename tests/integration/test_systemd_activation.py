# SPDX-License-Identifier: Apache-2.0
"""What the agent says to a service manager, and the socket it takes from one: systemd-socket-activate and a notify
socket of the test's own."""
import os
import shutil
import signal
import subprocess
import time

import pytest

from agent import AGENTD, Notify
from rpc import Rpc

ACTIVATE = shutil.which("systemd-socket-activate")
needs_activate = pytest.mark.skipif(ACTIVATE is None, reason="systemd-socket-activate is missing: apt-get install systemd")


def test_ready_and_stopping(agent):
    assert agent.notify.count("READY=1") == 1
    assert agent.notify.last("STATUS")
    assert agent.stop() == 0
    assert agent.notify.wait("STOPPING=1", timeout_s=2)


def test_ready_means_it_serves(make_agent):
    agent = make_agent(start=False).start()
    assert agent.call("agent.status")


def test_watchdog(make_agent):
    """Pings at half of WATCHDOG_USEC, and none once the loop hangs."""
    agent = make_agent(start=False).start(WATCHDOG_USEC="1000000")
    assert agent.notify.wait("WATCHDOG=1", 3, timeout_s=4)
    agent.signal(signal.SIGSTOP)
    time.sleep(0.2)
    before = agent.notify.count("WATCHDOG=1")
    time.sleep(1.5)
    after = agent.notify.count("WATCHDOG=1")
    agent.signal(signal.SIGCONT)
    assert after == before
    assert agent.notify.wait("WATCHDOG=1", after + 1, timeout_s=3)


def test_no_watchdog_no_ping(agent):
    time.sleep(1)
    assert agent.notify.count("WATCHDOG=1") == 0


def test_reload_messages(agent):
    agent.reload()
    assert agent.notify.count("RELOADING=1") == 1 and agent.notify.last("MONOTONIC_USEC")
    lines = agent.notify.messages
    assert lines.index("RELOADING=1") < len(lines) - 1 - lines[::-1].index("READY=1")


def activated(agent, **env):
    """Starts systemd-socket-activate, which runs the agent on the first connection."""
    agent.notify = agent.notify or Notify(f"{agent.path}/notify")
    settings = [f"--setenv={name}={value}" for name, value in agent.env(**env).items()]
    with open(agent.log_path, "ab") as log:
        agent.process = subprocess.Popen([ACTIVATE, "-l", agent.socket, "--fdname=agent", *settings, AGENTD, "--config",
                                          agent.config], env=agent.env(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    end = time.monotonic() + 5
    while not os.path.exists(agent.socket):
        assert time.monotonic() < end
        time.sleep(0.01)


@needs_activate
def test_socket_from_the_manager(make_agent):
    agent = make_agent(start=False, options={"socket": None})
    activated(agent)
    inode = os.stat(agent.socket).st_ino
    with Rpc(agent.socket) as rpc:  # the first connection starts the agent and waits for it
        assert rpc.call("agent.status")
        assert agent.notify.wait("READY=1")
        lease = rpc.call("lease.issue", secret="app")
        rpc.call("lease.revoke", lease_id=lease["lease_id"])
    agent.wait_no_users()
    assert agent.stop() == 0
    assert os.stat(agent.socket).st_ino == inode, "a socket of the manager is not the agent's to remove"


@needs_activate
def test_listen_variables_are_gone(make_agent):
    """LISTEN_* would lead a child astray, and other sockets than ours are refused."""
    agent = make_agent(start=False, options={"socket": None})
    activated(agent)
    with Rpc(agent.socket) as rpc:
        rpc.call("agent.status")
    with open(f"/proc/{agent.pid}/comm", encoding="utf-8") as file:
        assert file.read().strip() == "kms-agentd"
    flags = [line for line in open(f"/proc/{agent.pid}/fdinfo/3", encoding="utf-8") if line.startswith("flags:")]
    assert int(flags[0].split()[1], 8) & 0o2000000, "the socket is close-on-exec"
