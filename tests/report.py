#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Adds up what the stages of ./check left in a directory of results.

report.py stage DIR/NAME     one line for one stage
report.py sum DIR            what was skipped and why, and the closing line; exit status 1 on a failure

A stage's directory holds `rc` (exit status), and of its tests, if it has any: *.xml (junit, of pytest), *.trs (of
automake) or tap (lines "ok …", "not ok …", "ok … # SKIP reason"). With CI=true a skip that tests/skips does not
list counts as a failure.
"""
import fnmatch
import os
import sys
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))


class Counts:
    def __init__(self):
        self.passed, self.failed, self.skipped = [], [], []  # skipped: (id, reason)

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def text(self):
        return f"{len(self.passed)} passed, {len(self.failed)} failed, {len(self.skipped)} skipped"


def junit(path, counts):
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        ident = f"{case.get('classname', '').replace('.', '/')}::{case.get('name')}"
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            counts.failed.append(ident)
        elif skipped is not None:
            counts.skipped.append((ident, skipped.get("message") or ""))
        else:
            counts.passed.append(ident)


def trs(path, counts):
    ident = os.path.splitext(path)[0].split("/tests/", 1)[-1]
    with open(path, encoding="utf-8") as file:
        results = [line.split()[1] for line in file if line.startswith(":test-result:")]
    for result in results:
        if result == "SKIP":
            counts.skipped.append((ident, "said so itself"))
        else:
            (counts.passed if result in ("PASS", "XFAIL") else counts.failed).append(ident)


def tap(path, counts):
    with open(path, encoding="utf-8") as file:
        for line in file.read().splitlines():
            good = line.startswith("ok ")
            if not good and not line.startswith("not ok "):
                continue
            text, _, reason = line.partition("ok ")[2].partition(" # SKIP ")
            if reason:
                counts.skipped.append((text, reason))
            else:
                (counts.passed if good else counts.failed).append(text)


def stage(directory):
    counts = Counts()
    for base, _, names in os.walk(directory):
        for name in sorted(names):
            path = os.path.join(base, name)
            if name.endswith(".xml"):
                junit(path, counts)
            elif name.endswith(".trs"):
                trs(path, counts)
            elif name == "tap":
                tap(path, counts)
    name = os.path.basename(directory)
    try:
        with open(os.path.join(directory, "rc"), encoding="ascii") as file:
            status = int(file.read())
    except (OSError, ValueError):
        status = 1
    if status != 0 and not counts.failed:
        counts.failed.append(f"{name} (ended with {status})")
    elif status == 0 and not (counts.passed or counts.failed or counts.skipped):
        counts.passed.append(name)
    counts.failed = [f"{name}/{ident}" for ident in counts.failed]
    counts.skipped = [(f"{name}/{ident}", reason) for ident, reason in counts.skipped]
    return counts


def listed_skips():
    """Lines "ID-PATTERN  REASON" of tests/skips."""
    with open(os.path.join(HERE, "skips"), encoding="utf-8") as file:
        return [line.split()[0] for line in file if line.strip() and not line.startswith("#")]


def show_sum(directory):
    total, unlisted, patterns = Counts(), [], listed_skips()
    for name in sorted(os.listdir(directory)):
        if os.path.isdir(os.path.join(directory, name)):
            total.add(stage(os.path.join(directory, name)))
    for ident, reason in total.skipped:
        print(f"skipped: {ident}: {reason}")
        if not any(fnmatch.fnmatchcase(ident, pattern) for pattern in patterns):
            unlisted.append(ident)
    for ident in total.failed:
        print(f"failed: {ident}")
    if os.environ.get("CI") == "true" and unlisted:
        print(f"CI: {len(unlisted)} skips are not listed in tests/skips and count as failures")
        total.failed += unlisted
        total.skipped = [(ident, reason) for ident, reason in total.skipped if ident not in unlisted]
    print(f"check: {total.text()}")
    return 1 if total.failed or not total.passed else 0


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("stage", "sum"):
        sys.exit(__doc__)
    if sys.argv[1] == "stage":
        print(stage(sys.argv[2]).text())
        return 0
    return show_sum(sys.argv[2])


if __name__ == "__main__":
    sys.exit(main())
