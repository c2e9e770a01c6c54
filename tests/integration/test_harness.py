# SPDX-License-Identifier: Apache-2.0
"""The crash harness and the simulator say so when they have shown nothing: tests/crash, tests/simulate."""
import argparse
import os
import subprocess
import sys
import time

import pytest

from agent import BUILD, TOP

CRASH = os.path.join(TOP, "tests", "crash")
SIMULATE = os.path.join(BUILD, "tests", "simulate", "kms-simulate")
sys.path += [CRASH, os.path.join(TOP, "tests", "simulate")]

import crash as crash_module  # noqa: E402
import durable  # noqa: E402
import mutants  # noqa: E402
import points  # noqa: E402
import random_kills  # noqa: E402
import straced  # noqa: E402
import workers  # noqa: E402


def crash(*arguments, prefix=()):
    """Returns the CompletedProcess of crash.py on this build."""
    return subprocess.run([*prefix, sys.executable, f"{CRASH}/crash.py", *arguments], text=True, capture_output=True,
                          env={**os.environ, "KMS_BUILD_DIR": BUILD}, timeout=120, check=False)


@pytest.mark.parametrize("arguments", [["--only", "durable/0"], ["--only", "mint/aws/CreateUser/0/lost"], ["--only", "nothing"],
                                       ["--only", "mint/syscall/stranger/read/1"], ["--random", "0"],
                                       ["--random", "abc"], ["--jobs", "0"]], ids=" ".join)
def test_crash_refuses(arguments):
    result = crash(*arguments)
    assert result.returncode == 2 and "error: argument" in result.stderr, result


@pytest.mark.root
@pytest.mark.parametrize("arguments", [[], ["--only", "durable/1"], ["--only", "mint/syscall/main/read/1"]],
                         ids=["all", "durable", "syscall"])
def test_crash_without_the_right_to_trace(arguments):
    """One sentence, not a point after the other that fails."""
    drop = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"]
    result = crash(*arguments, prefix=drop)
    assert result.returncode == 2 and "CAP_SYS_PTRACE" in result.stderr, result
    assert result.stderr.count("\n") == 1 and result.stdout == ""


def test_a_fault_that_does_not_fire_is_no_success():
    result = crash("--only", "session/aws/AssumeRole/7/lost", "--tries", "1")
    assert result.returncode == 1 and "not reached" in result.stdout, result


def test_mints_that_are_not_in_the_record(cloud, monkeypatch):
    monkeypatch.setattr(straced, "threads", lambda pid: {role: [] for role in straced.ROLES})
    monkeypatch.setattr(straced, "Strace", NoStrace)
    with pytest.raises(points.Failed, match="2 mints, but 0 are in the record"):
        durable.check_mints(cloud, 2)


class NoStrace:
    """Sees nothing."""

    def __init__(self, *_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_a_block_in_which_a_client_dies(cloud, monkeypatch):
    def step(*_):
        raise ValueError("of the client")
    monkeypatch.setattr(random_kills.Load, "step", step)
    with pytest.raises(points.Failed, match="of the client"):
        random_kills.run_block(cloud, 1, 1)


def test_a_block_in_which_nothing_is_done(cloud, monkeypatch):
    monkeypatch.setattr(random_kills.Load, "step", lambda *_: time.sleep(0.01))
    with pytest.raises(points.Failed, match="no lease.issue was answered"):
        random_kills.run_block(cloud, 1, 1)


def test_an_agent_that_ends_by_itself():
    with pytest.raises(points.Failed, match="ended by itself, with status -6"):
        points.expect_killed(-6)


def test_what_is_only_in_one_of_the_runs_is_a_point(monkeypatch):
    """And what a thread did that began meanwhile."""
    runs = iter([({("main", "read"): 1}, {"CreateUser": 1}), ({("main", "read"): 2}, {"CreateUser": 1}),
                 ({("worker", "read"): 1, ("main", "read"): 1}, {"CreateUser": 1, "GetUser": 1})])
    monkeypatch.setattr(points, "record_run", lambda *_: tuple(points.collections.Counter(part) for part in next(runs)))
    found, rare = points.enumerate_points(None, "mint")
    assert [point[1:] for point in found if point[0] == "syscall"] == [("main", "read", 1), ("main", "read", 2),
                                                                       ("worker", "read", 1)]
    assert {point[1] for point in found if point[0] == "aws"} == {"CreateUser", "GetUser"}
    assert rare == {point for point in found if point[1] == "GetUser"} | {("syscall", "main", "read", 2),
                                                                          ("syscall", "worker", "read", 1)}


@pytest.mark.parametrize("rare, outcome", [(set(), "not reached"), ({("mint", "aws", "GetUser", 1, "lost")}, "rare")])
def test_only_what_some_runs_did_not_have_may_stay_unreached(monkeypatch, capsys, rare, outcome):
    point = ("mint", "aws", "GetUser", 1, "lost")
    monkeypatch.setattr(workers, "run", lambda *_: [(point, "not reached", "")])
    options = argparse.Namespace(jobs=1, tries=1, verbose=False)
    assert crash_module.run(options, [point], rare) == {outcome: [point]}
    assert "mint/aws/GetUser/1/lost" in capsys.readouterr().out


def die_or_hang(pipe):
    while True:
        item = pipe.recv()
        if item == "die":
            os._exit(3)
        if item == "hang":
            time.sleep(60)
        pipe.send(("clean", ""))


def test_a_process_of_the_harness_that_dies_or_hangs():
    begun = time.monotonic()
    told = {item: (outcome, why) for item, outcome, why in
            workers.run(["a", "die", "b", "hang", "c", "d"], 2, die_or_hang, limit_s=1.5)}
    assert time.monotonic() - begun < 20
    assert {item for item, (outcome, _) in told.items() if outcome == "clean"} == {"a", "b", "c", "d"}
    assert told["die"] == ("FAILED", "its process ended with status 3")
    assert told["hang"][0] == "FAILED" and "longer than" in told["hang"][1]


def test_a_harness_that_is_killed_leaves_no_process(tmp_path):
    script = tmp_path / "harness.py"
    script.write_text(f"""import os, signal, sys
sys.path.append({CRASH!r})
import workers
def serve(pipe):
    while True:
        pipe.recv()
        pipe.send(("clean", ""))
for number, told in enumerate(workers.run(range(8), 2, serve, 5)):
    if number == 4:
        os.kill(os.getpid(), signal.SIGKILL)
""", encoding="utf-8")
    # Whoever is left holds the pipe open, and the wait has no end.
    result = subprocess.run([sys.executable, str(script)], capture_output=True, timeout=10, check=False)
    assert result.returncode == -9


def test_processes_that_all_die():
    with pytest.raises(RuntimeError, match="more than 10 processes died"):
        list(workers.run(["die"] * 30, 2, die_or_hang, limit_s=5))


@pytest.mark.parametrize("arguments", [["--count", "abc"], ["--count", "0"], ["--count", "-5"], ["--count", "5x"],
                                       ["--seed", "x"], ["--jobs", "0"], ["--failures", "0"], ["100"]], ids=" ".join)
def test_simulator_refuses(arguments):
    result = subprocess.run([SIMULATE, *arguments], text=True, capture_output=True, timeout=60, check=False)
    assert result.returncode == 2 and ": not a" in result.stderr and "seeds from" not in result.stdout, result


@pytest.mark.parametrize("name, file, text", [pytest.param(*mutant[:3], id=mutant[0]) for mutant in mutants.MUTANTS])
def test_mutant_is_one_of_this_code(name, file, text):
    """A change of the code must not leave the table of mutants behind: each breaks one place."""
    with open(os.path.join(TOP, file), encoding="utf-8") as source:
        assert source.read().count(text) == 1, f"{name}: mend tests/simulate/mutants.py"
