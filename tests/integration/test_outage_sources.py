# SPDX-License-Identifier: Apache-2.0
"""What gives the management credentials is away when a lease ends: a metadata or container service that is unwell is an
outage like one of AWS, a file of this host may be there again in a moment. Time passes by the clocks."""
import os
import time

import pytest

from methods import prepare, settings
from test_outage import attempts
from test_sources import AMBIENT, CONTAINER_PATH, box  # noqa: F401
from trouble import wait_until

STEP_S = 65
FAULTS = {"503": {"kind": "status", "status": 503}, "429": {"kind": "status", "status": 429}, "no answer": {"kind": "hang"}}


def pass_time(agent, offset_s):
    agent.write_clock(offset_s * 1000, offset_s * 1000)
    agent.cloud.clock(offset_s)


def state_of(agent, lease):
    return agent.call("lease.get", lease_id=lease["lease_id"])


def retried_within(agent, lease, mark, offset_s, limit_s):
    """The key dies at most limit_s later, of the time that passes for the agent."""
    begin_s, start = offset_s, time.monotonic()
    while not agent.cloud.calls("DeleteAccessKey", since=mark):
        late_s = offset_s - begin_s + time.monotonic() - start
        assert late_s <= limit_s, (f"no retry within {late_s} s", state_of(agent, lease))
        if time.monotonic() - start > 1:
            offset_s += 5
            pass_time(agent, offset_s)
        time.sleep(0.3)


@pytest.mark.hooks
@pytest.mark.slow
@pytest.mark.parametrize("source", ["instance", "container"])
@pytest.mark.parametrize("kind", FAULTS)
def test_outage_of_a_service(box, cloud, source, kind):  # noqa: F811
    box.secrets = {"it": settings(box, "assume-role", "iam-user", **AMBIENT)}
    if source == "container":
        box.extra_env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = cloud.metadata_url + CONTAINER_PATH
    box.write_config()
    box.start()
    lease = box.call("lease.issue", secret="it", ttl_s=20)
    box.kill()  # the session it kept goes with it
    cloud.metadata(faults=[{"at": "token" if source == "instance" else "container", "count": -1, **FAULTS[kind]}])
    box.start()
    offset_s = 40
    pass_time(box, offset_s)
    wait_until(lambda: state_of(box, lease)["state"] == "revoking", "revoking", 90)
    for step in range(8):
        before = attempts(box)
        offset_s += STEP_S
        pass_time(box, offset_s)
        wait_until(lambda: attempts(box) > before, "a try in each minute", 10)
        now = state_of(box, lease)
        assert not now.get("stuck"), now
    assert ("metadata service" if source == "instance" else "container credentials endpoint") in now["error"]
    cloud.metadata(faults=[])
    retried_within(box, lease, cloud.mark(), offset_s, 60)
    box.wait_no_users(20)


@pytest.mark.hooks
def test_token_file_that_is_away(make_agent, cloud):
    """For a moment: nothing is stuck. For longer: that is said, and it is looked for each minute all the same."""
    agent = make_agent(start=False)
    # The other one's key works: AWS's time, without which an expiry waits a minute, is known after each start.
    prepare(agent, {"it": settings(agent, "irsa", "iam-user"), "other": settings(agent, "access-key", "iam-user")})
    agent.start()
    lease = agent.call("lease.issue", secret="it", ttl_s=60)
    short = agent.call("lease.issue", secret="it", ttl_s=10)
    agent.wait_delivered(lease, short)
    agent.kill()
    token, away = f"{agent.path}/token", f"{agent.path}/token-away"
    os.rename(token, away)
    offset_s = 11
    agent.start()
    pass_time(agent, offset_s)
    wait_until(lambda: attempts(agent) > 0, "a try", 90)
    os.rename(away, token)
    cloud.wait_for_call("DeleteAccessKey", timeout_s=5)
    assert not any("somebody acts" in line for line in agent.log().splitlines())
    agent.wait_lease(short["lease_id"], "revoked")
    agent.kill()
    os.rename(token, away)
    mark = cloud.mark()
    offset_s += 60
    agent.start()
    pass_time(agent, offset_s)
    wait_until(lambda: state_of(agent, lease).get("stuck"), "it is said", 100)
    for step in range(8):
        before = attempts(agent)
        offset_s += STEP_S
        pass_time(agent, offset_s)
        wait_until(lambda: attempts(agent) > before, "a look in each minute", 10)
    os.rename(away, token)
    retried_within(agent, lease, mark, offset_s, 60)
    agent.wait_no_users(20)
