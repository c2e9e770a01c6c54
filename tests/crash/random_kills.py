# SPDX-License-Identifier: Apache-2.0
"""SIGKILL at random times of a mixed load: issue, renew, revoke, short leases, calls that fail. After every few kills
the load stops, and all must become clean."""
import contextlib
import random
import threading
import time

from agent import Agent
from points import GONE, Failed, check_no_doubles, discard, live_leases, wait_clean
from rpc import RpcError

KILLS_PER_BLOCK = 20
CLIENTS = 3
# What AWS does meanwhile, now and then.
FAULTS = ("cut_before", "cut_after", "status", "error", "bad_xml")
ACTIONS = ("CreateUser", "PutUserPolicy", "CreateAccessKey", "DeleteAccessKey", "GetUser", "ListAccessKeys",
           "DeleteUserPolicy", "DeleteUser")


class Load:
    """Clients that never stop until they are told, whatever happens to the agent."""

    def __init__(self, agent, seed):
        self.agent, self.over = agent, threading.Event()
        self.threads = [threading.Thread(target=self.client, args=(random.Random(f"{seed}/{number}"),), daemon=True)
                        for number in range(CLIENTS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(40)

    def client(self, chance):
        held = []
        while not self.over.is_set():
            try:
                with self.agent.rpc(timeout_s=20) as rpc:
                    while not self.over.is_set():
                        self.step(chance, rpc, held)
            except GONE:
                time.sleep(0.01)

    def step(self, chance, rpc, held):
        what = chance.random()
        with contextlib.suppress(RpcError):
            if what < 0.5 or not held:
                held.append(rpc.call("lease.issue", secret=chance.choice(["app", "app", "session"]),
                                     ttl_s=chance.choice([5, 30, 60, 900]))["lease_id"])
                del held[:-6]
            elif what < 0.7:
                rpc.call("lease.renew", lease_id=chance.choice(held), ttl_s=chance.choice([60, 1200]))
            else:
                rpc.call("lease.revoke", lease_id=held.pop(chance.randrange(len(held))))


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


def run_block(cloud, seed, kills):
    """"guarded" or "clean"; raises Failed."""
    chance = random.Random(seed)
    cloud.reset()
    cloud.clock(0)
    agent = Agent(cloud, options={"max_leases_per_uid": 5000, "mint_rate_per_uid": 10000})
    agent.secrets["session"]["allow_longer"] = True
    agent.write_config()
    try:
        agent.start()
        with Load(agent, seed):
            for _ in range(kills):
                if chance.random() < 0.4:
                    add_fault(cloud, chance)
                time.sleep(chance.choice([0.005, 0.05, 0.2, 0.6]) * (0.2 + chance.random()))
                agent.kill()
                agent.start()
        return "guarded" if settle(agent) else "clean"
    except AssertionError as error:
        raise Failed(str(error)) from error
    finally:
        cloud.clear_faults()
        discard(agent)
