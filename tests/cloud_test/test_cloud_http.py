# SPDX-License-Identifier: Apache-2.0
"""The HTTP server: connections kept, requests in pieces and in a row, and what it refuses."""

import socket

import pytest

from cloud_helpers import Raw


def wire(request):
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return (
        f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{request.cloud.port}\r\n{head}"
        f"Content-Length: {len(request.body)}\r\n"
        f"\r\n{request.body}"
    ).encode()


def read_answers(sock, count):
    data, found = b"", []
    while len(found) < count:
        head, mark, rest = data.partition(b"\r\n\r\n")
        if mark:
            length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
            if len(rest) >= length:
                found.append((int(head.split()[1]), rest[:length]))
                data = rest[length:]
                continue
        more = sock.recv(65536)
        assert more, "the connection was closed"
        data += more
    return found


@pytest.fixture
def sock(cloud):
    with socket.create_connection(("127.0.0.1", cloud.port), timeout=5) as made:
        yield made


def test_byte_by_byte(cloud, sock):
    for byte in wire(Raw(cloud, "GetUser")):
        sock.sendall(bytes([byte]))
    assert read_answers(sock, 1)[0][0] == 200


def test_pipelined_in_order(cloud, sock):
    sock.sendall(b"".join(wire(Raw(cloud, "CreateUser", UserName=f"u{n}")) for n in range(20)))
    answers = read_answers(sock, 20)
    assert [
        f"<UserName>u{n}</UserName>".encode() in body for n, (_, body) in enumerate(answers)
    ] == [True] * 20


def test_a_delay_keeps_the_order(cloud, sock):
    cloud.fault("CreateUser", "delay", ms=100)
    sock.sendall(
        wire(Raw(cloud, "CreateUser", UserName="a")) + wire(Raw(cloud, "GetUser", UserName="a"))
    )
    assert [status for status, _ in read_answers(sock, 2)] == [200, 200]


@pytest.mark.parametrize(
    "data,status",
    [
        (b"GET http://x/ HTTP/1.1\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nbad line\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nx: " + b"y" * 200000, 431),
    ],
)
def test_refused(cloud, sock, data, status):
    sock.sendall(data)
    assert read_answers(sock, 1)[0][0] == status
    try:
        assert sock.recv(100) == b""
    except ConnectionResetError:
        pass


def test_connection_close_and_http_1_0(cloud, sock):
    sock.sendall(wire(Raw(cloud, "GetUser")).replace(b"Host:", b"Connection: close\r\nHost:", 1))
    assert read_answers(sock, 1)[0][0] == 200 and sock.recv(100) == b""
    with socket.create_connection(("127.0.0.1", cloud.port), timeout=5) as old:
        old.sendall(wire(Raw(cloud, "GetUser")).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        assert read_answers(old, 1)[0][0] == 200 and old.recv(100) == b""


def test_expect_continue(cloud, sock):
    head, _, body = wire(Raw(cloud, "GetUser")).partition(b"\r\n\r\n")
    sock.sendall(head + b"\r\nExpect: 100-continue\r\n\r\n")
    assert sock.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
    sock.sendall(body)
    assert read_answers(sock, 1)[0][0] == 200


def test_other_paths(cloud):
    request = Raw(cloud, "GetUser")
    request.path = "/other"
    assert request.send().status == 404
