# SPDX-License-Identifier: Apache-2.0
"""A server between the agent and AWS whose certificate nobody vouches for: who asks is told at once and how to cure it;
a revocation goes on trying."""
import contextlib
import os
import shutil
import socket
import threading
import time

import pytest

from rpc import RpcError
from test_http_hygiene import certificate, tls

SOON_S = 3


class Relay:
    """Speaks TLS to the agent and plain HTTP to the look-alike; its certificate can be changed."""

    def __init__(self, cloud, context):
        self.port_behind = int(cloud.url.rsplit(":", 1)[1])
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.socket.getsockname()[1]}"
        self.context, self.open, self.refused = context, [], 0
        threading.Thread(target=self.run, daemon=True).start()

    def change(self, context):
        """New connections meet another certificate, and there are no old ones."""
        self.context = context
        for one in self.open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self.open.clear()

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(connection,), daemon=True).start()

    def one(self, connection):
        try:
            front = self.context.wrap_socket(connection, server_side=True)
        except OSError:
            self.refused += 1
            return
        back = socket.create_connection(("127.0.0.1", self.port_behind))
        self.open += [front, back]
        threading.Thread(target=self.copy, args=(back, front), daemon=True).start()
        self.copy(front, back)

    @staticmethod
    def copy(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.socket.close()
        self.change(None)


@pytest.fixture
def relay(cloud, tmp_path):
    made = Relay(cloud, tls(*certificate(tmp_path, "good")))
    yield made
    made.close()


def behind(make_agent, relay, tmp_path, **more):
    agent = make_agent(start=False)
    agent.secrets = {"app": agent.iam_user(iam_endpoint=relay.url, **more),
                     "session": agent.session(sts_endpoint=relay.url, **more)}
    agent.write_config()
    return agent.start()


def vouching(tmp_path, name="good"):
    """The CA file of a configuration: only root may write it."""
    path = f"{tmp_path}/ca.pem"
    shutil.copy(tmp_path / f"{name}.pem", path + ".new")
    os.chmod(path + ".new", 0o644)
    os.rename(path + ".new", path)
    return path


@pytest.mark.parametrize("secret", ["app", "session"])
@pytest.mark.parametrize("with_ca_file", [False, True], ids=["system", "ca_file"])
def test_issuing_fails_at_once(secret, with_ca_file, make_agent, relay, tmp_path):
    certificate(tmp_path, "other")
    more = {"ca_file": vouching(tmp_path, "other")} if with_ca_file else {}
    agent = behind(make_agent, relay, tmp_path, **more)
    start = time.monotonic()
    with pytest.raises(RpcError) as caught:
        agent.call("lease.issue", secret=secret)
    assert time.monotonic() - start < SOON_S
    assert caught.value.code == "aws_unavailable"
    assert f"the certificate of {relay.url}/ is not trusted" in caught.value.message
    assert "ca_file" in caught.value.hint
    agent.wait_no_users()


def test_revocation_goes_on(make_agent, cloud, relay, tmp_path):
    agent = behind(make_agent, relay, tmp_path, ca_file=vouching(tmp_path))
    lease = agent.call("lease.issue", secret="app")
    agent.wait_identities()  # no connection is being made
    certificate(tmp_path, "other")
    relay.change(tls(tmp_path / "other.pem", tmp_path / "other.key"))
    with pytest.raises(RpcError):
        agent.call("lease.revoke", lease_id=lease["lease_id"])
    end, refused = time.monotonic() + 15, relay.refused
    while relay.refused < refused + 3:
        assert time.monotonic() < end, "it is tried again"
        time.sleep(0.05)
    seen = agent.call("lease.get", lease_id=lease["lease_id"])
    assert seen["state"] == "revoking" and not seen["stuck"] and "is not trusted" in seen["error"]
    relay.change(tls(tmp_path / "good.pem", tmp_path / "good.key"))
    agent.wait_no_users(timeout_s=60)
    agent.wait_lease(lease["lease_id"], "revoked", timeout_s=60)
