# SPDX-License-Identifier: Apache-2.0
"""Faults that tests ask for: on the nth call of an action, or with a probability."""

import os
import random
import signal

BEFORE = {"status", "error", "cut_before", "delay", "hang_before", "garbage_html", "other_root", "date"}
AFTER = {"cut_after", "close_after", "delay_after", "hang_after", "bad_xml"}
KINDS = BEFORE | AFTER | {"kill"}
FIELDS = {
    "action",
    "service",
    "nth",
    "count",
    "kind",
    "code",
    "status",
    "message",
    "xml",
    "ms",
    "pid",
    "pid_file",
    "when",
    "signal",
    "probability",
    "seed",
    "match",
    "reset",
    "root",
    "offset_s",
}


class Fault:
    def __init__(self, number, spec):
        unknown = set(spec) - FIELDS
        if unknown:
            raise ValueError(f"unknown fields of a fault: {sorted(unknown)}")
        if spec.get("kind") not in KINDS:
            raise ValueError(f"kind must be one of {sorted(KINDS)}")
        if spec["kind"] == "kill" and not (int(spec.get("pid") or 0) > 1 or spec.get("pid_file")):
            raise ValueError("kill needs a pid above 1 or a pid_file")
        self.number, self.spec, self.kind = number, spec, spec["kind"]
        self.action, self.service = spec.get("action", "*"), spec.get("service")
        self.nth, self.count = int(spec.get("nth", 1)), int(spec.get("count", 1))
        self.probability = spec.get("probability")
        self.random = random.Random(spec.get("seed", 0))
        self.match = spec.get("match") or {}
        self.seen = self.fired = 0

    @property
    def before(self):
        """Whether it keeps the call from being applied."""
        if self.kind == "kill":
            return self.spec.get("when", "before") == "before"
        return self.kind in BEFORE

    def matches(self, call):
        if self.action not in ("*", call.action) or self.service not in (None, call.service):
            return False
        given = dict(call.pairs)
        return all(given.get(name) == value for name, value in self.match.items())

    def due(self):
        """Counts one matching call; says whether the fault wants it."""
        self.seen += 1
        if self.count >= 0 and self.fired >= self.count:
            return False
        if self.probability is not None:
            return self.random.random() < float(self.probability)
        return self.seen >= self.nth

    def kill(self):
        pid = self.spec.get("pid")
        if self.spec.get("pid_file"):
            with open(self.spec["pid_file"], encoding="ascii") as file:
                pid = file.read()
        try:
            os.kill(int(pid), int(self.spec.get("signal", signal.SIGKILL)))
        except ProcessLookupError:
            pass

    def describe(self):
        return {**self.spec, "id": self.number, "seen": self.seen, "fired": self.fired}


class Faults:
    def __init__(self):
        self.list = []
        self.number = 0
        self.hanging = []

    def add(self, specs):
        made = []
        for spec in specs:
            self.number += 1
            made.append(Fault(self.number, spec))
        self.list += made
        return [fault.number for fault in made]

    def clear(self):
        self.list = []
        waiting, self.hanging = self.hanging, []
        for release in waiting:
            release()

    def pick(self, call):
        """The first fault that is due on this call; all that match count it as seen."""
        chosen = None
        for fault in self.list:
            if fault.matches(call) and fault.due() and chosen is None:
                chosen = fault
                fault.fired += 1
        return chosen


class Bucket:
    """AWS's rate limit of a service: a token bucket on the real clock."""

    def __init__(self, now):
        self.rate, self.burst, self.tokens, self.at = None, 0.0, 0.0, now

    def set(self, rate, burst, now):
        self.rate = float(rate) if rate is not None else None
        self.burst = float(burst if burst is not None else (rate or 0))
        self.tokens, self.at = self.burst, now

    def take(self, now):
        if self.rate is None:
            return True
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True
