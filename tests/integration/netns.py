# SPDX-License-Identifier: Apache-2.0
"""A network namespace with addresses of the link-local kind, for a process that must reach them. Ports in it lead to
loopback ports outside: a socket stays in the namespace it was made in, whoever uses it."""
import ctypes
import os
import queue
import shutil
import socket
import subprocess
import threading

CLONE_NEWNET = 0x40000000


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Namespace:
    """Needs root. forwards: (address, port) inside -> port on loopback outside. prefix: the words that put a command
    into the namespace."""

    def __init__(self, forwards):
        self.forwards, self.accepted, self.ready, self.error = forwards, queue.Queue(), threading.Event(), None
        threading.Thread(target=self.inside, daemon=True).start()
        threading.Thread(target=self.connect, daemon=True).start()
        self.ready.wait(10)

    def inside(self):
        try:
            if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "unshare")
            ip = shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin:/bin")
            commands = [["link", "set", "lo", "up"]]
            commands += [["addr", "add", f"{address}/32", "dev", "lo"] for address, _ in self.forwards
                         if not address.startswith("127.")]
            for command in commands:
                subprocess.run([ip, *command], check=True, capture_output=True)
            listeners = {socket.create_server(where): port for where, port in self.forwards.items()}
        except (OSError, TypeError, subprocess.CalledProcessError) as error:
            self.error = error
            self.ready.set()
            return
        path = f"/proc/{os.getpid()}/task/{threading.get_native_id()}/ns/net"
        self.prefix = ["nsenter", f"--net={path}"]
        for listener, port in listeners.items():
            threading.Thread(target=self.accept, args=(listener, port), daemon=True).start()
        self.ready.set()
        threading.Event().wait()  # the namespace lives as long as this thread

    def accept(self, listener, port):
        while True:
            self.accepted.put((listener.accept()[0], port))

    def connect(self):
        """In the namespace of the tests."""
        while True:
            inner, port = self.accepted.get()
            try:
                outer = socket.create_connection(("127.0.0.1", port))
            except OSError:
                inner.close()
                continue
            for ends in ((inner, outer), (outer, inner)):
                threading.Thread(target=pump, args=ends, daemon=True).start()
