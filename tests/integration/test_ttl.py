# SPDX-License-Identifier: Apache-2.0
"""How long a lease lasts: what is asked for, what AWS gives, and that the answers say so. Under STS's 900 seconds the
session policy ends the session; each of its three forms is evaluated at the look-alike before and after the end."""
import datetime
import json
import re
import time

import pytest
from botocore.exceptions import ClientError

from aws_client import client, identity
from cli import kms_exec, kmsctl, kmsctl_json
from methods import document, fence_end, prepare, seed_irsa, seed_role, sent, settings
from rpc import RpcError

USERS, SESSIONS = "iam-user", "temporary-credentials"
DATED = [{"Effect": "Deny", "Action": "*", "Resource": "*"}]


@pytest.fixture
def start(make_agent):
    def make(method, kind, **more):
        agent = make_agent(start=False)
        prepare(agent, {"it": settings(agent, method, kind, **more)})
        return agent.start()
    return make


def issue(agent, **more):
    return agent.call("lease.issue", secret="it", **more)


def refused(agent, **more):
    with pytest.raises(RpcError) as caught:
        issue(agent, **more)
    return caught.value


def epoch(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def minted(cloud):
    """The last call that made a session for a lease."""
    actions = ("GetSessionToken", "AssumeRole", "AssumeRoleWithWebIdentity")
    return [call for call in cloud.log() if call["action"] in actions
            and call["params"].get("RoleSessionName") != "kms-agent"][-1]


def may(cloud, lease, operation):
    try:
        getattr(client(cloud, "iam", lease), operation)()
        return True
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied"
        return False


def check_shown(agent, answer):
    """Whoever looks at the lease later reads what its holder was told."""
    lease_id = answer["lease_id"]
    listed = kmsctl_json(agent, "leases")["leases"]
    for shown in (agent.call("lease.get", lease_id=lease_id), kmsctl_json(agent, "lease", lease_id),
                  *[lease for lease in listed if lease["lease_id"] == lease_id]):
        for name in ("requested_ttl_s", "granted_ttl_s", "expires_at", "clamp_reason", "credential_expires_at"):
            assert shown.get(name) == answer.get(name), name
    text = kmsctl(agent, "lease", lease_id).stdout
    assert ("clamp_reason" in answer) == (re.search(r"^because +" + answer.get("clamp_reason", ""), text, re.M) is not None)


# what is asked for


@pytest.mark.parametrize("kind", [USERS, SESSIONS])
def test_default_and_requested(start, kind):
    agent = start("assume-role", kind, default_ttl="25m")
    for ttl_s, expected in ((None, 1500), (2000, 2000)):
        lease = issue(agent, **({} if ttl_s is None else {"ttl_s": ttl_s}))
        assert lease["requested_ttl_s"] == lease["granted_ttl_s"] == expected
        assert lease.get("clamp_reason") is None
        assert abs(epoch(lease["expires_at"]) - epoch(lease["issued_at"]) - expected) <= 1
        shown = agent.call("lease.get", lease_id=lease["lease_id"])
        assert (shown["requested_ttl_s"], shown["granted_ttl_s"]) == (expected, expected)


@pytest.mark.parametrize("method,kind", [("access-key", USERS), ("access-key", SESSIONS), ("irsa", SESSIONS)])
def test_above_the_maximum(start, cloud, method, kind):
    """An error that names both, not a clamp; nothing is made."""
    agent = start(method, kind, max_ttl="2h")
    seed_irsa(cloud, max_session_duration=7200)
    error = refused(agent, ttl_s=7201)
    assert error.code == "invalid_ttl" and "2h1s" in error.message and "max_ttl of 2h" in error.message
    result = kms_exec(agent, "-s", "it", "-t", "3h", "--", "true")
    assert result.returncode == 125 and "3h" in result.stderr and "max_ttl of 2h" in result.stderr
    assert cloud.users() == {} and cloud.calls("GetSessionToken") == []
    assert issue(agent, ttl_s=7200)["granted_ttl_s"] == 7200


@pytest.mark.parametrize("method,kind", [("access-key", USERS), ("assume-role", SESSIONS), ("irsa", SESSIONS)])
def test_shortest(start, method, kind):
    agent = start(method, kind)
    assert "5s" in refused(agent, ttl_s=4).message
    assert issue(agent, ttl_s=5)["granted_ttl_s"] == 5


# AWS's limits


CLAMPS = [("access-key", 50000, 43200, "GetSessionToken", "12h"), ("assume-role", 7200, 3600, "AssumeRole", "1h"),
          ("irsa", 50000, 43200, "AssumeRoleWithWebIdentity", "12h")]


@pytest.mark.parametrize("method,asked,given,word,limit", CLAMPS, ids=[row[0] for row in CLAMPS])
def test_clamped_and_said(start, cloud, method, asked, given, word, limit):
    agent = start(method, SESSIONS, max_ttl="24h")
    seed_role(cloud, max_session_duration=43200)
    seed_irsa(cloud, max_session_duration=43200)
    lease = issue(agent, ttl_s=asked)
    assert lease["requested_ttl_s"] == asked and lease["granted_ttl_s"] == given
    assert word in lease["clamp_reason"] and limit in lease["clamp_reason"]
    assert minted(cloud)["params"]["DurationSeconds"] == str(given)
    assert abs(epoch(lease["expires_at"]) - epoch(lease["issued_at"]) - given) <= 1
    assert lease["expires_at"] == lease["credential_expires_at"], "what STS says is what counts"
    check_shown(agent, lease)
    text = kmsctl(agent, "issue", "it", "--ttl", f"{asked}s").stdout
    assert re.search(r"^because +.*" + word, text, re.M) and re.search(rf"^granted +{limit}$", text, re.M)
    result = kms_exec(agent, "-v", "-s", "it", "-t", f"{asked}s", "--", "true")
    assert result.returncode == 0 and result.stderr.count("\n") == 1
    asked_text = {50000: "13h53m20s", 7200: "2h"}[asked]
    for part in (f"requested {asked_text}", f"granted {limit}", lease["clamp_reason"], "until 20"):
        assert part in result.stderr, result.stderr


def test_verbose_without_a_clamp(start):
    agent = start("access-key", USERS)
    result = kms_exec(agent, "-v", "-s", "it", "-t", "20m", "--", "true")
    assert "requested 20m, granted 20m, until 20" in result.stderr and "(" not in result.stderr


# under 900 seconds


def check_dated(text, lease):
    """The statement that ends the session, at the end that the answer says."""
    statement = json.loads(text)["Statement"][-1]
    assert {name: statement[name] for name in ("Effect", "Action", "Resource")} == DATED[0]
    end = statement["Condition"]["DateGreaterThanEquals"]["aws:CurrentTime"]
    assert 0 <= epoch(lease["expires_at"]) - epoch(end) < 1
    return json.loads(text)["Statement"][:-1]


def issue_short(agent, method):
    lease = issue(agent, ttl_s=60)
    assert lease["requested_ttl_s"] == lease["granted_ttl_s"] == 60 and lease.get("clamp_reason") is None
    call = minted(agent.cloud)
    assert call["action"] == {"assume-role": "AssumeRole", "irsa": "AssumeRoleWithWebIdentity"}[method]
    assert call["params"]["DurationSeconds"] == "900", "STS gives no less"
    assert 838 <= epoch(lease["credential_expires_at"]) - epoch(lease["expires_at"]) <= 841
    return lease, call


def check_life(cloud, lease, before):
    """What it may do: before its end, then nothing; the session itself lives on at STS."""
    operations = ("list_users", "list_roles")
    assert tuple(may(cloud, lease, operation) for operation in operations) == before
    end = epoch(lease["expires_at"])
    for operation, allowed in zip(operations, before):
        cloud.clock(end - 3 - time.time())
        assert may(cloud, lease, operation) == allowed, "dead before its time"
    cloud.clock(end + 1 - time.time())
    assert tuple(may(cloud, lease, operation) for operation in operations) == (False, False)
    assert identity(cloud, lease) == lease["arn"]


@pytest.mark.parametrize("method", ["assume-role", "irsa"])
def test_dated_without_a_policy(start, cloud, method):
    agent = start(method, SESSIONS)
    lease, call = issue_short(agent, method)
    assert check_dated(call["params"]["Policy"], lease) == document()["Statement"]
    check_life(cloud, lease, (True, True))


@pytest.mark.parametrize("method", ["assume-role", "irsa"])
@pytest.mark.parametrize("form", ["list", "object"])
def test_dated_with_a_document(start, cloud, method, form):
    """A statement may stand alone or in a list."""
    own = document("iam:ListUsers")
    if form == "object":
        own["Statement"] = own["Statement"][0]
    agent = start(method, SESSIONS, session_policy_document=json.dumps(own))
    lease, call = issue_short(agent, method)
    assert check_dated(call["params"]["Policy"], lease) == document("iam:ListUsers")["Statement"]
    check_life(cloud, lease, (True, False))


@pytest.mark.parametrize("method", ["assume-role", "irsa"])
def test_dated_with_policy_arns(start, cloud, method):
    """The Deny alone as document: an Allow * beside the ARNs would widen what they give."""
    cloud.seed(policies=[{"name": "Some", "document": document("iam:ListUsers")}])
    agent = start(method, SESSIONS, session_policy_arns=[cloud.arn("policy/Some")])
    lease, call = issue_short(agent, method)
    assert check_dated(call["params"]["Policy"], lease) == []
    assert sent(call, "PolicyArns") == [{"arn": cloud.arn("policy/Some")}]
    check_life(cloud, lease, (True, False))


@pytest.mark.parametrize("method", ["assume-role", "irsa"])
def test_not_dated_from_900_on(start, cloud, method):
    agent = start(method, SESSIONS)
    issue(agent, ttl_s=900)
    assert "Policy" not in minted(cloud)["params"]
    issue(agent, ttl_s=899)
    assert "Policy" in minted(cloud)["params"]


def test_dated_session_renewed(start, cloud):
    agent = start("assume-role", SESSIONS)
    lease = issue(agent, ttl_s=60)
    time.sleep(1.1)
    renewed = agent.call("lease.renew", lease_id=lease["lease_id"], ttl_s=120)
    check_dated(minted(cloud)["params"]["Policy"], renewed)
    assert 55 < epoch(renewed["expires_at"]) - epoch(lease["expires_at"]) < 70
    cloud.clock(70)
    assert not may(cloud, lease, "list_users") and may(cloud, renewed, "list_users")
    cloud.clock(125)
    assert not may(cloud, renewed, "list_users")


def test_session_token_takes_no_policy(start, cloud):
    """So it cannot be ended early: refused, with the way out named."""
    error = refused(start("access-key", SESSIONS), ttl_s=899)
    assert error.code == "invalid_ttl" and "15m" in error.message and "allow_longer" in error.message
    assert cloud.calls("GetSessionToken") == []


def test_session_token_allow_longer(start, cloud):
    agent = start("access-key", SESSIONS, allow_longer=True)
    lease = issue(agent, ttl_s=60)
    assert lease["requested_ttl_s"] == 60 and lease["granted_ttl_s"] == 900 and "15m" in lease["clamp_reason"]
    assert 898 <= epoch(lease["expires_at"]) - epoch(lease["issued_at"]) <= 902  # both are cut to seconds, by two clocks
    assert set(minted(cloud)["params"]) == {"DurationSeconds"}
    result = kms_exec(agent, "-v", "-s", "it", "-t", "1m", "--", "true")
    assert "requested 1m, granted 15m" in result.stderr and "GetSessionToken gives at least 15m" in result.stderr


# renewals


def test_renewal_up_to_max_ttl(start, cloud):
    agent = start("access-key", USERS, default_ttl="10m", max_ttl="20m")
    lease = issue(agent)
    renewed = agent.call("lease.renew", lease_id=lease["lease_id"], ttl_s=1200)
    assert renewed["requested_ttl_s"] == 1200 and renewed["granted_ttl_s"] in (1199, 1200)
    assert "max_ttl is 20m" in renewed["clamp_reason"]
    check_shown(agent, renewed)
    assert abs(epoch(renewed["expires_at"]) - epoch(lease["issued_at"]) - 1200) < 1
    assert abs(epoch(fence_end(cloud.users()[lease["username"]])) - epoch(renewed["expires_at"])) < 1
    with pytest.raises(RpcError) as caught:
        agent.call("lease.renew", lease_id=lease["lease_id"], ttl_s=1200)
    assert caught.value.code == "not_renewable" and "max_ttl is 20m" in caught.value.message
    with pytest.raises(RpcError) as caught:
        agent.call("lease.renew", lease_id=lease["lease_id"], ttl_s=1201)
    assert caught.value.code == "invalid_ttl"
    assert caught.value.message == "a TTL of 20m1s is above the secret's max_ttl of 20m"


def test_renewal_never_shortens(start, cloud):
    agent = start("access-key", USERS)
    lease = issue(agent, ttl_s=1000)
    with pytest.raises(RpcError) as caught:
        agent.call("lease.renew", lease_id=lease["lease_id"], ttl_s=60)
    assert caught.value.code == "not_renewable"
    assert cloud.calls("PutUserPolicy")[-1]["seq"] < cloud.calls("CreateAccessKey")[-1]["seq"]


def test_renewal_of_a_session_is_clamped_too(start, cloud):
    agent = start("assume-role", SESSIONS)
    lease = issue(agent, ttl_s=900)
    renewed = agent.call("lease.renew", lease_id=lease["lease_id"], ttl_s=7200)
    assert renewed["requested_ttl_s"] == 7200 and renewed["granted_ttl_s"] == 3600
    assert "AssumeRole gives at most 1h" in renewed["clamp_reason"]
    check_shown(agent, renewed)


@pytest.mark.parametrize("kind", [USERS, SESSIONS])
def test_a_lease_shows_its_last_grant(start, kind):
    """Not the first request beside the last grant; a restart of the agent changes nothing."""
    agent = start("assume-role", kind, default_ttl="10m", max_ttl="40m")
    lease = issue(agent, ttl_s=1200)
    check_shown(agent, lease)
    check_shown(agent, renewed := agent.call("lease.renew", lease_id=lease["lease_id"], ttl_s=1800))
    assert renewed["requested_ttl_s"] == renewed["granted_ttl_s"] == 1800 and "clamp_reason" not in renewed
    check_shown(agent, renewed := agent.call("lease.renew", lease_id=lease["lease_id"], ttl_s=2400))
    assert renewed["requested_ttl_s"] == 2400 and "max_ttl is 40m" in renewed["clamp_reason"]
    agent.stop()
    agent.start()
    check_shown(agent, renewed)


def test_renewals_that_name_no_ttl_ask_for_the_first(start):
    agent = start("access-key", USERS, default_ttl="10m")
    lease = issue(agent, ttl_s=1200)
    agent.call("lease.renew", lease_id=lease["lease_id"], ttl_s=1201)
    time.sleep(1.1)
    renewed = agent.call("lease.renew", lease_id=lease["lease_id"])
    assert renewed["requested_ttl_s"] == renewed["granted_ttl_s"] == 1200
    check_shown(agent, renewed)
