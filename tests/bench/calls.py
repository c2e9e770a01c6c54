# SPDX-License-Identifier: Apache-2.0
"""Targets 8 and 9: calls of AWS for each mint and revocation, the agent's share of a mint's time; a peer."""
import collections
import shutil

from rig import CPUS, Agent, agent, bare_round_trip, fresh_directory, instant_aws, issue_request, load
from client import Cloud
from table import Row, microseconds, not_measured

# As fast as IAM answers at its best.
DELAY_US = 50000
MINT = ["CreateUser", "PutUserPolicy", "CreateAccessKey"]
# The key, whether the user is ours, what hangs on it, the fence, the user (ARCHITECTURE.md, "Revoke").
REVOKE = ["DeleteAccessKey", "GetUser", "PutUserPolicy", "ListAccessKeys", "ListAttachedUserPolicies",
          "ListGroupsForUser", "ListUserPolicies", "DeleteUserPolicy", "DeleteUser"]
COUNT = 10


def count_calls():
    """(calls of a mint, calls of an early revocation, what they were) at the look-alike, for a secret without groups
    and policies of its own; the first lease is left out, since it also brings the account's id."""
    with Cloud.start() as cloud:
        made = Agent(cloud, options={"state_directory": fresh_directory("state")})
        try:
            made.start()
            leases = [made.call("lease.issue", secret="app")]
            mark = cloud.mark()
            leases += [made.call("lease.issue", secret="app") for _ in range(COUNT)]
            minted = [call["action"] for call in cloud.calls(since=mark)]
            mark = cloud.mark()
            for lease in leases[1:]:
                made.call("lease.revoke", lease_id=lease["lease_id"])
                made.wait_lease(lease["lease_id"], "revoked")
            revoked = [call["action"] for call in cloud.calls(since=mark)]
        finally:
            made.stop()
            made.notify.close()
            shutil.rmtree(made.path)
    return minted, revoked


def names(calls):
    return ", ".join(f"{name} {count / COUNT:g}" for name, count in collections.Counter(calls).items())


def own_share(rounds):
    values, detail = [], ""
    with instant_aws(CPUS.all, DELAY_US) as aws, agent(aws, CPUS.one, fresh_directory("state")) as made:
        request = issue_request("user")
        for _ in range(rounds):
            mint = load(CPUS.one, made.socket, request, ms=2000)["p50_ns"]
            away = sum(bare_round_trip(CPUS.one, aws, action, ms=500) for action in MINT)
            values.append((mint - away) / away * 100)
            detail = f"{microseconds(mint - away)} / {microseconds(away)}, AWS answering in {DELAY_US // 1000} ms"
    return Row(8, "agent's own time in an IAM user mint", values, 5, unit=" %", detail=detail)


def target_8(rounds):
    minted, revoked = count_calls()
    return [own_share(rounds),
            Row(8, "calls of an IAM user mint", [len(minted) / COUNT], len(MINT), unit="", detail=names(minted)),
            Row(8, "calls of an early revocation", [len(revoked) / COUNT], len(REVOKE), unit="", detail=names(revoked))]


def target_9(rounds):
    del rounds
    return [not_measured(9, "aws-vault exec, a Go credential endpoint", "no such peer is packaged in Debian 12")]
