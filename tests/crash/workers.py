# SPDX-License-Identifier: Apache-2.0
"""Processes that do pieces of work, one at a time each. A process that dies, or takes too long over a piece, costs
that piece, never the answer: it is told as failed and another process takes the place."""
import collections
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import time

FORKED = multiprocessing.get_context("fork")
DEATHS_MAX = 10  # something is wrong with all of them


def serve(pipe, others, do_all):
    """In the process: a group of its own, so that what it started can be ended with it. The copies of others' pipes
    are closed: when the harness itself is killed, the next piece that does not come ends the process."""
    os.setsid()
    for other in others:
        other.close()
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        do_all(pipe)


class Worker:
    open_pipes = set()

    def __init__(self, do_all):
        self.pipe, theirs = FORKED.Pipe()
        self.open_pipes.add(self.pipe)
        self.process = FORKED.Process(target=serve, args=(theirs, list(self.open_pipes), do_all), daemon=True)
        self.process.start()
        theirs.close()
        self.item, self.since = None, 0.0

    def give(self, item):
        self.item, self.since = item, time.monotonic()
        with contextlib.suppress(BrokenPipeError):
            self.pipe.send(item)

    def take(self, limit_s):
        """(outcome, why) of its piece, or None while it works on; "died" when there will be none."""
        with contextlib.suppress(EOFError, ConnectionResetError):
            if self.pipe.poll():
                return self.pipe.recv()
            if self.process.is_alive() and time.monotonic() - self.since < limit_s:
                return None
            if self.process.is_alive():
                return "died", f"it took longer than {limit_s:.0f} s"
        self.process.join(5)
        return "died", f"its process ended with status {self.process.exitcode}"

    def end(self):
        """With all that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.join()
        self.open_pipes.discard(self.pipe)
        self.pipe.close()


def run(work, jobs, do_all, limit_s):
    """Yields (piece, outcome, why). do_all(pipe) receives pieces for ever (EOFError ends it) and sends (outcome, why)."""
    waiting, deaths = collections.deque(work), 0
    workers = [Worker(do_all) for _ in range(min(jobs, len(work)))]
    try:
        while True:
            for worker in workers:
                if worker.item is None and waiting:
                    worker.give(waiting.popleft())
            busy = [worker for worker in workers if worker.item is not None]
            if not busy:
                return
            multiprocessing.connection.wait([worker.pipe for worker in busy] +
                                            [worker.process.sentinel for worker in busy], timeout=1)
            for worker in busy:
                taken = worker.take(limit_s)
                if taken is None:
                    continue
                item, worker.item = worker.item, None
                outcome, why = taken
                if outcome == "died":
                    deaths += 1
                    worker.end()
                    if deaths > DEATHS_MAX:
                        raise RuntimeError(f"more than {DEATHS_MAX} processes died, the last over {item}: {why}")
                    workers[workers.index(worker)] = Worker(do_all)
                    outcome = "FAILED"
                yield item, outcome, why
    finally:
        for worker in workers:
            worker.end()
