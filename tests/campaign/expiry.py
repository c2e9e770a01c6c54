#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Mass expiry, measured: how late is each key dead, is any early, and what do other clients notice meanwhile.

    expiry.py spread [--leases 10000]      leases with TTLs of 5 to 60 s, iam_rate 500 a second
    expiry.py burst  [--leases 1000]       leases due in the same second, 10 calls a second
    expiry.py race   [--rounds 10000]      renewals at 30 s before the end against the revocation

KMS_BUILD_DIR is a build without sanitizers, with test hooks for race. Times are those of the look-alike: when
DeleteAccessKey came there, against the end that the agent told the client (the dated fence has stopped the key
already then). Exit status 1 when a promise is broken; --report-only never."""
import argparse
import collections
import os
import random
import sys
import threading
import time
from datetime import datetime

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "integration"), os.path.join(HERE, "..", "cloud")]

from agent import Agent  # noqa: E402
from client import Cloud  # noqa: E402
from rpc import RpcError  # noqa: E402


def seconds(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]


class Lateness:
    """Ends as the agent keeps them (created + ttl, milliseconds) against the first successful DeleteAccessKey."""

    def __init__(self, cloud, leases):
        dead = {}
        for call in cloud.calls("DeleteAccessKey"):
            if call["error_code"] is None:
                dead.setdefault(call["params"]["AccessKeyId"], seconds(call["wall"]))
        self.missing = [lease for lease in leases if lease["access_key_id"] not in dead]
        self.late = [dead[lease["access_key_id"]] - lease["end"] for lease in leases
                     if lease["access_key_id"] in dead]

    def report(self):
        late = self.late or [0]
        print(f"  late: p50 {percentile(late, .5):.3f} s, p99 {percentile(late, .99):.3f} s, max {max(late):.3f} s; "
              f"early: {sum(value < -0.001 for value in late)} (earliest {min(late):.3f} s); not dead: {len(self.missing)}")


def end_of(lease):
    """The end in milliseconds: the id's time (UUIDv7, made when the request came) bounds the intent from below, and
    issued_at is whole seconds; the intent lies between them and the answer. For lateness the later bound counts."""
    return int(lease["lease_id"].replace("-", "")[:12], 16) / 1000 + lease["granted_ttl_s"]


class Probes:
    """Another client: agent.status and a lease list, twenty times a second; how long each takes."""

    def __init__(self, agent):
        self.took, self.stop = [], threading.Event()
        self.thread = threading.Thread(target=self.run, args=(agent,), daemon=True)
        self.thread.start()

    def run(self, agent):
        with agent.rpc() as rpc:
            while not self.stop.is_set():
                start = time.monotonic()
                rpc.call("agent.status")
                self.took.append(time.monotonic() - start)
                time.sleep(0.05)

    def end(self):
        self.stop.set()
        self.thread.join()
        return self.took


def issue_many(agent, ttls, in_flight=8):
    """Leases with these TTLs, pipelined; each with its end."""
    leases = []
    with agent.rpc(timeout_s=120) as rpc:
        waiting = collections.deque()
        for ttl in ttls:
            waiting.append(rpc.send("lease.issue", {"secret": "app", "ttl_s": ttl}))
            if len(waiting) >= in_flight:
                leases.append(rpc.wait(waiting.popleft()))
        while waiting:
            leases.append(rpc.wait(waiting.popleft()))
    for lease in leases:
        lease["end"] = end_of(lease)
    return leases


def wait_dead(cloud, leases, timeout_s):
    """Asks only for what is new: the look-alike serves one request at a time, and ten thousand log entries a second
    would hold up the very calls that are measured."""
    end = time.monotonic() + timeout_s
    alive, since = {lease["access_key_id"] for lease in leases}, [0, 0, 0]
    while alive and time.monotonic() < end:
        since = [*since[1:], cloud.mark()]
        # From two looks ago: an entry is there before its call is answered.
        alive -= {call["params"]["AccessKeyId"] for call in cloud.calls("DeleteAccessKey", since=since[0])
                  if call["error_code"] is None and call["answered"]}
        time.sleep(1)


def options(rate):
    return {"iam_rate": rate, "max_leases_per_uid": 100000, "mint_rate_per_uid": 10000.0,
            "max_connections_per_uid": 1000}


def make_agent(cloud, rate):
    agent = Agent(cloud, options=options(rate))
    agent.secrets = {"app": agent.iam_user(max_leases=100000, max_ttl="24h")}
    agent.write_config()
    return agent.start()


def spread(cloud, arguments):
    """Issued and expiring at once: the budget serves both, revocations first."""
    agent = make_agent(cloud, arguments.rate)
    picker = random.Random(arguments.seed)
    try:
        start = time.monotonic()
        leases = issue_many(agent, [picker.randint(5, 60) for _ in range(arguments.leases)], 16)
        took = time.monotonic() - start
        wait_dead(cloud, leases, 120)
        lateness = Lateness(cloud, leases)
        calls = cloud.mark()
        print(f"spread: {len(leases)} leases, TTL 5 to 60 s, iam_rate {arguments.rate}/s; issued in {took:.1f} s, "
              f"{calls} calls at the look-alike")
        lateness.report()
        return (not lateness.missing and min(lateness.late) >= -0.001 and percentile(lateness.late, .99) <= 1
                and max(lateness.late) <= 2)
    finally:
        agent.kill()
        agent.remove()


def burst(cloud, arguments):
    """All are due in the same second; the budget is ten calls a second."""
    agent = make_agent(cloud, 500.0)
    try:
        leases = issue_many(agent, [3600] * arguments.leases, 16)
        # The rate goes down by a reload, and the end comes by the clock of the look-alike and of the agent.
        agent.options["iam_rate"] = arguments.rate
        agent.write_config()
        agent.reload()
        time.sleep(1)
        probes = Probes(agent)
        start = time.time()
        cloud.clock(3700)
        agent.write_clock(3700000, 3700000)
        wait_dead(cloud, leases, 180)
        dead = [seconds(call["wall"]) for call in cloud.calls("DeleteAccessKey") if call["error_code"] is None]
        took = probes.end()
        last = max(dead) - start if dead else float("inf")
        print(f"burst: {len(leases)} leases due in one second, iam_rate {arguments.rate}/s: last key dead after "
              f"{last:.1f} s, {len(dead)} dead; {len(took)} requests of another client meanwhile: "
              f"p50 {percentile(took, .5) * 1000:.1f} ms, p99 {percentile(took, .99) * 1000:.1f} ms, "
              f"max {max(took) * 1000:.1f} ms")
        return len(dead) == len(leases) and last <= 110 and percentile(took, .99) <= 0.05
    finally:
        agent.kill()
        agent.remove()


def connected(agent):
    """A connection; a crowd that comes at once finds the listener's queue full for a moment."""
    while True:
        try:
            return agent.rpc()
        except BlockingIOError:
            time.sleep(0.005)


def renew_at(agent, lease, at, result):
    """Waits for the moment, renews, keeps what the agent said."""
    with connected(agent) as rpc:
        time.sleep(max(0, at - time.time()))
        try:
            result["renewed"] = rpc.call("lease.renew", lease_id=lease["lease_id"], ttl_s=45)
        except RpcError as error:
            result["error"] = error.code


def check_race(cloud, lease, result, revoked):
    """Model: renewed and not revoked means alive with a later fence; refused means its end stays; revoked means dead."""
    user = cloud.get(lease["username"])
    alive = user is not None and any(not key.get("deleted") for key in user["keys"])
    if revoked:
        return not alive, "revoked and alive"
    if "renewed" in result:
        return alive, "renewed and dead"
    return result["error"] in ("lease_ended", "not_renewable", "invalid_ttl"), f"strange error {result['error']}"


LEAST_SHARE = 0.1  # of renewals that nobody revokes: so many are accepted, and so many come too late


def both_sides(outcome):
    """Whether the moment was hit: of what nobody revoked, not nearly all was accepted, nor nearly all refused."""
    accepted, refused = outcome["renewed"], sum(outcome[code] for code in ("lease_ended", "not_renewable"))
    return min(accepted, refused) >= LEAST_SHARE * (accepted + refused) > 0


def race(cloud, arguments):
    """Renewals at T − 30 s ± 10 ms, the last moment that is accepted, half of them against a revocation by the client
    at the same moment. A lease of 32 s comes there two seconds after it was made."""
    agent = make_agent(cloud, 500.0)
    picker = random.Random(arguments.seed)
    outcome, bad = collections.Counter(), []
    try:
        done = 0
        while done < arguments.rounds:
            count = min(100, arguments.rounds - done)
            leases = issue_many(agent, [32] * count, 16)
            threads, results = [], []
            for lease in leases:
                at = lease["end"] - 30 + picker.uniform(-0.01, 0.01)
                result = {"revoke": picker.random() < 0.5}
                results.append(result)
                threads.append(threading.Thread(target=renew_at, args=(agent, lease, at, result), daemon=True))
                if result["revoke"]:
                    threads.append(threading.Thread(target=revoke_at, args=(agent, lease, at + picker.uniform(-.01, .01),
                                                                            result), daemon=True))
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            users = cloud.users()
            for lease, result in zip(leases, results):
                ok, why = check_race(users, lease, result, result["revoke"])
                outcome["revoked" if result["revoke"] else "renewed" if "renewed" in result else result["error"]] += 1
                if result["revoke"] and "renewed" in result:
                    outcome["renewed, then revoked"] += 1
                if not ok:
                    bad.append((why, lease["lease_id"], result))
                if "renewed" in result and not result["revoke"]:
                    fence = str(users[lease["username"]]["inline"]["kms-fence"])
                    if result["renewed"]["expires_at"] not in fence:
                        bad.append(("the fence is not that of the renewal", lease["lease_id"], result))
            agent.call("lease.revoke", secret="app", all=True)
            done += count
        print(f"race: {done} rounds: {dict(outcome)}; {len(bad)} violations {bad[:3]}")
        if not both_sides(outcome):
            print(f"  of the renewals that nobody revoked, less than {LEAST_SHARE:.0%} were accepted, or refused: "
                  "the moment was missed")
        return not bad and both_sides(outcome)
    finally:
        agent.kill()
        agent.remove()


def revoke_at(agent, lease, at, result):
    with connected(agent) as rpc:
        time.sleep(max(0, at - time.time()))
        result["revoked"] = rpc.call("lease.revoke", lease_id=lease["lease_id"])["state"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["spread", "burst", "race", "all"])
    parser.add_argument("--leases", type=int)
    parser.add_argument("--rounds", type=int, default=10000)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report-only", action="store_true")
    arguments = parser.parse_args()
    runs = {"spread": (spread, 10000, 500.0), "burst": (burst, 1000, 10.0), "race": (race, 0, 500.0)}
    ok = True
    for name in runs if arguments.what == "all" else [arguments.what]:
        run, leases, rate = runs[name]
        chosen = argparse.Namespace(**{**vars(arguments), "leases": arguments.leases or leases,
                                       "rate": arguments.rate or rate})
        with Cloud.start() as cloud:
            cloud.quotas(users=100000)
            ok = run(cloud, chosen) and ok
    sys.exit(0 if ok or arguments.report_only else 1)


if __name__ == "__main__":
    main()
