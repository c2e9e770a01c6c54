# SPDX-License-Identifier: Apache-2.0
"""One answer with a wrong Date: AWS's time is asked for again before it counts."""
import time

import pytest

from trouble import nudge, wait_until

HOURS_S = 7200


def known(make_agent):
    """An agent that knows AWS's time."""
    agent = make_agent()
    agent.wait_identities()
    return agent


def wrong_answer(agent, cloud, offset_s):
    fault = cloud.fault("ListUsers", "date", offset_s=offset_s, count=1)
    nudge(agent)
    assert any(entry["id"] == fault and entry["fired"] for entry in cloud.faults())


def test_date_ahead_ends_no_lease(make_agent, cloud):
    agent = known(make_agent)
    lease = agent.call("lease.issue", secret="app", ttl_s=1800)
    wrong_answer(agent, cloud, HOURS_S)
    agent.wait_log("far from AWS's so far")
    time.sleep(3)
    assert agent.call("lease.get", lease_id=lease["lease_id"])["state"] == "active"
    assert lease["username"] in cloud.users()
    agent.call("lease.issue", secret="app", ttl_s=600)


@pytest.mark.parametrize("offset_s", [HOURS_S, -HOURS_S], ids=["ahead", "behind"])
def test_first_date_after_a_start(make_agent, cloud, offset_s):
    """What a new process hears first is held against the host's clock."""
    agent = known(make_agent)
    lease = agent.call("lease.issue", secret="app", ttl_s=1800)
    agent.wait_delivered(lease)
    short = agent.call("lease.issue", secret="app", ttl_s=15)
    agent.wait_delivered(short)
    agent.stop()
    fault = cloud.fault("*", "date", offset_s=offset_s, count=1)
    agent.start()
    agent.wait_identities()
    wait_until(lambda: short["username"] not in cloud.users(), "the short lease ended", 30)
    assert any(entry["id"] == fault and entry["fired"] for entry in cloud.faults())
    assert agent.call("lease.get", lease_id=lease["lease_id"])["state"] == "active"


def test_date_behind_keeps_no_lease(make_agent, cloud):
    agent = known(make_agent)
    agent.call("lease.issue", secret="app", ttl_s=8)
    wrong_answer(agent, cloud, -HOURS_S)
    wait_until(lambda: not cloud.users(), "the lease ended", 20)


@pytest.mark.parametrize("offset_s", [HOURS_S, -HOURS_S], ids=["ahead", "behind"])
def test_date_that_is_right_counts(make_agent, cloud, offset_s):
    """AWS's time is another one indeed (a host that was frozen): asked once more, it is believed."""
    agent = known(make_agent)
    lease = agent.call("lease.issue", secret="app", ttl_s=1800)
    cloud.clock(offset_s)
    mark = cloud.mark()
    nudge(agent)
    if offset_s > 0:
        wait_until(lambda: not cloud.users(), "the lease ended", 20)
    else:
        cloud.wait_for_call("GetCallerIdentity", 1, since=mark)
        assert agent.call("lease.get", lease_id=lease["lease_id"])["state"] == "active"
