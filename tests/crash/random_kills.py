# SPDX-License-Identifier: Apache-2.0
"""SIGKILL at random times of a mixed load: issue, renew, revoke, short leases, calls that fail; of a start as well.
After every few kills the load stops, and all must become clean."""
import collections
import contextlib
import random
import threading
import time

from agent import Agent
from points import GONE, Failed, check_no_doubles, discard, expect_killed, live_leases, wait_clean
from rpc import RpcError

KILLS_PER_BLOCK = 20
CLIENTS = 3
START_WITHIN_S = (0.01, 0.03, 0.3)  # when a start is killed at the latest; most are ready after 0.02
CLIENT_ENDS_S = 40  # longer than any answer may take
# What AWS does meanwhile, now and then.
FAULTS = ("cut_before", "cut_after", "status", "error", "bad_xml")
ACTIONS = ("CreateUser", "PutUserPolicy", "CreateAccessKey", "DeleteAccessKey", "GetUser", "ListAccessKeys",
           "DeleteUserPolicy", "DeleteUser")


class Load:
    """Clients that never stop until they are told, whatever happens to the agent."""

    def __init__(self, agent, seed):
        self.agent, self.over = agent, threading.Event()
        self.answered, self.errors = collections.Counter(), []
        self.threads = [threading.Thread(target=self.keep_on, args=(random.Random(f"{seed}/{number}"),), daemon=True)
                        for number in range(CLIENTS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        end = time.monotonic() + CLIENT_ENDS_S
        for thread in self.threads:
            thread.join(max(0.0, end - time.monotonic()))

    def check(self):
        """Each client went on to the end, and something was done."""
        if self.errors:
            raise Failed(f"a client: {self.errors[0]!r}")
        if any(thread.is_alive() for thread in self.threads):
            raise Failed(f"a client got no answer for {CLIENT_ENDS_S} s")
        for method in ("lease.issue", "lease.revoke"):
            if self.answered[method] == 0:
                raise Failed(f"no {method} was answered, so nothing was tried: {dict(self.answered)}")

    def keep_on(self, chance):
        try:
            self.client(chance)
        except Exception as error:  # kept for check()
            self.errors.append(error)

    def client(self, chance):
        held = []
        while not self.over.is_set():
            try:
                with self.agent.rpc(timeout_s=20) as rpc:
                    while not self.over.is_set():
                        self.step(chance, rpc, held)
            except GONE:
                time.sleep(0.01)

    def call(self, rpc, method, **params):
        answer = rpc.call(method, **params)
        self.answered[method] += 1
        return answer

    def step(self, chance, rpc, held):
        what = chance.random()
        with contextlib.suppress(RpcError):
            if what < 0.5 or not held:
                held.append(self.call(rpc, "lease.issue", secret=chance.choice(["app", "app", "session"]),
                                      ttl_s=chance.choice([5, 30, 60, 900]))["lease_id"])
                del held[:-6]
            elif what < 0.7:
                self.call(rpc, "lease.renew", lease_id=chance.choice(held), ttl_s=chance.choice([60, 1200]))
            else:
                self.call(rpc, "lease.revoke", lease_id=held.pop(chance.randrange(len(held))))


def add_fault(cloud, chance):
    kind = chance.choice(FAULTS)
    more = {"code": 500} if kind == "status" else {}
    cloud.fault(chance.choice(ACTIONS), kind, nth=chance.randint(1, 4), **more)


def settle(agent):
    """No load, no faults: everything that is left is asked to go."""
    agent.cloud.clear_faults()
    for lease in live_leases(agent):
        with contextlib.suppress(RpcError):
            agent.call("lease.revoke", lease_id=lease["lease_id"])
    guarded = wait_clean(agent)
    check_no_doubles(agent.cloud)
    agent.cloud.clock(0)
    return guarded


def kill_start(agent, chance):
    """A start that nobody waits for, killed."""
    agent.start(wait=False)
    time.sleep(chance.uniform(0, chance.choice(START_WITHIN_S)))
    expect_killed(agent.kill())
    time.sleep(0.02)  # a READY=1 that it sent is counted before the next start begins to count


def kill_again_and_again(agent, chance, kills):
    for _ in range(kills):
        if chance.random() < 0.4:
            add_fault(agent.cloud, chance)
        if chance.random() < 0.3:
            kill_start(agent, chance)
        else:
            agent.start()
            time.sleep(chance.choice([0.005, 0.05, 0.2, 0.6]) * (0.2 + chance.random()))
            expect_killed(agent.kill())
    agent.start()


def check_mints(cloud):
    """Keys were made at all."""
    if not any(call["applied"] for call in cloud.calls("CreateAccessKey")):
        raise Failed("no key was made in the whole block")


def run_block(cloud, seed, kills):
    """"guarded" or "clean"; raises Failed."""
    chance = random.Random(seed)
    cloud.reset()
    cloud.clock(0)
    agent = Agent(cloud, options={"max_leases_per_uid": 5000, "mint_rate_per_uid": 10000})
    agent.secrets["session"]["allow_longer"] = True
    agent.write_config()
    try:
        with Load(agent, seed) as load:
            kill_again_and_again(agent, chance, kills)
        load.check()
        check_mints(cloud)
        return "guarded" if settle(agent) else "clean"
    except AssertionError as error:
        raise Failed(str(error)) from error
    finally:
        cloud.clear_faults()
        discard(agent)
