# SPDX-License-Identifier: Apache-2.0
"""The clock is set back while the agent is dead. What the last process left unfinished lies ahead of now then, and must
be found by whose it is, not by when it was made."""
import contextlib

import pytest

from rpc import Closed
from test_crash import live_leases, wait_clean
from trouble import wait_until

HOUR_MS = 3600 * 1000
RECOVERY_S = 30

pytestmark = pytest.mark.hooks


def kill_in_issue(agent, secret, point):
    """Issues with a crash point; the agent dies there."""
    agent.start(KMS_CRASH_AT=point)
    with contextlib.suppress(Closed, ConnectionResetError, BrokenPipeError):
        agent.call("lease.issue", secret=secret)
    agent.wait(15)


@pytest.mark.parametrize("back_ms", [HOUR_MS, 26 * HOUR_MS, -HOUR_MS], ids=["hour", "day", "ahead"])
@pytest.mark.parametrize("point", ["create-user", "put-fence", "create-access-key", "record-grant"])
def test_interrupted_mint(make_agent, cloud, point, back_ms):
    """create-user: killed between CreateUser and CreateAccessKey; record-grant: active, and nobody has the key."""
    agent = make_agent(start=False)
    kill_in_issue(agent, "app", point)
    assert len(cloud.users()) == 1
    agent.write_clock(-back_ms)
    agent.start()
    wait_clean(agent, RECOVERY_S)


def test_interrupted_revocation(make_agent, cloud):
    agent = make_agent(start=False)
    agent.start(KMS_CRASH_AT="revoke-begin")
    lease = agent.call("lease.issue", secret="app")
    with contextlib.suppress(Closed, ConnectionResetError, BrokenPipeError):
        agent.call("lease.revoke", lease_id=lease["lease_id"])
    agent.wait(15)
    agent.write_clock(-HOUR_MS)
    agent.start()
    wait_clean(agent, RECOVERY_S)


def test_own_mints_are_left_alone(make_agent, cloud):
    """Clock back, a restart, and mints at once: the new process takes none of its own for left over."""
    agent = make_agent(start=False)
    kill_in_issue(agent, "app", "put-fence")
    left = set(cloud.users())
    agent.write_clock(-HOUR_MS)
    # Above four minutes of skew nothing is minted: AWS's clock is set back, too.
    cloud.clock(-3600)
    cloud.fault("PutUserPolicy", "delay", ms=3000, count=4)
    agent.start()
    with agent.rpc() as rpc:
        asked = [rpc.send("lease.issue", {"secret": "app"}) for _ in range(4)]
        made = [rpc.wait(msgid) for msgid in asked]
    wait_until(lambda: not left & set(cloud.users()), "the left-over user is gone", RECOVERY_S)
    assert {lease["username"] for lease in made} == set(cloud.users())
    assert {lease["lease_id"] for lease in live_leases(agent)} == {lease["lease_id"] for lease in made}
    for lease in made:
        agent.call("lease.revoke", lease_id=lease["lease_id"])
