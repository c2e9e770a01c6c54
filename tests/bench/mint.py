# SPDX-License-Identifier: Apache-2.0
"""Targets 2 and 3: mints with durable leases among a million, and what others notice, against one 4 KiB fdatasync.

AWS answers at once and costs what a bare HTTP round trip of the same bytes costs; that is taken out of the latencies,
once for each call. Signing and libcurl are the agent's own. In the throughputs everything is counted: the machine has
the same CPUs for the agent, AWS and the clients."""
import subprocess

from rig import (CPUS, agent, bare_round_trip, clean_env, fresh_directory, instant_aws, issue_request, load, program,
                 seeded, sync_floor)
from table import Row, microseconds

CLIENTS = 64
PRESENT = 1000000
DELAY_US = 50000  # as fast as AWS answers at its best
# What is minted: secret, calls of AWS, limits of p50 and of throughput.
KINDS = [("session mint", "own", ["AssumeRole"], 4.0, 3.5),
         ("IAM user mint", "user", ["CreateUser", "PutUserPolicy", "CreateAccessKey"], 7.0, 1.7)]


def refused(figures):
    assert figures["refused"] == 0 and figures["count"] > 0, f"mints were refused: {figures}"
    return figures


def one_at_a_time(rounds, state):
    rows = []
    with instant_aws(CPUS.one) as aws, agent(aws, CPUS.one, state) as made:
        for what, secret, calls, limit, _ in KINDS:
            request, values, detail = issue_request(secret), [], ""
            for _ in range(rounds):
                floor = sync_floor()
                mint = refused(load(CPUS.one, made.socket, request, ms=1000))
                away = sum(bare_round_trip(CPUS.one, aws, call) for call in calls)
                values.append((mint["p50_ns"] - away) / floor["p50_ns"])
                detail = (f"{microseconds(mint['p50_ns'])} - {microseconds(away)} of AWS"
                          f" / {microseconds(floor['p50_ns'])}")
            rows.append(Row(2, f"{what}, p50, one CPU", values, limit, detail=detail))
    return rows


def many(rounds, state):
    rows = []
    with instant_aws(CPUS.all) as aws, agent(aws, CPUS.all, state) as made:
        for what, secret, _, _, limit in KINDS:
            request, values, detail = issue_request(secret), [], ""
            for _ in range(rounds):
                floor = sync_floor()
                mint = refused(load(CPUS.all, made.socket, request, "--clients", str(CLIENTS), ms=2000))
                values.append(mint["per_s"] / floor["per_s"])
                detail = f"{mint['per_s']:.0f} / {floor['per_s']:.0f} a second"
            rows.append(Row(2, f"{what}, {CLIENTS} clients, a second", values, limit, at_least=True, detail=detail))
    return rows


def target_2(rounds):
    state = seeded(PRESENT)
    return one_at_a_time(rounds, state) + many(rounds, state)


def beside_mints(rounds, what, delay_us):
    values, detail = [], ""
    cached, mint = issue_request("shared"), issue_request("own")
    with instant_aws(CPUS.all, delay_us) as aws, agent(aws, CPUS.all, fresh_directory("state")) as made:
        load(CPUS.one, made.socket, cached, ms=50)
        for _ in range(rounds):
            floor = sync_floor()
            issuers = subprocess.Popen(
                CPUS.pin(CPUS.all, program("load"), "--unix", made.socket, "--request", mint, "--clients",
                         str(CLIENTS), "--ms", "3000"), stdout=subprocess.PIPE, env=clean_env())
            probe = load(CPUS.all, made.socket, cached, "--gap-us", "500", "--warm", "500", ms=2000)
            issuers.communicate()
            values.append(probe["p99_ns"] / floor["p50_ns"])
            detail = (f"{microseconds(probe['p99_ns'])} (p50 {microseconds(probe['p50_ns'])})"
                      f" / {microseconds(floor['p50_ns'])}")
    return Row(3, f"cached issue, p99, while {CLIENTS} mint, {what}", values, 2.0, detail=detail)


def target_3(rounds):
    """At once, agent, AWS and clients fill all CPUs, and the probe waits for one as everybody does."""
    return [beside_mints(rounds, "AWS at once", 0),
            beside_mints(rounds, f"AWS in {DELAY_US // 1000} ms", DELAY_US)]
