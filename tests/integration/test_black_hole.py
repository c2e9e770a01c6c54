# SPDX-License-Identifier: Apache-2.0
"""A black hole at the endpoint of one secret: its own leases wait, those of the others do not notice, and when it is
over all follow at once."""
import os
import time

import pytest

from methods import prepare, settings
from rpc import RpcError
from test_outage import wall
from trouble import Passage, wait_until


# So many leases, ending so many seconds after the first is issued; the long one when it is asked for.
HOLES = [(300, 25)] + ([(3000, 150)] if os.environ.get("KMS_CAMPAIGN") else [])


def issue_many(agent, secret, count, end):
    """So many leases that all end at about end (monotonic)."""
    ids, leases = [], []
    with agent.rpc(timeout_s=120) as rpc:
        for _ in range(count):
            ttl_s = int(end - time.monotonic())
            assert ttl_s >= 5, "the host is too slow for this test"
            ids.append(rpc.send("lease.issue", {"secret": secret, "ttl_s": ttl_s}))
            if len(ids) >= 12:
                leases.append(rpc.wait(ids.pop(0)))
        return leases + [rpc.wait(number) for number in ids]


def begun(lease):
    """When the lease's time began, by this host's clock (UUIDv7)."""
    return int(lease["lease_id"].replace("-", "")[:12], 16) / 1000


def dead(cloud):
    """Key id -> when it was deleted."""
    return {call["params"]["AccessKeyId"]: wall(call) for call in cloud.calls("DeleteAccessKey")
            if call["error_code"] is None}


def others_live_and_die(agent, cloud):
    """While the other endpoint hangs: issuing and revoking at once, ends on time."""
    for _ in range(3):
        start = time.monotonic()
        lease = agent.call("lease.issue", secret="app", ttl_s=3600)
        assert time.monotonic() - start < 2, "issue"
        start = time.monotonic()
        agent.call("lease.revoke", lease_id=lease["lease_id"])
        assert time.monotonic() - start < 2 and lease["access_key_id"] in dead(cloud), "revoke"
    leases = [agent.call("lease.issue", secret="app", ttl_s=ttl_s) for ttl_s in (5, 7, 12, 20)]
    wait_until(lambda: all(lease["access_key_id"] in dead(cloud) for lease in leases), "all are dead", 40, 0.5)
    late = [dead(cloud)[lease["access_key_id"]] - begun(lease) - lease["granted_ttl_s"] for lease in leases]
    assert all(-0.1 <= late_s < 2 for late_s in late), late


def all_follow(cloud, leases, hang):
    """The end of the hole: the first within a minute, the others at once."""
    keys = {lease["access_key_id"] for lease in leases}
    assert not keys & set(dead(cloud)), "it was a hole"
    hang.stalled = False
    wait_until(lambda: keys & set(dead(cloud)), "the first", 60)
    first, limit_s = time.monotonic(), 10 + len(keys) / 40
    wait_until(lambda: keys <= set(dead(cloud)), lambda: f"{len(keys - set(dead(cloud)))} keys live", limit_s, 0.5)
    print(f"{len(keys)} dead {time.monotonic() - first:.1f} s after the first")


def with_two_secrets(make_agent, method, **far):
    agent = make_agent(start=False, options={"max_leases_per_uid": 5000, "mint_rate_per_uid": 10000.0})
    prepare(agent, {"app": settings(agent, "access-key", "iam-user"), "far": settings(agent, method, "iam-user", **far)})
    return agent.start()


@pytest.mark.slow
@pytest.mark.parametrize("count,ahead_s", HOLES)
def test_an_endpoint_that_hangs(make_agent, cloud, count, ahead_s):
    hang = Passage(cloud.port)
    agent = with_two_secrets(make_agent, "access-key", iam_endpoint=hang.url)
    end = time.monotonic() + ahead_s
    leases = issue_many(agent, "far", count, end)
    time.sleep(max(0, end - time.monotonic() - 3))
    hang.stalled = True
    time.sleep(5)
    others_live_and_die(agent, cloud)
    lease = agent.call("lease.get", lease_id=leases[-1]["lease_id"])
    assert lease["state"] == "revoking" and not lease.get("stuck") and "answer" in lease["error"], lease
    # Whoever asks for one of those hears soon that it is taken down.
    start = time.monotonic()
    with pytest.raises(RpcError) as error:
        agent.call("lease.revoke", lease_id=leases[0]["lease_id"])
    assert error.value.code in ("aws_unavailable", "timeout") and time.monotonic() - start < 12
    all_follow(cloud, leases, hang)


@pytest.mark.slow
def test_renewals_that_hang(make_agent, cloud):
    """Sixty clients renew what the hole has; others are served."""
    hang = Passage(cloud.port)
    agent = with_two_secrets(make_agent, "access-key", iam_endpoint=hang.url)
    leases = issue_many(agent, "far", 60, time.monotonic() + 600)
    hang.stalled = True
    clients = [agent.rpc(timeout_s=60) for _ in range(6)]
    for i, lease in enumerate(leases):
        clients[i % 6].send("lease.renew", {"lease_id": lease["lease_id"], "ttl_s": 3600})
    wait_until(lambda: hang.connections >= 12, "they hang")
    start = time.monotonic()
    agent.call("lease.issue", secret="app", ttl_s=3600)
    assert time.monotonic() - start < 2
    hang.stalled = False


@pytest.mark.slow
def test_a_source_that_hangs(make_agent, cloud):
    """STS, which gives the management session: one fetch at a time hangs, IAM's endpoint is that of the others."""
    hang = Passage(cloud.port)
    agent = with_two_secrets(make_agent, "assume-role", sts_endpoint=hang.url)
    end = time.monotonic() + 20
    leases = issue_many(agent, "far", 150, end)
    agent.wait_delivered(*leases)
    agent.kill()  # the session goes with it
    hang.stalled = True
    agent.start()
    time.sleep(max(0, end - time.monotonic()) + 1)
    others_live_and_die(agent, cloud)
    all_follow(cloud, leases, hang)
