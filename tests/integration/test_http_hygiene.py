# SPDX-License-Identifier: Apache-2.0
"""Hostile surroundings of the HTTP client: nothing of a signed request may go anywhere but to the endpoint, by its
true name, and every such attempt ends in an error within its bounds. tests/unit/aws_probe.c makes the call."""
import contextlib
import os
import socket
import ssl
import subprocess
import threading
import time

import pytest

from agent import BUILD

PROBE = os.environ.get("AWS_PROBE", os.path.join(BUILD, "tests", "unit", "aws_probe"))
USER_NAME = b"kms-probe-0123456789abcdef0123456789abcdef"
UNTRUSTED = "9"  # AWS_FAILED_UNTRUSTED
KEY_ID, SECRET = "AKIAHYGIENE000000000", "hygiene-secret-0123456789-hygiene-secret"


class Server:
    """Accepts on loopback, hands each connection to serve(connection), keeps every byte that came."""

    def __init__(self, serve=lambda connection: None, context=None, rude=False):
        self.serve, self.context, self.rude = serve, context, rude  # rude: answers before it was asked
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.received, self.connections, self.handshakes = b"", 0, 0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.one, args=(connection,), daemon=True).start()

    def one(self, connection):
        connection.settimeout(15)
        with contextlib.suppress(OSError), connection:
            if self.context is not None:
                connection = self.context.wrap_socket(connection, server_side=True)
                self.handshakes += 1
            with connection:
                if self.rude:
                    self.serve(connection)
                self.read_request(connection)
                if not self.rude:
                    self.serve(connection)

    def read_request(self, connection):
        request = b""
        while b"\r\n\r\n" not in request or not request.endswith((b"UserName=" + USER_NAME, b"probe-web-token")):
            data = connection.recv(65536)
            if not data:
                break
            request += data
            self.received += data

    def close(self):
        self.socket.close()


@pytest.fixture
def server():
    made = []

    def make(*arguments, **more):
        made.append(Server(*arguments, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def get_user(url, mode="get", limit_s=14, **more):
    """One signed GetUser (or another mode); its result line as a list, and what went to stderr."""
    environment = {"PATH": os.environ["PATH"], "CLOUD_URL": url, "AWS_ACCESS_KEY_ID": KEY_ID,
                   "AWS_SECRET_ACCESS_KEY": SECRET, **more}
    started = time.monotonic()
    run = subprocess.run([PROBE, mode], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    assert SECRET not in run.stdout + run.stderr
    assert time.monotonic() - started < limit_s
    return run.stdout.split(), run.stderr


def answer(status, headers=(), body=b""):
    head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


USER = (b"<GetUserResponse><GetUserResult><User><UserName>u</UserName><UserId>AIDA1</UserId><Arn>a</Arn></User>"
        b"</GetUserResult></GetUserResponse>")


def certificate(directory, name, alt="IP:127.0.0.1"):
    """A self-signed certificate and its key."""
    cert, key = directory / f"{name}.pem", directory / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", key, "-out", cert, "-subj", "/CN=hygiene", "-addext", f"subjectAltName={alt}",
                    "-days", "2"], check=True, capture_output=True)
    return cert, key


def expired_certificate(directory):
    """One that was good for a day of 2020; `openssl req` cannot date back."""
    cert, key, request = directory / "expired.pem", directory / "expired.key", directory / "expired.csr"
    (directory / "index").write_text("")
    (directory / "ca.cnf").write_text(
        f"[ca]\ndefault_ca=c\n[c]\ndatabase={directory}/index\nnew_certs_dir={directory}\nrand_serial=yes\n"
        "default_md=sha256\npolicy=p\nx509_extensions=e\n[p]\ncommonName=supplied\n"
        "[e]\nbasicConstraints=critical,CA:true\nsubjectAltName=IP:127.0.0.1\n")
    subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", key, "-out", request, "-subj", "/CN=hygiene"], check=True, capture_output=True)
    subprocess.run(["openssl", "ca", "-config", directory / "ca.cnf", "-selfsign", "-batch", "-notext", "-in", request,
                    "-keyfile", key, "-out", cert, "-startdate", "20200101000000Z", "-enddate", "20200102000000Z"],
                   check=True, capture_output=True)
    return cert, key


def tls(cert, key, **settings):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    for name, value in settings.items():
        setattr(context, name, value)
    return context


def test_proxies_netrc_and_key_logs_of_the_environment_are_ignored(server, tmp_path):
    trap = server()
    endpoint = server(lambda connection: connection.sendall(answer(200, body=USER)))
    proxy = f"http://127.0.0.1:{trap.port}"
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login netrc-user password netrc-password\n")
    hostile = {name: proxy for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy")}
    line, _ = get_user(f"http://127.0.0.1:{endpoint.port}", HOME=str(tmp_path), no_proxy="nowhere",
                       SSLKEYLOGFILE=str(tmp_path / "keys"), **hostile)
    assert line[1] == "0"
    assert trap.connections == 0
    assert b"netrc" not in endpoint.received and KEY_ID.encode() in endpoint.received
    assert SECRET.encode() not in endpoint.received


def test_unsigned_calls_take_no_login_from_netrc(server, tmp_path):
    (tmp_path / ".netrc").write_text("default login netrc-user password netrc-password\n")
    endpoint = server(lambda connection: connection.sendall(answer(403)))
    get_user(f"http://127.0.0.1:{endpoint.port}", "web", HOME=str(tmp_path))
    assert b"probe-web-token" in endpoint.received
    assert b"uthorization" not in endpoint.received


def test_tls_writes_no_key_log_and_takes_the_named_ca(server, tmp_path):
    cert, key = certificate(tmp_path, "good")
    endpoint = server(lambda connection: connection.sendall(answer(200, body=USER)), context=tls(cert, key))
    line, errors = get_user(f"https://127.0.0.1:{endpoint.port}", PROBE_CA=str(cert),
                            SSLKEYLOGFILE=str(tmp_path / "keys"))
    assert line[1] == "0", errors
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(server, status):
    trap = server()
    location = f"Location: http://127.0.0.1:{trap.port}/"
    endpoint = server(lambda connection: connection.sendall(answer(status, [location])))
    line, _ = get_user(f"http://127.0.0.1:{endpoint.port}")
    assert line[1] != "0" and line[2] == "3"  # permanent
    time.sleep(0.1)
    assert trap.connections == 0


def refused_before_the_request(endpoint, line, errors):
    assert line[1] == "-25" and line[3] == "0", errors  # KMS_EAWSDOWN, and certainly not applied
    assert endpoint.connections >= 1
    assert endpoint.received == b""


@pytest.mark.parametrize("case", ["unknown-ca", "wrong-name", "expired", "ca-by-environment"])
def test_false_certificates(server, tmp_path, case):
    alt = "DNS:iam.amazonaws.com" if case == "wrong-name" else "IP:127.0.0.1"
    cert, key = expired_certificate(tmp_path) if case == "expired" else certificate(tmp_path, "false", alt=alt)
    other, _ = certificate(tmp_path, "other")
    more = {"PROBE_CA": str(cert if case in ("wrong-name", "expired") else other)}
    if case == "ca-by-environment":
        more = {"SSL_CERT_FILE": str(cert), "SSL_CERT_DIR": str(tmp_path), "CURL_CA_BUNDLE": str(cert)}
    endpoint = server(context=tls(cert, key))
    line, errors = get_user(f"https://127.0.0.1:{endpoint.port}", **more)
    refused_before_the_request(endpoint, line, errors)
    assert line[2] == UNTRUSTED, "whoever waits is told at once"
    assert f"the certificate of https://127.0.0.1:{endpoint.port}/ is not trusted: " in errors
    assert ("expired" in errors) == (case == "expired")
    hint = {"wrong-name": "that of another server", "expired": "the clock of this host",
            "unknown-ca": f"no certificate authority in ca_file ({other}) vouches for it",
            "ca-by-environment": "the option ca_file names a PEM file"}[case]
    assert hint in errors


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_is_refused(server, tmp_path):
    cert, key = certificate(tmp_path, "old")
    context = tls(cert, key, maximum_version=ssl.TLSVersion.TLSv1_1, minimum_version=ssl.TLSVersion.TLSv1)
    context.set_ciphers("ALL:@SECLEVEL=0")
    endpoint = server(context=context)
    configuration = tmp_path / "openssl.cnf"  # one that would allow it
    configuration.write_text("openssl_conf=a\n[a]\nssl_conf=b\n[b]\nsystem_default=c\n"
                             "[c]\nMinProtocol=TLSv1\nCipherString=ALL:@SECLEVEL=0\n")
    line, errors = get_user(f"https://127.0.0.1:{endpoint.port}", PROBE_CA=str(cert), OPENSSL_CONF=str(configuration))
    refused_before_the_request(endpoint, line, errors)


def test_plain_text_server_on_a_tls_url(server):
    endpoint = server(lambda connection: connection.sendall(answer(200, body=USER)), rude=True)
    line, errors = get_user(f"https://127.0.0.1:{endpoint.port}")
    assert line[1] == "-25" and line[3] == "0", errors
    assert KEY_ID.encode() not in endpoint.received


@pytest.mark.parametrize("url", [
    "http://iam.amazonaws.com", "http://192.0.2.1", "http://user:word@127.0.0.1:1", "ftp://127.0.0.1", "file:///etc",
    "http://127.0.0.1.example.test", "http://[::ffff:192.0.2.1]", "gopher://127.0.0.1", "127.0.0.1:1"])
def test_urls_that_are_not_allowed(url):
    line, errors = get_user(url)
    assert line[1] == "-33" and line[3] == "0", errors  # KMS_ECONFIG
    assert "URL not allowed" in errors


def drip(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-Filler: " + b"x" * 4096 + b"\r\n")


CASES = {
    "large-body": lambda connection: connection.sendall(answer(200, body=b"<a>" + b"x" * 2097152 + b"</a>")),
    "endless-headers": drip,
    "endless-body": lambda connection: (connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n"), [
        connection.sendall(b"x" * 65536) for _ in range(1000)]),
    "http-0.9": lambda connection: connection.sendall(USER),
    "cut-in-body": lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n<GetUser"),
    "bad-chunk": lambda connection: connection.sendall(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n"),
    "bomb": lambda connection: connection.sendall(answer(
        200, body=b"<!DOCTYPE a [<!ENTITY a \"aaaaaaaa\"><!ENTITY b \"&a;&a;\">]><a>&b;</a>")),
    "silence": lambda connection: time.sleep(12),
}


@pytest.mark.parametrize("case", [pytest.param(name, marks=pytest.mark.slow if name == "silence" else ())
                                  for name in CASES])
def test_hostile_answers_end_in_an_error(server, case):
    endpoint = server(CASES[case])
    line, errors = get_user(f"http://127.0.0.1:{endpoint.port}", limit_s=14 if case == "silence" else 8)
    assert line[1] != "0" and line[3] == "1", errors  # failed, and it may have been applied


def test_nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    line, _ = get_user(f"http://127.0.0.1:{port}")
    assert line[1] == "-25" and line[3] == "0"
