# SPDX-License-Identifier: Apache-2.0
"""strace(1) on threads of an agent: which calls an operation makes, and SIGKILL at the N-th of one kind.

A signal that strace injects comes at the call's entry: the call is not carried out. strace counts for each thread
apart, so threads are told apart by their role: main, store (the writer), worker."""
import glob
import os
import re
import subprocess
import time

# All that writes, syncs, sends or receives.
CALLS = ("write", "writev", "pwrite64", "pwritev", "pwritev2", "fsync", "fdatasync", "msync", "sendto", "sendmsg",
         "read", "readv", "recvfrom", "recvmsg")
ROLES = ("main", "store", "worker")
LINE = re.compile(r"^(\d+\.\d+) (\w+)\((.*)\) += (-?\d+|\?)(.*?)(?: <([\d.]+)>)?$")


def threads(pid):
    """{role: [tid, …]}"""
    roles = {role: [] for role in ROLES}
    for path in glob.glob(f"/proc/{pid}/task/*/comm"):
        tid = int(path.split("/")[4])
        with open(path, encoding="ascii") as file:
            name = file.read().strip()
        roles["main" if tid == pid else "store" if name == "store" else "worker"].append(tid)
    return {role: sorted(tids) for role, tids in roles.items()}


def traced(tid):
    with open(f"/proc/{tid}/status", encoding="ascii") as file:
        return "TracerPid:\t0\n" not in file.read()


class Strace:
    """Attached while the with block runs."""

    def __init__(self, tids, arguments):
        self.tids = tids
        self.command = ["strace", "-qq", *arguments, *(word for tid in tids for word in ("-p", str(tid)))]
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE)
        end = time.monotonic() + 10
        while not all(traced(tid) for tid in self.tids):
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"strace does not attach: {self.process.stderr.read().decode()[-500:]}")
            time.sleep(0.005)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate()


def killing(tids, call, nth):
    """SIGKILLs the agent when one of the threads enters its nth call of that name."""
    return Strace(tids, ["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={nth}", "-o", "/dev/null"])


def recording(tids, prefix):
    """One file PREFIX.TID for each thread; calls that threads begun meanwhile make are there too."""
    return Strace(tids, ["-f", "-ff", "-ttt", "-T", "-y", "-s", "200", "-e", "trace=" + ",".join(CALLS), "-o", prefix])


class Call:
    """One line of a record."""

    def __init__(self, match):
        self.begin, self.name, self.arguments = float(match[1]), match[2], match[3]
        self.end = self.begin + float(match[6] or 0)
        self.failed = match[4] in ("?", "-1")


def read_record(prefix):
    """{tid: [Call, …]}"""
    record = {}
    for path in glob.glob(prefix + ".*"):
        with open(path, encoding="utf-8", errors="replace") as file:
            matches = [LINE.match(line.rstrip("\n")) for line in file]
        record[int(path.rsplit(".", 1)[1])] = [Call(match) for match in matches if match]
        os.unlink(path)
    return record
