#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Kills the agent and looks at what is left at the look-alike: see README.md. Use: make crash [N=KILLS] [SEED=N]
[ONLY=NAME] [JOBS=N], with KMS_BUILD_DIR naming a build of the agent (test hooks are not needed)."""
import argparse
import multiprocessing
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import durable  # noqa: E402
import points  # noqa: E402
import random_kills  # noqa: E402
from client import Cloud  # noqa: E402

DURABLE_MINTS = 100
TRIES = 12  # how often the loop wakes, and which worker works, is up to the machine


def name_of(work):
    return "/".join(str(part) for part in work)


def do(cloud, work):
    """The outcome of one piece of work."""
    if work[0] == "random":
        return random_kills.run_block(cloud, int(work[1]), int(work[2]))
    if work[0] == "durable":
        return f"durable:{durable.check_mints(cloud, int(work[1]))}"
    operation, point = work[0], work[1:]
    for _ in range(TRIES):
        try:
            return points.run_point(cloud, operation, point)
        except points.NotReached:
            continue
    return "not reached"


def worker(queue, results):
    with Cloud.start() as cloud:
        while (work := queue.get()) is not None:
            try:
                results.put((work, do(cloud, work), ""))
            except Exception as error:  # told with the command that replays it
                results.put((work, "FAILED", f"{type(error).__name__}: {error}"))


def enumerate_all(operations):
    with Cloud.start() as cloud:
        return [(operation, *point) for operation in operations
                for point in points.enumerate_points(cloud, operation)]


def parse_only(text):
    parts = text.split("/")
    return tuple(int(part) if part.isdigit() else part for part in parts)


def plan(options):
    if options.only:
        return [parse_only(options.only)]
    if options.random:
        blocks = -(-options.random // random_kills.KILLS_PER_BLOCK)
        return [("random", options.seed + block, random_kills.KILLS_PER_BLOCK) for block in range(blocks)]
    work = enumerate_all(options.operations)
    return work + [("durable", DURABLE_MINTS)]


def run(options, work):
    """{outcome: [work, …]}; failures are told as they come."""
    queue, results = multiprocessing.Queue(), multiprocessing.Queue()
    jobs = min(options.jobs, len(work))
    for item in work + [None] * jobs:
        queue.put(item)
    workers = [multiprocessing.Process(target=worker, args=(queue, results)) for _ in range(jobs)]
    for process in workers:
        process.start()
    outcomes = {}
    for number in range(len(work)):
        item, outcome, why = results.get()
        outcomes.setdefault(outcome, []).append(item)
        if options.verbose or outcome in ("FAILED", "not reached"):
            print(f"{name_of(item)}: {outcome} {why}\n  replay: make crash ONLY={name_of(item)}", flush=True)
        elif (number + 1) % 50 == 0:
            print(f"{number + 1} of {len(work)}", flush=True)
    for process in workers:
        process.join()
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
    parser.add_argument("--only", help="one point, as a failure names it")
    parser.add_argument("--random", type=int, default=0, help="so many kills at random times")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1))
    parser.add_argument("--operations", nargs="+", default=list(points.OPERATIONS), choices=list(points.OPERATIONS))
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--list", action="store_true", help="only tell which points there are")
    return parser.parse_args()


def main():
    options, begun = parse(), time.monotonic()
    work = plan(options)
    tell_points(work)
    if options.list:
        print("\n".join(name_of(item) for item in work))
        return 0
    outcomes = run(options, work)
    counts = {outcome: len(items) for outcome, items in sorted(outcomes.items())}
    print(f"{len(work)} pieces of work in {time.monotonic() - begun:.0f} s: {counts}")
    return 1 if counts.get("FAILED") or counts.get("not reached") else 0


if __name__ == "__main__":
    sys.exit(main())
