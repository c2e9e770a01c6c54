# SPDX-License-Identifier: Apache-2.0
"""Operations, the points at which each is killed, and what must hold after a restart."""
import collections
import contextlib
import functools
import operator
import os
import signal
import sys
import tempfile
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path[:0] = [os.path.join(TOP, "tests", "integration"), os.path.join(TOP, "tests", "cloud")]

import straced as tracing  # noqa: E402
from agent import Agent  # noqa: E402
from methods import fence_end  # noqa: E402
from rpc import Closed, RpcError  # noqa: E402

CLEAN_S = 30.0
GUARD_S = 360
FENCE_S = 15.0  # what an unfinished renewal left too late is put back by then
PATIENCE_S = 3.0  # what is not clean by then waits for the guard, if it says so
DOCUMENT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}]}
WHATS = ("before", "after", "lost")  # an AWS call: killed before it takes effect, killed after, the reply lost
RECORDED_RUNS = 3
GONE = (Closed, ConnectionResetError, BrokenPipeError, ConnectionRefusedError, FileNotFoundError, TimeoutError)


class Failed(Exception):
    """A promise does not hold."""


class NotReached(Exception):
    """The agent was not killed: this run did not come to the point."""


def make_agent(cloud):
    """A look-alike as new, an agent whose secrets need every call of a mint; ready once as the agent polls, once not."""
    cloud.reset()
    cloud.clock(0)
    cloud.seed(groups=[{"name": "readers", "inline": {"list": DOCUMENT}}],
               policies=[{"name": "Extra", "document": DOCUMENT}])
    agent = Agent(cloud)
    agent.write_file("secrets.d/policy.json", '{"Version":"2012-10-17","Statement":'
                     '[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}')
    everything = {"groups": ["readers"], "policy_arns": [cloud.arn("policy/Extra")],
                  "policy_documents": ["@policy.json"]}
    agent.secrets = {"probed": agent.iam_user(**everything, ready_timeout="10s"),
                     "quick": agent.iam_user(**everything), "session": agent.session()}
    agent.write_config()
    return agent


def start(agent):
    """Starts and waits until the checks of identities at start are over."""
    mark = agent.cloud.mark()
    agent.start()
    agent.cloud.wait_for_call("GetCallerIdentity", 3, since=mark)
    time.sleep(0.1)


# ---- the operations: prepare answers a lease or None, run does it, await_end waits for what follows the reply ----

def prepare_none(agent):
    return None


def prepare_lease(agent):
    lease = agent.call("lease.issue", secret="quick", ttl_s=600)
    agent.wait_lease(lease["lease_id"], "active")
    time.sleep(0.1)
    return lease


def run_mint(agent, lease):
    return agent.call("lease.issue", secret="probed")


def run_session(agent, lease):
    return agent.call("lease.issue", secret="session")


def run_renew(agent, lease):
    return agent.call("lease.renew", lease_id=lease["lease_id"], ttl_s=1200)


def run_revoke(agent, lease):
    return agent.call("lease.revoke", lease_id=lease["lease_id"])


OPERATIONS = {"mint": (prepare_none, run_mint), "session": (prepare_none, run_session),
              "renew": (prepare_lease, run_renew), "revoke": (prepare_lease, run_revoke)}


def await_quiet(agent, operation):
    """What an operation does behind its reply: the delivery is recorded, a revoked user is cleaned up."""
    end = time.monotonic() + 10
    while operation == "revoke" and agent.alive() and agent.cloud.users() and time.monotonic() < end:
        time.sleep(0.02)
    end = time.monotonic() + 0.4
    while agent.alive() and time.monotonic() < end:
        time.sleep(0.02)


def run_until_killed(agent, operation, lease):
    """The reply, or None."""
    reply = None
    with contextlib.suppress(*GONE, RpcError):
        reply = OPERATIONS[operation][1](agent, lease)
    await_quiet(agent, operation)
    if agent.alive():
        raise NotReached()
    expect_killed(agent.wait(10))
    return reply


def expect_killed(status):
    """The agent's end was the harness's doing."""
    if status != -signal.SIGKILL:
        raise Failed(f"the agent ended by itself, with status {status}")


def run_with_loss(agent, operation, action, nth, lease):
    """The reply or None, when the answer to the nth call of an action gets lost and the agent lives on."""
    fault = agent.cloud.fault(action, "cut_after", nth=nth)
    reply = None
    with contextlib.suppress(RpcError):
        reply = OPERATIONS[operation][1](agent, lease)
    await_quiet(agent, operation)
    if not agent.alive():
        raise Failed(f"the agent ended by itself, with status {agent.wait()}")
    if not any(entry["id"] == fault and entry["fired"] for entry in agent.cloud.faults()):
        raise NotReached()
    return reply


# ---- which points there are ----

def record_run(cloud, operation):
    """One run: ({(role, call): most by one thread}, {action: calls})."""
    agent = make_agent(cloud)
    try:
        start(agent)
        lease = OPERATIONS[operation][0](agent)
        roles, mark = tracing.threads(agent.pid), cloud.mark()
        with tempfile.TemporaryDirectory() as scratch:
            with tracing.recording([tid for tids in roles.values() for tid in tids], f"{scratch}/t"):
                OPERATIONS[operation][1](agent, lease)
                await_quiet(agent, operation)
            record = tracing.read_record(f"{scratch}/t")
        role_of = {tid: role for role, tids in roles.items() for tid in tids}
        syscalls = collections.Counter()
        for tid, calls in record.items():
            # Who begins meanwhile is a worker: the others are there from the start.
            for name, count in collections.Counter(call.name for call in calls).items():
                key = (role_of.get(tid, "worker"), name)
                syscalls[key] = max(syscalls[key], count)
        return syscalls, collections.Counter(entry["action"] for entry in cloud.log(mark))
    finally:
        agent.stop()
        discard(agent)


def points_of(syscalls, actions):
    """("syscall", role, call, n) and ("aws", action, n, what) of so many calls."""
    points = [("syscall", role, call, n) for role in tracing.ROLES for call in tracing.CALLS
              for n in range(1, syscalls[role, call] + 1)]
    return points + [("aws", action, n, what) for action, most in actions.items()
                     for n in range(1, most + 1) for what in WHATS]


def enumerate_points(cloud, operation):
    """All points that some runs of it had, and the set of those that some had and others had not: how often the loop
    wakes is up to the machine, so such a one may not come again."""
    runs = [record_run(cloud, operation) for _ in range(RECORDED_RUNS)]
    some = points_of(*(functools.reduce(operator.or_, counters) for counters in zip(*runs)))
    every = points_of(*(functools.reduce(operator.and_, counters) for counters in zip(*runs)))
    return some, set(some) - set(every)


def discard(agent):
    """Ends it and removes its files, whatever was found in them."""
    try:
        if agent.alive():
            agent.kill()
        agent.close()
    finally:
        agent.remove()


# ---- one point ----

def kill_at(agent, operation, point, lease):
    """Runs the operation up to the point, where the agent dies; or, for "lost", lets it live on."""
    if point[0] == "syscall":
        role, call, nth = point[1:]
        with tracing.killing(tracing.threads(agent.pid)[role], call, nth):
            return run_until_killed(agent, operation, lease)
    action, nth, what = point[1:]
    if what != "lost":
        agent.cloud.fault(action, "kill", nth=nth, pid=agent.pid, when=what)
        return run_until_killed(agent, operation, lease)
    return run_with_loss(agent, operation, action, nth, lease)


def live_leases(agent):
    """In the order in which states follow each other, so that none that moves on is missed."""
    leases = []
    for state in ("issuing", "active", "revoking"):
        cursor = {}
        while True:
            page = agent.call("lease.list", state=state, limit=256, **cursor)
            leases += page["leases"]
            if not page.get("cursor"):
                break
            cursor = {"cursor": page["cursor"]}
    return leases


def wait_clean(agent, allowed_s=CLEAN_S):
    """No user at AWS, no live record, in time; whether the guard had to pass for it."""
    begun, guarded = time.monotonic(), False
    while True:
        users, leases = agent.cloud.users(), live_leases(agent)
        if not users and not leases:
            return guarded
        took = time.monotonic() - begun
        if not users and not guarded and took > PATIENCE_S and \
                all(lease["state"] == "revoking" for lease in leases):
            agent.cloud.clock(GUARD_S)
            guarded = True
        if took > allowed_s + (30 if guarded else 0):
            raise Failed(f"after {took:.0f} s: users {list(users)}, records {leases}")
        time.sleep(0.05)


def check_no_doubles(cloud):
    """One CreateUser and one CreateAccessKey that took effect, for each name."""
    for action in ("CreateUser", "CreateAccessKey"):
        names = [call["params"]["UserName"] for call in cloud.calls(action) if call["applied"] and call["status"] != 409]
        if len(names) != len(set(names)):
            raise Failed(f"{action} took effect twice for one name: {names}")
    violations = cloud.violations()
    if violations:
        raise Failed(f"the look-alike saw: {violations}")


def check_kept(agent, lease, reply):
    """A lease that was not revoked is what its holder was told, and so is its fence. What was not recorded as delivered
    may be taken down at any moment, so its state is looked at after the rest."""
    end = time.monotonic() + FENCE_S
    while True:
        now = agent.call("lease.get", lease_id=lease["lease_id"])
        wrong = what_is_wrong(agent.cloud.users().get(lease["username"]), now, lease, reply)
        if wrong is None or agent.call("lease.get", lease_id=lease["lease_id"])["state"] != "active":
            return
        if time.monotonic() > end:
            raise Failed(wrong)
        time.sleep(0.05)


def what_is_wrong(user, now, lease, reply):
    """None, or a sentence about a lease and its user."""
    if now["state"] != "active":
        return None
    if user is None or [key["id"] for key in user["keys"]] != [lease["access_key_id"]]:
        return f"the active lease {now} has the user {user}"
    if reply is not None and now["expires_at"] < reply["expires_at"]:
        return f"renewed to {reply['expires_at']}, recorded {now['expires_at']}"
    try:
        fence = fence_end(user)
    except AssertionError as found:  # it denies everything
        return f"the lease is active, and its fence is {found}"
    return None if fence == now["expires_at"] else f"the lease ends {now['expires_at']}, its fence {fence}"


def check_after(agent, operation, lease, reply):
    """After the restart. What nobody was given goes by itself; what somebody has is whole and can be revoked."""
    held = lease or (reply if operation in ("mint", "session") else None)
    if held is None:
        return wait_clean(agent)
    if operation != "revoke" or reply is None:
        if held.get("username"):
            check_kept(agent, held, reply if operation == "renew" else None)
    with contextlib.suppress(RpcError):
        agent.call("lease.revoke", lease_id=held["lease_id"])
    return wait_clean(agent)


def run_point(cloud, operation, point):
    """Kills there, restarts, checks. "guarded" or "clean"; raises Failed or NotReached."""
    agent = make_agent(cloud)
    try:
        start(agent)
        lease = OPERATIONS[operation][0](agent)
        reply = kill_at(agent, operation, point, lease)
        if not agent.alive():
            agent.process = None
            agent.start()
        guarded = check_after(agent, operation, lease, reply)
        check_no_doubles(cloud)
        if agent.stop() != 0:
            raise Failed("the agent did not end well")
        return "guarded" if guarded else "clean"
    finally:
        cloud.clear_faults()
        discard(agent)
