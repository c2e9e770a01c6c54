# SPDX-License-Identifier: Apache-2.0
"""A kms-agentd of the build under test, in a scratch directory of its own."""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import tempfile
import threading
import time

from rpc import Rpc

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("KMS_BUILD_DIR", os.path.join(TOP, "build-check"))
AGENTD = os.path.join(BUILD, "kms-agentd")
KMS_EXEC = os.path.join(BUILD, "kms-exec")
KMSCTL = os.path.join(BUILD, "kmsctl")
# The first line of every report of the sanitizers.
SANITIZER_WORDS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "WARNING: ThreadSanitizer")


def clean_env(**more):
    """The environment of a test's processes: nothing of AWS, of proxies or of the agent comes in from outside."""
    env = {name: os.environ[name] for name in ("PATH", "HOME", "USER", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS",
                                               "LSAN_OPTIONS", "TSAN_OPTIONS") if name in os.environ}
    env["LANG"] = "C.UTF-8"
    env.update({name: str(value) for name, value in more.items() if value is not None})
    return env


class SecretSearch:
    """Looks for any of thousands of secrets in one pass: by their first bytes, in runs of the bytes they are made of.
    The few that are made of other bytes, or are short, are looked for one by one."""

    WINDOW = 20
    RUN = re.compile(rb"[A-Za-z0-9+/=_-]{%d,}" % WINDOW)

    def __init__(self, secrets):
        # What is shorter than 8 bytes is a bad token that a test made up, and could be found anywhere.
        encoded = {secret.encode() for secret in secrets if len(secret) >= 8}
        self.odd = {secret for secret in encoded if not self.RUN.fullmatch(secret[:self.WINDOW])}
        self.starts = {secret[:self.WINDOW] for secret in encoded - self.odd}

    def found_in(self, data):
        if any(secret in data for secret in self.odd):
            return True
        for run in self.RUN.finditer(data):
            text = run.group()
            for at in range(len(text) - self.WINDOW + 1):
                if text[at:at + self.WINDOW] in self.starts:
                    return True
        return False


def has_test_hooks():
    """Whether the build has crash points and a movable clock (configure --enable-test-hooks)."""
    with open(AGENTD, "rb") as file:
        return b"KMS_CRASH_AT" in file.read()


def setting(value):
    """A value in the syntax of libconfig."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(setting(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def group(name, settings):
    lines = "".join(f"  {key} = {setting(value)};\n" for key, value in settings.items() if value is not None)
    return f"{name}: {{\n{lines}}};\n"


class Notify:
    """The other end of NOTIFY_SOCKET: what the agent tells its service manager (sd_notify(3))."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        os.chmod(path, 0o777)
        self.messages = []
        self.changed = threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while True:
            try:
                data = self.socket.recv(65536)
            except OSError:
                return
            with self.changed:
                self.messages += data.decode(errors="replace").splitlines()
                self.changed.notify_all()

    def count(self, line):
        with self.changed:
            return sum(message == line or message.startswith(line + "=") for message in self.messages)

    def last(self, name):
        with self.changed:
            values = [message.partition("=")[2] for message in self.messages if message.startswith(name + "=")]
        return values[-1] if values else None

    def wait(self, line, count=1, timeout_s=10.0, alive=lambda: True):
        """Waits until a line ("READY=1") or a variable ("STATUS") came so many times."""
        end = time.monotonic() + timeout_s
        while self.count(line) < count:
            if time.monotonic() > end or not alive():
                return False
            with self.changed:
                self.changed.wait(0.05)
        return True

    def close(self):
        self.socket.close()


class Agent:
    """One agent: configuration, process, logs. Files: PATH/agent.conf, secrets.d/, credentials/, state/, log."""

    def __init__(self, cloud, secrets=None, options=None, socket_mode="0666"):
        self.cloud = cloud
        # sun_path holds 107 bytes, so never below a long TMPDIR.
        self.path = tempfile.mkdtemp(prefix="kms-", dir="/tmp")
        os.chmod(self.path, 0o711)
        self.socket = f"{self.path}/agent.sock"
        self.state = f"{self.path}/state"
        self.config = f"{self.path}/agent.conf"
        self.log_path = f"{self.path}/log"
        self.clock_path = f"{self.path}/clock"
        self.extra_env = {}
        self.arguments = []
        self.process = None
        self.notify = None
        self.kept_log = None
        for name in ("state", "secrets.d", "credentials"):
            os.mkdir(f"{self.path}/{name}", 0o700)
        self.write_clock(0)
        self.options = {"socket": self.socket, "state_directory": self.state, "agent_id": "test-agent",
                        "socket_mode": socket_mode, "allow_volatile_store": True, "iam_rate": 500.0,
                        "map_size": "1G", "iam_endpoint": cloud.url, "sts_endpoint": cloud.url, **(options or {})}
        self.put_credential("root-id", cloud.management["access_key_id"])
        self.put_credential("root-secret", cloud.management["secret_access_key"])
        self.secrets = {"app": self.iam_user(), "session": self.session()} if secrets is None else secrets
        self.write_config()

    # configuration

    def secret(self, **more):
        """What a secret of the access-key method needs, with the management key of the look-alike."""
        return {"method": "access-key", "access_key_id": "credential:root-id",
                "secret_access_key": "credential:root-secret", "region": "eu-west-1", "default_ttl": "1h",
                "max_ttl": "24h", "allow": [f"user:{os.getuid()}"], **more}

    def iam_user(self, **more):
        return self.secret(**{"credential_type": "iam-user", "ready_timeout": "0s", **more})

    def session(self, **more):
        return self.secret(**{"credential_type": "temporary-credentials", "max_ttl": "12h", **more})

    def put_credential(self, name, text):
        path = f"{self.path}/credentials/{name}"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o400), "w", encoding="utf-8") as file:
            file.write(text)

    def remove_credential(self, name):
        os.unlink(f"{self.path}/credentials/{name}")

    def write_config(self):
        """agent.conf and one drop-in for each secret; drop-ins of secrets that are no more go away."""
        self.write_file("agent.conf", group("agent", self.options))
        for name in os.listdir(f"{self.path}/secrets.d"):
            if name.endswith(".conf") and name.removesuffix(".conf") not in self.secrets:
                os.unlink(f"{self.path}/secrets.d/{name}")
        for name, settings in self.secrets.items():
            self.write_file(f"secrets.d/{name}.conf", "secret: {\n" + group(name, settings) + "};\n")

    def write_file(self, name, text):
        with open(f"{self.path}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(file.name, 0o600)
        return file.name

    def write_clock(self, offset_ms, boot_ms=0):
        """Moves the agent's wall clock (test hooks); the file is mapped, so it is written in place. boot_ms moves the
        boot clock: both together are time that passes, as in a suspend."""
        with open(os.open(self.clock_path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(struct.pack("=qq", offset_ms, boot_ms))

    # process

    def env(self, **more):
        return clean_env(CREDENTIALS_DIRECTORY=f"{self.path}/credentials", NOTIFY_SOCKET=self.notify.path,
                         KMS_TEST_CLOCK=self.clock_path, **{**self.extra_env, **more})

    def start(self, wait=True, timeout_s=20.0, prefix=(), **env):
        """Starts the agent and waits for its READY=1; prefix: words in front of the command."""
        assert self.process is None, "the agent runs already"
        if self.notify is None:
            self.notify = Notify(f"{self.path}/notify")
        ready = self.notify.count("READY=1")
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*prefix, AGENTD, "--config", self.config, *self.arguments],
                                            env=self.env(**env), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd="/")
        if wait and not self.notify.wait("READY=1", ready + 1, timeout_s, lambda: self.process.poll() is None):
            raise AssertionError(f"the agent is not ready, exit status {self.process.poll()}:\n{self.log()[-3000:]}")
        return self

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    @contextlib.contextmanager
    def stopped(self):
        """Holds it still (SIGSTOP) while things change that it must see changed at once."""
        self.signal(signal.SIGSTOP)
        end = time.monotonic() + 10
        while True:
            with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
                if file.read().rsplit(")", 1)[1].split()[0] == "T":
                    break
            assert time.monotonic() < end, "the agent does not stop"
            time.sleep(0.001)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def pass_time(self, seconds, boot=True):
        """Time passes: for the cloud, the agent's wall clock and, unless it is set, its boot clock; all at once."""
        with self.stopped():
            self.cloud.clock(seconds)
            self.write_clock(int(seconds * 1000), int(seconds * 1000) if boot else 0)

    def wait(self, timeout_s=15.0):
        """Waits for the end; returns the exit status."""
        status = self.process.wait(timeout_s)
        self.process = None
        return status

    def stop(self, timeout_s=15.0):
        """SIGTERM; returns the exit status, -SIGABRT if it had to be forced (a core of nothing, but a stack)."""
        if self.process is None:
            return None
        self.process.terminate()
        try:
            return self.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.wait()
            raise AssertionError("the agent did not end on SIGTERM") from None

    def kill(self):
        """SIGKILL, as a crash."""
        self.process.send_signal(signal.SIGKILL)
        return self.wait()

    def restart(self, **more):
        self.stop()
        return self.start(**more)

    def reload(self, timeout_s=10.0):
        """SIGHUP; waits for the READY=1 that ends a reload, good or bad."""
        ready = self.notify.count("READY=1")
        self.signal(signal.SIGHUP)
        assert self.notify.wait("READY=1", ready + 1, timeout_s, self.alive), "no READY=1 after a reload"

    def log(self):
        if self.kept_log is not None:
            return self.kept_log
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def wait_log(self, text, timeout_s=10.0):
        end = time.monotonic() + timeout_s
        while text not in self.log():
            assert time.monotonic() < end, f"not in the log: {text}\n{self.log()[-3000:]}"
            time.sleep(0.02)

    # requests

    def rpc(self, **more):
        return Rpc(self.socket, **more)

    def call(self, method, **params):
        """One request on a connection of its own."""
        with self.rpc() as rpc:
            return rpc.call(method, **params)

    def leases(self, **params):
        return self.call("lease.list", **params)["leases"]

    def wait_lease(self, lease_id, state, timeout_s=15.0):
        """Waits until a lease is in a state; returns it."""
        end = time.monotonic() + timeout_s
        while True:
            lease = self.call("lease.get", lease_id=lease_id)
            if lease["state"] == state:
                return lease
            assert time.monotonic() < end, f"the lease is {lease}, not {state}"
            time.sleep(0.05)

    def wait_delivered(self, *leases, timeout_s=15.0):
        """Waits until the record of each says that its holder has it. That comes after the answer, and a start takes a
        lease back whose record does not say so."""
        end = time.monotonic() + timeout_s
        for lease in leases:
            while not self.call("lease.get", lease_id=lease["lease_id"])["delivered"]:
                assert time.monotonic() < end, f"not delivered: {lease['lease_id']}\n{self.log()[-2000:]}"
                time.sleep(0.02)

    def wait_identities(self, timeout_s=15.0):
        """Waits until the agent, which is ready before, has asked AWS whose the credentials of each secret are: then it
        makes no call by itself, and meets no fault that is meant for another."""
        end = time.monotonic() + timeout_s
        while not set(self.secrets) <= {one["secret"] for one in self.call("agent.status")["management"]}:
            assert time.monotonic() < end, f"not asked for all of {list(self.secrets)}\n{self.log()[-2000:]}"
            time.sleep(0.02)

    def wait_no_users(self, timeout_s=15.0):
        """Waits until the look-alike has no user but the management user."""
        end = time.monotonic() + timeout_s
        while self.cloud.users():
            assert time.monotonic() < end, f"users are left: {list(self.cloud.users())}\n{self.log()[-2000:]}"
            time.sleep(0.05)

    # what must not be there

    def secret_places(self):
        """(name, bytes) of everything that outlives a request: store, log, configuration, process."""
        for base in (self.state, f"{self.path}/secrets.d"):
            for directory, _, names in os.walk(base):
                for name in names:
                    path = os.path.join(directory, name)
                    if stat.S_ISREG(os.lstat(path).st_mode):
                        with open(path, "rb") as file:
                            yield path, file.read()
        for path in (self.log_path, self.config):
            if os.path.exists(path):
                with open(path, "rb") as file:
                    yield path, file.read()
        if self.alive():
            for name in ("cmdline", "environ"):
                with open(f"/proc/{self.pid}/{name}", "rb") as file:
                    yield f"/proc/PID/{name}", file.read()

    def check_no_secrets(self):
        """No secret that the look-alike ever gave out is anywhere it could be read later."""
        secrets = self.cloud.canaries()
        assert secrets, "the look-alike names no canaries, so this check would prove nothing"
        search = SecretSearch(secrets)
        for name, data in self.secret_places():
            assert not search.found_in(data), f"a secret is in {name}"

    def check_log(self):
        log = self.log()
        for word in SANITIZER_WORDS:
            assert word not in log, log[log.index(word) - 200:log.index(word) + 4000]

    def close(self):
        """Checks and ends the agent, then removes its directory."""
        try:
            self.check_no_secrets()
            if self.alive():
                status = self.stop()
                assert status == 0, f"the agent ended with {status}"
            self.check_log()
            self.check_no_secrets()
        finally:
            if self.alive():
                self.kill()
            if self.notify is not None:
                self.notify.close()

    def remove(self):
        self.kept_log = self.log()
        shutil.rmtree(self.path, ignore_errors=True)
