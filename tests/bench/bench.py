#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The speed targets, each against its floor in the same run: bench.py [--only N[,N…]] [--rounds N]

Prints one table of ratios and exits 0 whatever they are. KMS_BUILD_DIR is a build without sanitizers and test hooks;
`make bench` runs this. Stores and the floors' files are in its directory bench-scratch: it must be on a disk."""
import argparse
import contextlib
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from rig import BUILD, SCRATCH, why_not_this_build  # noqa: E402
from table import not_measured, show  # noqa: E402
import cached  # noqa: E402
import calls  # noqa: E402
import command  # noqa: E402
import mint  # noqa: E402
import present  # noqa: E402

TARGETS = {1: cached.target_1, 2: mint.target_2, 3: mint.target_3, 4: command.target_4, 5: present.target_5,
           6: present.target_6, 7: present.target_7, 8: calls.target_8, 9: calls.target_9}


def measure(number, rounds):
    """The rows of a target; one that could not be measured is a row too, so that the others are shown."""
    print(f"target {number} …", file=sys.stderr)
    try:
        return TARGETS[number](rounds)
    except Exception as error:  # pylint: disable=broad-except
        return [not_measured(number, "", f"{type(error).__name__}: {error}")]


def take_priority():
    """Other work on the machine waits for the agent and for the floors alike, where that is permitted."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -20)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="targets, separated by commas")
    parser.add_argument("--rounds", type=int, default=5, help="A B pairs of each figure")
    options = parser.parse_args()
    only = [int(word) for word in options.only.split(",") if word] or list(TARGETS)
    if set(only) - set(TARGETS):
        parser.error(f"the targets are {min(TARGETS)} to {max(TARGETS)}")
    why = why_not_this_build()
    if why is not None:
        sys.exit(f"{BUILD}: {why}; configure a directory of its own without options, and make bench there")
    take_priority()
    shutil.rmtree(SCRATCH, ignore_errors=True)
    os.mkdir(SCRATCH, 0o700)
    try:
        rows = [row for number in only for row in measure(number, options.rounds)]
    finally:
        shutil.rmtree(SCRATCH, ignore_errors=True)
    show(rows)


if __name__ == "__main__":
    main()
