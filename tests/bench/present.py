# SPDX-License-Identifier: Apache-2.0
"""Targets 5 to 7: memory, start and sweep of the due index, with nothing and with a million leases present."""
import os
import time

from rig import (AGENTD, AGENT_ID, CPUS, MEGABYTE, agent, fresh_directory, instant_aws, memory, program, run, running,
                 scratch, seeded)
from table import Row, microseconds

PRESENT = 1000000
FEW, MANY = 1000, 10000
SETTLE_S = 2
DUE_IN_S = 4


def idle(aws, state):
    """(resident, anonymous) of an agent that has settled."""
    with agent(aws, CPUS.one, state) as made:
        time.sleep(SETTLE_S)
        return memory(made.pid)


def target_5(rounds):
    floors, empty, full = [], [], []
    with instant_aws(CPUS.all) as aws:
        for number in range(min(rounds, 3)):
            with running(CPUS.one, program("empty")) as process:
                time.sleep(0.5)
                floors.append(memory(process.pid)[0])
            empty.append(idle(aws, fresh_directory("state")))
            full.append(idle(aws, seeded(PRESENT)))
    return [Row(5, "idle RSS", [a[0] / floor for a, floor in zip(empty, floors)], 1.5,
                detail=f"{empty[-1][0] / MEGABYTE:.1f} / {floors[-1] / MEGABYTE:.1f} MB"),
            Row(5, "anonymous RSS, 1M leases against none", [a[1] / b[1] for a, b in zip(full, empty)], 1.1,
                detail=f"{full[-1][1] / MEGABYTE:.1f} / {empty[-1][1] / MEGABYTE:.1f} MB")]


def ready(made, state):
    """One start to READY=1, in ns, of an agent that is not running, on its configuration and a state directory."""
    return run(CPUS.one, program("ready"), scratch("notify"), AGENTD, "--config", made.config, "--state-directory",
               state, quiet=True, CREDENTIALS_DIRECTORY=f"{made.path}/credentials")[0]["p50_ns"]


def evict(state):
    """Out of the page cache: nobody maps the file now, and its pages are clean."""
    fd = os.open(os.path.join(state, "data.mdb"), os.O_RDONLY)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)


def target_6(rounds):
    ratios, more_ms, detail, cold_detail = [], [], "", ""
    full, none = seeded(PRESENT), fresh_directory("state")
    with instant_aws(CPUS.all) as aws, agent(aws, CPUS.one, none) as made:
        made.stop()
        for _ in range(2 * rounds):
            without, warm = ready(made, none), ready(made, full)
            evict(full)
            cold = ready(made, full)
            ratios.append(warm / without)
            more_ms.append((cold - without) / 1e6)
            detail = f"{microseconds(warm)} / {microseconds(without)}"
            cold_detail = f"{microseconds(cold)} - {microseconds(without)}"
    return [Row(6, "READY, 1M leases against none", ratios, 1.2, detail=detail),
            Row(6, "READY, 1M leases cold, more than none", more_ms, 10, unit=" ms", detail=cold_detail)]


def nothing_due(state):
    return run(CPUS.one, program("due"), state, AGENT_ID, "2000")[0]["p50_ns"]


def expire(aws, count):
    """Seconds from the end of so many sessions to the last of them being recorded as ended."""
    start = time.time()
    state = seeded(count, DUE_IN_S, "store-due")
    with agent(aws, CPUS.one, state) as made, made.rpc() as rpc:
        assert rpc.call("agent.status")["live_leases"] == count, "the leases ended before the agent was ready"
        first = None
        while (live := rpc.call("agent.status")["live_leases"]) > 0:
            if live < count and first is None:
                first = time.time()
            assert time.time() < start + 120, f"{live} leases are left"
            time.sleep(0.002)
        return time.time() - first if first is not None else 0.0


def target_7(rounds):
    looks = [(nothing_due(seeded(PRESENT)), nothing_due(seeded(FEW))) for _ in range(rounds)]
    with instant_aws(CPUS.all) as aws:
        took = [(expire(aws, MANY), expire(aws, FEW)) for _ in range(rounds)]
    (a, b), (many, few) = looks[-1], took[-1]
    return [Row(7, "nothing due, 1M leases against 1,000", [a / b for a, b in looks], 2.0,
                detail=f"{microseconds(a)} / {microseconds(b)}"),
            Row(7, "10,000 due against 1,000", [a / b for a, b in took], 11.0,
                detail=f"{many * 1e3:.0f} ms / {few * 1e3:.0f} ms")]
