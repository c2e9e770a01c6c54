# SPDX-License-Identifier: Apache-2.0
"""IAM users work where STS is out of reach (design: `ready: false`): issued in time, with AWS's time from IAM, renewed,
revoked, and dead at their end."""
import contextlib
import socket
import time
from datetime import datetime, timezone

import pytest

from rpc import RpcError
from trouble import wait_until


class Unreachable:
    """An STS endpoint that refuses connections, or that takes them and never says a word."""

    def __init__(self, kind):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        if kind == "black hole":
            self.socket.listen(128)
        else:
            self.socket.close()


@pytest.fixture(params=["refused", "black hole"])
def cut_off(request, make_agent):
    """An agent whose STS is unreachable, and how long an issue may take before AWS's time is known and after."""
    away = Unreachable(request.param)
    agent = make_agent(start=False, options={"sts_endpoint": away.url})
    agent.secrets = {"app": agent.iam_user(ready_timeout="0s"), "probed": agent.iam_user()}
    del agent.secrets["probed"]["ready_timeout"]
    agent.write_config()
    yield agent, 5 if request.param == "black hole" else 2
    with contextlib.suppress(OSError):
        away.socket.close()


def live_keys(cloud):
    return {key["id"] for user in cloud.users().values() for key in user["keys"] if not key.get("deleted")}


def test_life_of_a_lease(cut_off, cloud):
    agent, limit_s = cut_off
    agent.start()
    start = time.monotonic()
    lease = agent.call("lease.issue", secret="app", ttl_s=45)
    assert time.monotonic() - start < limit_s
    start = time.monotonic()
    short = agent.call("lease.issue", secret="app", ttl_s=6)
    assert time.monotonic() - start < 2, "AWS's time is known by now"
    agent.call("lease.renew", lease_id=lease["lease_id"], ttl_s=60)
    wait_until(lambda: short["access_key_id"] not in live_keys(cloud), "dead at its end", 9)
    agent.wait_lease(short["lease_id"], "revoked", 10)
    start = time.monotonic()
    agent.call("lease.revoke", lease_id=lease["lease_id"])
    assert time.monotonic() - start < 2
    assert lease["access_key_id"] not in live_keys(cloud)
    agent.wait_no_users(10)


def test_answer_says_not_ready(cut_off, cloud):
    agent, limit_s = cut_off
    agent.start()
    agent.call("lease.issue", secret="app")
    start = time.monotonic()
    with agent.rpc(timeout_s=30) as rpc:
        lease = rpc.call("lease.issue", secret="probed")
    took = time.monotonic() - start
    assert lease["ready"] is False and lease["access_key_id"] in live_keys(cloud)
    assert took < 14, f"{took:.1f} s: two attempts of 5 s at most"


@pytest.mark.hooks
def test_time_is_iams(cut_off, cloud):
    """This host's clock is two minutes behind AWS's: the first lease ends by AWS's all the same."""
    agent, _ = cut_off
    cloud.clock(120)
    agent.start()
    lease = agent.call("lease.issue", secret="app", ttl_s=600)
    ends = datetime.fromisoformat(lease["expires_at"].replace("Z", "+00:00"))
    left_s = (ends - datetime.now(timezone.utc)).total_seconds() - 120
    assert 590 <= left_s <= 601, left_s
    fence = str(cloud.users()[lease["username"]]["inline"]["kms-fence"])
    assert lease["expires_at"] in fence


def test_skew_is_seen_before_anything_is_made(cut_off, cloud):
    agent, _ = cut_off
    cloud.clock(270)
    agent.start()
    with pytest.raises(RpcError) as error:
        agent.call("lease.issue", secret="app")
    assert "clock" in error.value.error["message"]
    assert cloud.calls("CreateUser") == []
