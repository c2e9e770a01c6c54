# SPDX-License-Identifier: Apache-2.0
"""What the tests of retries, outages and clocks share."""
import contextlib
import os
import socket
import threading
import time

from rpc import RpcError


def wait_until(true, what, timeout_s=15.0, every_s=0.05):
    """Waits until true() is; returns its value."""
    end = time.monotonic() + timeout_s
    while True:
        value = true()
        if value:
            return value
        assert time.monotonic() < end, f"not within {timeout_s} s: {what() if callable(what) else what}"
        time.sleep(every_s)


def nudge(agent):
    """A call of AWS that changes nothing and that no skew of the clocks forbids: its Date tells the agent what time
    it is at AWS."""
    with contextlib.suppress(RpcError):
        agent.call("agent.sweep", report_only=True)


def move_cloud(agent, offset_s):
    """AWS's clock goes to offset_s, and the agent hears of it."""
    agent.cloud.clock(offset_s)
    nudge(agent)


def fails(agent, code, **params):
    """lease.issue must fail with this code; returns the error."""
    try:
        agent.call("lease.issue", **params)
    except RpcError as error:
        assert error.code == code, error
        return error
    raise AssertionError(f"no error, expected {code}")


class InBackground:
    """A request whose answer is asked for later."""

    def __init__(self, agent, method, **params):
        self.result = self.error = None
        self.thread = threading.Thread(target=self.run, args=(agent, method, params), daemon=True)
        self.thread.start()

    def run(self, agent, method, params):
        try:
            self.result = agent.call(method, **params)
        except Exception as error:  # looked at by wait()
            self.error = error

    def wait(self, timeout_s=30):
        self.thread.join(timeout_s)
        assert not self.thread.is_alive(), "no answer"
        if self.error is not None:
            raise self.error
        return self.result


class Passage:
    """A TCP endpoint that passes on to another port, or, while stalled, takes all and gives nothing: a black hole."""

    def __init__(self, port):
        self.target, self.stalled = port, False
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.connections = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            self.connections += 1
            server = socket.create_connection(("127.0.0.1", self.target))
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self.copy, args=pair, daemon=True).start()

    def copy(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                while self.stalled:
                    time.sleep(0.05)
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


class Journal:
    """A socket in place of journald's, in a mount namespace of the agent's own (root): keeps what is sent there.
    The native protocol, https://systemd.io/JOURNAL_NATIVE_PROTOCOL/: lines FIELD=value here."""

    def __init__(self, agent):
        self.directory = f"{agent.path}/journal"
        os.mkdir(self.directory, 0o755)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"{self.directory}/socket")
        self.entries = []
        threading.Thread(target=self.read, daemon=True).start()
        with open(agent.log_path, "ab") as log:
            stat = os.fstat(log.fileno())
        script = ("mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && "
                  'mount --bind "$0" /run/systemd/journal && exec "$@"')
        self.prefix = ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, self.directory)
        self.env = {"JOURNAL_STREAM": f"{stat.st_dev}:{stat.st_ino}"}

    def read(self):
        while True:
            data = self.socket.recv(65536).decode(errors="replace")
            self.entries.append(dict(line.split("=", 1) for line in data.splitlines() if "=" in line))

    def wait(self, message_id, timeout_s=10):
        return wait_until(lambda: [entry for entry in self.entries if entry.get("MESSAGE_ID") == message_id],
                          lambda: f"{message_id} in {self.entries}", timeout_s)
