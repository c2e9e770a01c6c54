#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Kills the agent and looks at what is left at the look-alike: see README.md. Use: make crash [N=KILLS] [SEED=N]
[ONLY=NAME] [JOBS=N], with KMS_BUILD_DIR naming a build of the agent (test hooks are not needed)."""
import argparse
import os
import shutil
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import durable  # noqa: E402
import points  # noqa: E402
import random_kills  # noqa: E402
import workers  # noqa: E402
from agent import AGENTD  # noqa: E402
from client import Cloud  # noqa: E402
from straced import CALLS, ROLES  # noqa: E402

DURABLE_MINTS = 100
TRIES = 12  # how often the loop wakes, and which worker works, is up to the machine
PIECE_S = 900  # the longest that a piece of work may take, with all its tries
CAP_SYS_PTRACE = 19


def name_of(work):
    return "/".join(str(part) for part in work)


def do(cloud, work, tries):
    """The outcome of one piece of work."""
    if work[0] == "random":
        return random_kills.run_block(cloud, work[1], work[2])
    if work[0] == "durable":
        return f"durable:{durable.check_mints(cloud, work[1])}"
    for _ in range(tries):
        try:
            return points.run_point(cloud, work[0], work[1:])
        except points.NotReached:
            continue
    return "not reached"


def do_all(pipe, tries):
    with Cloud.start() as cloud:
        while True:
            work = pipe.recv()
            try:
                pipe.send((do(cloud, work, tries), ""))
            except Exception as error:  # told with the command that replays it
                pipe.send(("FAILED", f"{type(error).__name__}: {error}"))


def enumerate_all(operations):
    """(pieces of work, those among them that not every recorded run had)."""
    work, rare = [], set()
    with Cloud.start() as cloud:
        for operation in operations:
            some, seldom = points.enumerate_points(cloud, operation)
            work += [(operation, *point) for point in some]
            rare |= {(operation, *point) for point in seldom}
    return work, rare


def is_work(work):
    """Whether it names a piece of work that exists, as far as that can be said without doing it."""
    def counts(*parts):
        return all(isinstance(part, int) and part > 0 for part in parts)
    if work[0] == "random":
        return len(work) == 3 and isinstance(work[1], int) and counts(work[2])
    if work[0] == "durable":
        return len(work) == 2 and counts(work[1])
    if len(work) != 5 or work[0] not in points.OPERATIONS:
        return False
    if work[1] == "syscall":
        return work[2] in ROLES and work[3] in CALLS and counts(work[4])
    return work[1] == "aws" and isinstance(work[2], str) and counts(work[3]) and work[4] in points.WHATS


def only(text):
    work = tuple(int(part) if part.isdigit() else part for part in text.split("/"))
    if not is_work(work):
        raise argparse.ArgumentTypeError(f"there is no point {text}")
    return work


def positive(text):
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return int(text)


def traces(options):
    """Whether the run needs strace."""
    if options.only:
        return options.only[0] == "durable" or options.only[1] == "syscall"
    return not options.random


def may_trace():
    """The agent is not dumpable, so that even its own user may not trace it."""
    with open("/proc/self/status", encoding="ascii") as file:
        effective = next(line.split()[1] for line in file if line.startswith("CapEff:"))
    return bool(int(effective, 16) >> CAP_SYS_PTRACE & 1)


def what_is_missing(options):
    """One sentence, or None."""
    if not os.access(AGENTD, os.X_OK):
        return f"there is no {AGENTD}: build it, or set KMS_BUILD_DIR to another build directory"
    if traces(options) and not shutil.which("strace"):
        return "strace is not installed (apt-get install strace)"
    if traces(options) and not may_trace():
        return "tracing the agent needs root, or CAP_SYS_PTRACE; as another user only N=KILLS and ONLY=…/aws/… work"
    return None


def plan(options):
    """(pieces of work, those among them that need not be reached)."""
    if options.only:
        return [options.only], set()
    if options.random:
        blocks = -(-options.random // random_kills.KILLS_PER_BLOCK)
        return [("random", options.seed + block, random_kills.KILLS_PER_BLOCK) for block in range(blocks)], set()
    work, rare = enumerate_all(options.operations)
    return work + [("durable", DURABLE_MINTS)], rare


def run(options, work, rare):
    """{outcome: [work, …]}; failures are told as they come."""
    outcomes = {}
    told = workers.run(work, options.jobs, lambda pipe: do_all(pipe, options.tries), PIECE_S)
    for number, (item, outcome, why) in enumerate(told, 1):
        if outcome == "not reached" and item in rare:
            outcome, why = "rare", "not reached; not every recorded run had it"
        outcomes.setdefault(outcome, []).append(item)
        if options.verbose or outcome in ("FAILED", "not reached", "rare"):
            print(f"{name_of(item)}: {outcome} {why}\n  replay: make crash ONLY={name_of(item)}", flush=True)
        elif number % 50 == 0:
            print(f"{number} of {len(work)}", flush=True)
    return outcomes


def tell_points(work):
    counts = {}
    for item in work:
        key = (item[0], item[1]) if item[1] in ("syscall", "aws") else (item[0], "")
        counts[key] = counts.get(key, 0) + 1
    for (operation, kind), count in sorted(counts.items()):
        print(f"{operation:8} {kind:8} {count:5}")


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=only, help="one point, as a failure names it")
    parser.add_argument("--random", type=positive, help="so many kills at random times")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=positive, default=2 * (os.cpu_count() or 1))
    parser.add_argument("--tries", type=positive, default=TRIES, help="how often a point is tried that is not reached")
    parser.add_argument("--operations", nargs="+", default=list(points.OPERATIONS), choices=list(points.OPERATIONS))
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--list", action="store_true", help="only tell which points there are")
    return parser.parse_args()


def main():
    options, begun = parse(), time.monotonic()
    missing = what_is_missing(options)
    if missing:
        print(missing, file=sys.stderr)
        return 2
    work, rare = plan(options)
    tell_points(work)
    if options.list:
        print("\n".join(name_of(item) for item in work))
        return 0
    outcomes = run(options, work, rare)
    counts = {outcome: len(items) for outcome, items in sorted(outcomes.items())}
    print(f"{len(work)} pieces of work in {time.monotonic() - begun:.0f} s: {counts}")
    return 1 if counts.get("FAILED") or counts.get("not reached") else 0


if __name__ == "__main__":
    sys.exit(main())
