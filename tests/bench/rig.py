# SPDX-License-Identifier: Apache-2.0
"""What the targets share: programs of the build, CPUs to pin to, floors, an agent with an AWS that answers at once."""
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "integration"), os.path.join(HERE, "..", "cloud")]

from agent import AGENTD, BUILD, KMS_EXEC, Agent, clean_env  # noqa: E402
import msgpack  # noqa: E402

SCRATCH = os.path.join(BUILD, "bench-scratch")
AGENT_ID = "test-agent"  # of Agent's configuration
MEGABYTE = 1 << 20


def program(name):
    return os.path.join(BUILD, "tests", "bench", f"kms-bench-{name}")


def why_not_this_build():
    """A sanitizer or the test hooks would be measured instead of the agent: what is wrong, or None."""
    with open(AGENTD, "rb") as file:
        data = file.read()
    if b"__asan_init" in data or b"__tsan_init" in data:
        return "this build has sanitizers"
    if b"KMS_CRASH_AT" in data:
        return "this build has test hooks"
    return None


class Cpus:
    """one: for what runs on the same CPU; other: for a client across, None on a machine with one CPU."""

    def __init__(self):
        allowed = sorted(os.sched_getaffinity(0))
        self.one, self.all = str(allowed[0]), ",".join(map(str, allowed))
        self.other = str(allowed[1]) if len(allowed) > 1 else None

    def pin(self, cpu, *command):
        return ["taskset", "-c", cpu, *command]


CPUS = Cpus()


def parse(line):
    """name=value words of a bench program."""
    return {name: float(value) for name, value in (word.split("=", 1) for word in line.split())}


def run(cpu, *command, quiet=False, **env):
    """A bench program to its end; its lines, parsed. quiet: what it and its children say is not shown."""
    result = subprocess.run(CPUS.pin(cpu, *command), stdout=subprocess.PIPE, check=True, text=True,
                            stderr=subprocess.DEVNULL if quiet else None, env=clean_env(**env))
    return [parse(line) for line in result.stdout.splitlines()]


@contextlib.contextmanager
def running(cpu, *command):
    """A process in the background."""
    process = subprocess.Popen(CPUS.pin(cpu, *command), stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def wait_for(path, timeout_s=10):
    end = time.monotonic() + timeout_s
    while not os.path.exists(path) or (os.path.isfile(path) and os.path.getsize(path) == 0):
        if time.monotonic() > end:
            raise AssertionError(f"{path} did not come up")
        time.sleep(0.01)
    return path


def scratch(name):
    return os.path.join(SCRATCH, name)


def fresh_directory(name):
    path = scratch(name)
    shutil.rmtree(path, ignore_errors=True)
    os.mkdir(path, 0o700)
    return path


def write(name, data):
    path = scratch(name)
    with open(path, "wb") as file:
        file.write(data)
    return path


def issue_request(secret):
    """The bytes of one lease.issue in a file."""
    return write(f"issue-{secret}", msgpack.packb([0, 1, "lease.issue", [{"secret": secret}]]))


def load(cpu, socket, request, *more, ms=1000):
    return run(cpu, program("load"), "--unix", socket, "--request", request, "--ms", str(ms), *more)[0]


def sync_floor(ms=500):
    """4 KiB pwrite and fdatasync on the disk of the stores."""
    return run(CPUS.one, program("sync"), scratch("sync-file"), str(ms))[0]


class InstantAws:
    """kms-bench-aws, as class Agent wants its cloud."""

    def __init__(self, port):
        self.port, self.url = port, f"http://127.0.0.1:{port}"
        self.management = {"access_key_id": "AKIAIOSFODNN7EXAMPLE",
                           "secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}


@contextlib.contextmanager
def instant_aws(cpu, delay_us=0):
    port_file = scratch("aws-port")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(port_file)
    with running(cpu, program("aws"), port_file, str(delay_us)):
        with open(wait_for(port_file), encoding="ascii") as file:
            yield InstantAws(int(file.read()))


def bare_call(action, **fields):
    """An HTTP request of about the size that the agent sends, in a file."""
    body = "&".join(f"{name}={value}" for name, value in {"Action": action, "Version": "2011-06-15", **fields}.items())
    head = ("POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: kms-agent\r\nAccept: */*\r\nAuthorization: "
            + "A" * 220 + "\r\nX-Amz-Date: 20260101T000000Z\r\n"
            "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\n\r\n")
    return write(f"call-{action}", (head + body).encode())


def answer_size(aws, action):
    """Bytes of the answer to such a call."""
    import socket
    with socket.create_connection(("127.0.0.1", aws.port)) as connection, open(bare_call(action), "rb") as file:
        connection.sendall(file.read())
        data = b""
        while not data.endswith(f"</{action}Response>".encode()):
            data += connection.recv(65536)
    return len(data)


def bare_round_trip(cpu, aws, action, ms=300):
    """One call of AWS without any of the agent: the same bytes on a kept connection, p50 in ns."""
    return run(cpu, program("load"), "--tcp", str(aws.port), "--request", bare_call(action), "--answer",
               str(answer_size(aws, action)), "--ms", str(ms))[0]["p50_ns"]


@contextlib.contextmanager
def agent(aws, cpu, state, **more_options):
    """A running agent with limits out of the way; secrets: shared, own (sessions), user (IAM users)."""
    options = {"state_directory": state, "map_size": "16G", "iam_rate": 100000.0, "sts_rate": 100000.0,
               "mint_rate_per_uid": 100000.0, "max_connections_per_uid": 1000, "max_leases_per_uid": 10000000,
               **more_options}
    made = Agent(aws, secrets={}, options=options)
    role = {"role_arn": "arn:aws:iam::123456789012:role/bench", "max_leases": 10000000, "max_ttl": "1h"}
    made.secrets = {"shared": made.session(method="assume-role", **role),
                    "own": made.session(method="assume-role", share="none", **role),
                    "user": made.iam_user(max_leases=10000000)}
    made.write_config()
    try:
        yield made.start(timeout_s=60, prefix=CPUS.pin(cpu))
    finally:
        made.stop(timeout_s=60)
        made.notify.close()
        shutil.rmtree(made.path)


def memory(pid):
    """(resident, anonymous) bytes, proc(5) smaps_rollup."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        sizes = {line.split()[0]: int(line.split()[1]) * 1024 for line in file if line.endswith(" kB\n")}
    return sizes["Rss:"], sizes["Anonymous:"]


def seeded(count, end_s=30 * 86400, name=None):
    """A store with so many leases; made once a run unless it has a name of its own."""
    path = scratch(name or f"store-{count}")
    if name is not None or not os.path.exists(path):
        shutil.rmtree(path, ignore_errors=True)
        run(CPUS.all, program("seed"), path, AGENT_ID, str(count), str(end_s))
    return path


def median(values):
    return statistics.median(values)


__all__ = ["AGENTD", "AGENT_ID", "Agent", "BUILD", "CPUS", "KMS_EXEC", "MEGABYTE", "SCRATCH", "agent",
           "bare_round_trip", "clean_env", "fresh_directory", "instant_aws", "issue_request", "load", "median",
           "memory", "program", "run", "running", "scratch", "seeded", "sync_floor", "wait_for", "why_not_this_build"]
