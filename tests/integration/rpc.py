# SPDX-License-Identifier: Apache-2.0
"""A MessagePack-RPC client of the agent (PROTOCOL.md) with pipelining. Needs python3-msgpack."""
import socket
import time

import msgpack


class RpcError(Exception):
    """The agent answered with an error."""

    def __init__(self, error):
        super().__init__(f"{error['code']}: {error['message']}")
        self.error = error
        self.code, self.message = error["code"], error["message"]
        self.hint = error.get("hint")


class Closed(Exception):
    """The agent closed the connection."""


class Rpc:
    def __init__(self, path, timeout_s=30.0, strict_map_key=True):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout_s)
        end = time.monotonic() + timeout_s
        while True:  # a socket with a timeout does not wait for room in the backlog
            try:
                self.socket.connect(path)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.01)
        self.unpacker = msgpack.Unpacker(raw=False, strict_map_key=strict_map_key, max_buffer_size=1 << 22)
        self.answers = {}
        self.next_id = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, method, params=None, msgid=None):
        """Sends a request without waiting; returns its msgid. params: a dict, or None for an empty array."""
        if msgid is None:
            self.next_id += 1
            msgid = self.next_id
        self.send_bytes(msgpack.packb([0, msgid, method, [] if params is None else [params]]))
        return msgid

    def send_bytes(self, data):
        self.socket.sendall(data)

    def receive(self):
        """The next answer: (msgid, error, result)."""
        while True:
            for message in self.unpacker:
                assert isinstance(message, list) and len(message) == 4 and message[0] == 1, message
                return message[1], message[2], message[3]
            data = self.socket.recv(65536)
            if not data:
                raise Closed()
            self.unpacker.feed(data)

    def wait(self, msgid):
        """The result of one request, whatever order the answers come in."""
        while msgid not in self.answers:
            got, error, result = self.receive()
            assert got not in self.answers, f"a second answer to {got}"
            self.answers[got] = (error, result)
        error, result = self.answers.pop(msgid)
        if error is not None:
            raise RpcError(error)
        return result

    def call(self, method, **params):
        return self.wait(self.send(method, params or None))

    def closed_within(self, seconds):
        """Whether the agent closes the connection (what it says before that is read)."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.socket.settimeout(max(0.01, end - time.monotonic()))
            try:
                if not self.socket.recv(65536):
                    return True
            except ConnectionResetError:
                return True
            except TimeoutError:
                return False
        return False
