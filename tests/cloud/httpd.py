# SPDX-License-Identifier: Apache-2.0
"""A small HTTP/1.1 server: keep-alive, Content-Length bodies, bounded, one request at a time
on a connection. Raw bytes are kept, because signatures are made over them."""

import asyncio
import socket
import struct

MAX_HEAD = 128 * 1024
MAX_BODY = 1024 * 1024
MAX_CONTROL_BODY = 64 * 1024 * 1024

REASONS = {
    100: "Continue",
    200: "OK",
    302: "Found",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    411: "Length Required",
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    431: "Headers Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


class BadRequest(Exception):
    def __init__(self, status: int, text: str):
        super().__init__(text)
        self.status = status


class Headers:
    """Header fields in order of arrival; names lower-case, lookups without regard to case."""

    __slots__ = ("fields",)

    def __init__(self, lines):
        fields = self.fields = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon or not name or name[-1] in " \t" or name[0] in " \t":
                raise BadRequest(400, "bad header line")
            fields.setdefault(name.lower(), []).append(value.strip(" \t"))

    def get(self, name, default=None):
        values = self.fields.get(name)
        return values[0] if values else default

    def get_all(self, name):
        return self.fields.get(name.lower(), [])

    def __contains__(self, name):
        return name.lower() in self.fields


class Request:
    __slots__ = ("method", "target", "path", "query", "headers", "body", "keep_alive")


class Connection(asyncio.Protocol):
    """One client connection. The application gets (connection, request) and must end each
    request by reply(), cut() or by leaving it hanging."""

    counter = 0

    def __init__(self, app):
        self.app = app
        self.buf = bytearray()
        self.busy = False
        self.pumping = False
        self.closed = False
        self.request = None
        self.served = 0
        self.expected = False
        self.paused = False
        Connection.counter += 1
        self.number = Connection.counter

    def connection_made(self, transport):
        self.transport = transport
        self.app.connections.add(self)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc):
        self.closed = True
        self.app.connections.discard(self)

    def data_received(self, data):
        self.buf += data
        if self.busy and len(self.buf) > MAX_HEAD + MAX_BODY:
            self.transport.pause_reading()
            self.paused = True
        self.pump()

    def eof_received(self):
        return False

    def pump(self):
        """Serves what is buffered, in order; never re-entered."""
        if self.pumping:
            return
        self.pumping = True
        try:
            while not self.busy and not self.closed:
                try:
                    request = self.parse()
                except BadRequest as bad:
                    self.refuse(bad)
                    break
                if request is None:
                    break
                self.busy = True
                self.request = request
                self.app.handle(self, request)
        finally:
            self.pumping = False

    def parse(self):
        buf = self.buf
        end = buf.find(b"\r\n\r\n")
        if end < 0:
            if len(buf) > MAX_HEAD:
                raise BadRequest(431, "head too large")
            return None
        head = bytes(buf[:end])
        try:
            text = head.decode("utf-8")
        except UnicodeDecodeError:
            text = head.decode("latin-1")
        lines = text.split("\r\n")
        parts = lines[0].split(" ")
        if (
            len(parts) != 3
            or parts[2] not in ("HTTP/1.1", "HTTP/1.0")
            or not parts[1].startswith("/")
        ):
            raise BadRequest(400, "bad request line")
        headers = Headers(lines[1:])
        if "transfer-encoding" in headers:
            raise BadRequest(411, "a Content-Length is needed")
        lengths = headers.get_all("content-length") or ["0"]
        if len(set(lengths)) != 1 or not lengths[0].isdigit():
            raise BadRequest(400, "bad Content-Length")
        length = int(lengths[0])
        control = parts[1].startswith("/_control/")
        if length > (MAX_CONTROL_BODY if control else MAX_BODY):
            raise BadRequest(413, "body too large")
        if len(buf) < end + 4 + length:
            if headers.get("expect", "").lower() == "100-continue" and not self.expected:
                self.expected = True
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None
        self.expected = False
        request = Request()
        request.method, request.target = parts[0], parts[1]
        request.path, _, request.query = parts[1].partition("?")
        request.headers = headers
        request.body = bytes(buf[end + 4 : end + 4 + length])
        connection = headers.get("connection", "").lower()
        request.keep_alive = (
            connection == "keep-alive" if parts[2] == "HTTP/1.0" else connection != "close"
        )
        del buf[: end + 4 + length]
        return request

    def refuse(self, bad):
        self.reply(bad.status, [], str(bad).encode(), "text/plain", close=True)

    def reply(self, status, headers, body, content_type="text/xml", close=False):
        """Sends one answer; then the next request of the connection is served."""
        if self.closed:
            return
        close = close or (self.request is not None and not self.request.keep_alive)
        head = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}"]
        head += headers
        dated = any(header.startswith("Date: ") for header in headers)
        head.append(f"Content-Type: {content_type}")
        head.append(f"Content-Length: {len(body)}")
        if not dated:
            head.append(f"Date: {self.app.clock.http_date()}")
        if close:
            head.append("Connection: close")
        self.transport.write("\r\n".join(head).encode("utf-8") + b"\r\n\r\n" + body)
        self.served += 1
        self.busy = False
        if self.paused and not close:
            self.paused = False
            self.transport.resume_reading()
        if close:
            self.closed = True
            self.transport.close()
        elif self.buf and not self.pumping:
            self.pump()

    def cut(self, reset=False):
        """Closes without an answer; reset sends RST instead of FIN."""
        if self.closed:
            return
        self.closed = True
        sock = self.transport.get_extra_info("socket")
        if reset and sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
        else:
            self.transport.close()
