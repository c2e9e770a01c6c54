# SPDX-License-Identifier: Apache-2.0
"""The socket file is removed or replaced under a running agent."""
import contextlib
import os
import shutil
import signal
import socket
import stat
import sys
import time

import pytest

from rpc import Rpc
from trouble import wait_until

GONE = "was removed or replaced"


def can_connect(path):
    try:
        with Rpc(path, timeout_s=5) as rpc:
            return rpc.call("agent.status")["version"] != ""
    except OSError:
        return False


def wait_connects(agent, timeout_s=10):
    wait_until(lambda: can_connect(agent.socket), lambda: f"a client connects\n{agent.log()}", timeout_s)


def inode(path):
    return os.lstat(path).st_ino


@contextlib.contextmanager
def listening_instead(agent):
    """Somebody else's socket is there in place of the agent's, which is at no time missing: the agent could be quicker."""
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(f"{agent.path}/other")
        other.listen()
        os.rename(f"{agent.path}/other", agent.socket)
        yield


def test_removed(agent):
    """The agent makes it anew, with mode and group; who was connected stays so. One line in the log."""
    with agent.rpc() as old:
        for count in (1, 2):
            was = os.lstat(agent.socket)
            agent.signal(signal.SIGSTOP)  # it looks after its socket file now and then, maybe just now
            os.unlink(agent.socket)
            assert not can_connect(agent.socket)
            agent.signal(signal.SIGCONT)
            wait_connects(agent)
            now = os.lstat(agent.socket)
            assert (stat.S_IMODE(now.st_mode), now.st_gid) == (stat.S_IMODE(was.st_mode), was.st_gid)
            assert agent.log().count(GONE) == count
            assert old.call("agent.status")["connections"] >= 1
    assert agent.stop() == 0
    assert not os.path.exists(agent.socket)


def test_directory_comes_back(make_agent):
    """As tmpfiles or a careless script has it."""
    agent = make_agent(start=False)
    os.mkdir(f"{agent.path}/run", 0o755)
    agent.socket = agent.options["socket"] = f"{agent.path}/run/agent.sock"
    agent.write_config()
    agent.start()
    shutil.rmtree(f"{agent.path}/run")
    agent.wait_log("its directory must exist")
    time.sleep(5)
    assert agent.log().count(GONE) == 1, "told once"
    os.mkdir(f"{agent.path}/run", 0o755)
    wait_connects(agent)
    assert agent.log().count("made anew") == 1


def test_another_one_is_not_robbed(agent):
    """Somebody else listens there now. When that one has gone the agent takes the path back."""
    with listening_instead(agent):
        its = inode(agent.socket)
        agent.wait_log("somebody answers there")
        time.sleep(5)
        assert inode(agent.socket) == its
        assert agent.log().count(GONE) == 1, "told once"
    wait_connects(agent)


def test_end_leaves_the_file_of_another(agent):
    with listening_instead(agent):
        assert agent.stop() == 0
        assert os.path.exists(agent.socket)


def test_something_else_is_in_the_way(agent):
    agent.write_file("other", "kept")
    os.rename(f"{agent.path}/other", agent.socket)
    agent.wait_log("something that is no socket is in the way")
    with open(agent.socket, encoding="ascii") as file:
        assert file.read() == "kept"
    os.symlink("/nowhere", f"{agent.path}/other")
    os.rename(f"{agent.path}/other", agent.socket)
    time.sleep(3)
    assert os.readlink(agent.socket) == "/nowhere"
    os.unlink(agent.socket)
    wait_connects(agent)


# As systemd passes a socket (sd_listen_fds(3)).
ACTIVATE = """
import os, socket, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen()
os.dup2(listening.fileno(), 3)
os.set_inheritable(3, True)  # it may have been 3 before
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.fixture
def activated(make_agent):
    """An agent whose socket was made by another."""
    agent = make_agent(start=False)
    return agent.start(prefix=(sys.executable, "-c", ACTIVATE, agent.socket))


def test_made_by_the_service_manager(activated):
    """It is not the agent's to make: one line says who has to, and those who are connected are served."""
    agent = activated
    assert can_connect(agent.socket)
    with agent.rpc() as old:
        os.unlink(agent.socket)
        agent.wait_log("systemctl restart kms-agent.socket")
        time.sleep(5)
        assert agent.log().count(GONE) == 1, "told once"
        assert not os.path.exists(agent.socket)
        assert old.call("agent.status")["connections"] == 1
