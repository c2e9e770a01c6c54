#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An AWS look-alike (IAM and STS) for the tests and the demo of kms-agent. See README.md."""

import argparse
import asyncio
import ctypes
import gc
import json
import os
import signal
import ssl
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from app import App  # noqa: E402
from metadata import Metadata  # noqa: E402
from state import Account  # noqa: E402

PR_SET_PDEATHSIG = 1


def write_info(path, info):
    """Atomically, readable by the owner only."""
    directory = os.path.dirname(os.path.abspath(path))
    handle, temporary = tempfile.mkstemp(dir=directory, prefix=".cloud-")  # mode 0600
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(info, file)
    os.replace(temporary, path)


def die_with_parent():
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent or parent == 1:
        sys.exit(0)


class Listener:
    """The listening socket; it can be away for a while, so that connections are refused."""

    def __init__(self, app, port, context):
        self.app, self.port, self.context, self.server = app, port, context, None

    async def open(self):
        self.server = await asyncio.get_running_loop().create_server(
            self.app.new_connection, "127.0.0.1", self.port, ssl=self.context, backlog=1024
        )
        self.port = self.server.sockets[0].getsockname()[1]

    def close(self):
        self.server.close()
        for connection in list(self.app.connections):
            connection.transport.abort()

    def away(self, seconds):
        """Closes everything (the answer to this request first) and is back after so many seconds."""
        loop = asyncio.get_running_loop()
        loop.call_soon(self.close)
        loop.call_later(seconds, lambda: loop.create_task(self.open()))


def tls_context(options):
    if not options.tls_cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.tls_cert, options.tls_key)
    return context


def describe(account, listener):
    key_id, secret = account.management_key
    metadata = listener.app.metadata_listener
    own = {} if metadata is None else {"metadata_url": f"http://127.0.0.1:{metadata.port}"}
    return {
        **own,
        "port": listener.port,
        "url": f"http{'s' if listener.context else ''}://127.0.0.1:{listener.port}",
        "account_id": account.account_id,
        "management": {
            "access_key_id": key_id,
            "secret_access_key": secret,
            "user_arn": account.management.arn(account),
        },
        "pid": os.getpid(),
    }


async def serve(options):
    loop = asyncio.get_running_loop()
    account = Account(options.account_id, options.partition)
    context = tls_context(options)
    app = App(account, tls=context is not None)
    if options.metadata_port is not None:
        app.metadata = Metadata(account)
        app.metadata_listener = Listener(app.metadata, options.metadata_port, None)
        await app.metadata_listener.open()
    listener = app.listener = Listener(app, options.port, context)
    await listener.open()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    write_info(options.info, describe(account, listener))
    gc.freeze()
    gc.set_threshold(20000, 20, 50)  # full collections walk the whole log: rarely
    await stop.wait()
    listener.close()
    if app.metadata_listener is not None:
        app.metadata_listener.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument(
        "--info", required=True, help="file that is written when the look-alike serves"
    )
    parser.add_argument(
        "--metadata-port", type=int, help="also serve instance and container metadata (0: any port)"
    )
    parser.add_argument("--tls-cert")
    parser.add_argument("--tls-key")
    parser.add_argument("--account-id", default="123456789012")
    parser.add_argument("--partition", default="aws", choices=("aws", "aws-cn", "aws-us-gov"))
    parser.add_argument(
        "--parent-death", action="store_true", help="end when the parent process ends"
    )
    options = parser.parse_args()
    if bool(options.tls_cert) != bool(options.tls_key):
        parser.error("--tls-cert and --tls-key go together")
    if options.parent_death:
        die_with_parent()
    asyncio.run(serve(options))


if __name__ == "__main__":
    main()
