# SPDX-License-Identifier: Apache-2.0
"""The agent is killed for good: AWS alone refuses every credential that it gave out, from one second after the end it
told, by AWS's clock. 3 methods x 2 credential types, as issued and as renewed."""
import time
from datetime import datetime

import pytest

from aws_client import allowed, identity
from methods import ALL, COMBINATIONS, prepare, settings

CELLS = [(method, kind, renewed) for method, kind in COMBINATIONS for renewed in (False, True)]
NAMES = [f"{method}-{kind}-{'renewed' if renewed else 'issued'}" for method, kind, renewed in CELLS]
DAY_S = 24 * 3600


def is_bare(method, kind):
    """A session of GetSessionToken: no policy can date it, so it ends by itself, and it may not call IAM."""
    return (method, kind) == ("access-key", "temporary-credentials")


def least_ttl(method, kind):
    return 900 if is_bare(method, kind) else 60


@pytest.fixture
def permitted(make_agent, cloud):
    """permitted(method, kind): an agent whose secret "it" may do everything, so that a refusal is the end's doing."""
    def make(method, kind):
        cloud.seed(groups=[{"name": "all", "inline": {"all": ALL}}])
        more = {"groups": ["all"]} if kind == "iam-user" else {}
        agent = make_agent(start=False)
        return prepare(agent, {"it": settings(agent, method, kind, **more)}).start()
    return make


class Holder:
    """Whoever has the credential, when it is so late at AWS."""

    def __init__(self, cloud, method, kind, lease):
        self.cloud, self.lease, self.bare = cloud, lease, is_bare(method, kind)
        self.end = datetime.fromisoformat(lease["expires_at"].replace("Z", "+00:00")).timestamp()

    def works_at(self, after_end_s):
        """"yes", or the error code."""
        self.cloud.clock(self.end + after_end_s - time.time())
        if not self.bare:
            return allowed(self.cloud, self.lease)
        said = identity(self.cloud, self.lease)
        return "yes" if said == self.lease["arn"] else said


@pytest.mark.parametrize("method,kind,renewed", CELLS, ids=NAMES)
def test_refused_one_second_after_the_end(permitted, cloud, method, kind, renewed):
    agent = permitted(method, kind)
    lease = first = agent.call("lease.issue", secret="it", ttl_s=least_ttl(method, kind))
    if renewed:  # a user keeps its key, a session is replaced
        lease = {**first, **agent.call("lease.renew", lease_id=first["lease_id"], ttl_s=2 * least_ttl(method, kind))}
        assert lease["expires_at"] > first["expires_at"]
    agent.kill()
    holder = Holder(cloud, method, kind, lease)
    assert holder.works_at(-least_ttl(method, kind) / 2) == "yes"
    assert holder.works_at(-2) == "yes", "refused before its end"
    assert holder.works_at(1) == ("ExpiredToken" if is_bare(method, kind) else "AccessDenied")
    assert holder.works_at(DAY_S) in ("AccessDenied", "ExpiredToken"), "accepted again later"
    if renewed and first["access_key_id"] != lease["access_key_id"]:
        assert Holder(cloud, method, kind, first).works_at(1) != "yes", "the one that was replaced"
