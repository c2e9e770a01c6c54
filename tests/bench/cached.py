# SPDX-License-Identifier: Apache-2.0
"""Target 1: a shared session handed out again, against a raw epoll echo of the same bytes."""
import contextlib
import os

from rig import CPUS, agent, fresh_directory, instant_aws, issue_request, load, program, running, scratch, wait_for
from table import Row, microseconds, not_measured

CLIENTS = 64


@contextlib.contextmanager
def echo(cpu, request, answer):
    path = scratch("echo.sock")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with running(cpu, program("echo"), path, str(os.path.getsize(request)), answer):
        yield wait_for(path)


def compare(rounds, cpu, sockets, request, size, *more):
    """A B A B: [(agent, echo)] of each round."""
    return [tuple(load(cpu, socket, request, "--answer", size, *more) for socket in sockets) for _ in range(rounds)]


def latency(target, what, pairs, limit):
    a, b = pairs[-1]
    return Row(target, what, [a["p50_ns"] / b["p50_ns"] for a, b in pairs], limit,
               detail=f"{microseconds(a['p50_ns'])} / {microseconds(b['p50_ns'])}")


def target_1(rounds):
    request, answer = issue_request("shared"), scratch("answer")
    rows = []
    with instant_aws(CPUS.all) as aws, agent(aws, CPUS.one, fresh_directory("state")) as made:
        load(CPUS.one, made.socket, request, "--save", answer, ms=50)
        size = str(os.path.getsize(answer))
        with echo(CPUS.one, request, answer) as floor:
            sockets = (made.socket, floor)
            rows.append(latency(1, "cached issue, p50, same CPU", compare(rounds, CPUS.one, sockets, request, size), 1.4))
            if CPUS.other is None:
                return rows + [not_measured(1, "cached issue across CPUs", "one CPU")]
            rows.append(latency(1, "cached issue, p50, across CPUs",
                                compare(rounds, CPUS.other, sockets, request, size), 1.1))
            pairs = compare(rounds, CPUS.other, sockets, request, size, "--clients", str(CLIENTS))
    a, b = pairs[-1]
    rows.append(Row(1, f"cached issue, {CLIENTS} clients, requests/s", [a["per_s"] / b["per_s"] for a, b in pairs], 0.6,
                    at_least=True, detail=f"{a['per_s']:.0f} / {b['per_s']:.0f} a second"))
    return rows
