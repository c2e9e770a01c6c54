# SPDX-License-Identifier: Apache-2.0
"""share = "uid": one session for the processes of a user, minted once, refreshed ahead, kept in need."""
import json
import os
import subprocess
import threading
import time
from datetime import datetime, timezone

import pytest

from agent import KMS_EXEC
from cli import agent_env, kms_exec, kmsctl_json
from methods import prepare, settings
from rpc import RpcError

MINUTE = 60
OTHER_UID = 12345


def seconds_left(lease, offset_s=0):
    """Seconds until expires_at, on a clock that is offset_s ahead of ours."""
    end = datetime.fromisoformat(lease["expires_at"]).timestamp()
    return end - time.time() - offset_s


def issue(agent, secret="session", **params):
    return agent.call("lease.issue", secret=secret, **params)


def mints(agent, action="GetSessionToken"):
    return len(agent.cloud.calls(action))


def wait_for(condition, timeout_s=20.0):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


def at_once(agent, count, secret="session"):
    """count requests, each on a connection of its own, all before the first answer; their answers or errors."""
    connections = [agent.rpc(timeout_s=60) for _ in range(count)]
    ids = [rpc.send("lease.issue", {"secret": secret}) for rpc in connections]
    answers = []
    for rpc, msgid in zip(connections, ids):
        try:
            answers.append(rpc.wait(msgid))
        except RpcError as error:
            answers.append(error)
        rpc.close()
    return answers


def as_other_user(agent, *arguments):
    """kms-exec as another uid; the result of --format json."""
    result = subprocess.run(["setpriv", f"--reuid={OTHER_UID}", f"--regid={OTHER_UID}", "--clear-groups", KMS_EXEC,
                             *arguments], env=agent_env(agent), capture_output=True, text=True, timeout=30,
                            check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


# one mint


@pytest.mark.parametrize("method, action", [("access-key", "GetSessionToken"), ("assume-role", "AssumeRole"),
                                            ("irsa", "AssumeRoleWithWebIdentity")])
def test_one_mint_for_fifty(make_agent, cloud, method, action):
    agent = make_agent(start=False)
    prepare(agent, {"it": settings(agent, method, "temporary-credentials", share="uid")})
    agent.start()
    wait_for(lambda: agent.call("agent.status")["management"])  # which may assume the role as well
    mark = cloud.mark()
    cloud.fault(action, "delay", ms=700)
    answers = at_once(agent, 50, "it")
    assert len({lease["lease_id"] for lease in answers}) == 1
    assert len({lease["session_token"] for lease in answers}) == 1
    assert all(lease["shared"] is True and lease["bound"] is False for lease in answers)
    assert issue(agent, "it")["session_token"] == answers[0]["session_token"]
    assert len(cloud.calls(action, since=mark)) == 1
    assert len(agent.leases(secret="it")) == 1


def test_all_get_the_error(agent, cloud):
    cloud.fault("GetSessionToken", "error", code="AccessDenied", status=403, count=1)
    answers = at_once(agent, 20)
    codes = [answer.code if isinstance(answer, RpcError) else "ok" for answer in answers]
    # who came after the failure tries anew
    assert codes.count("aws_denied") >= 1 and set(codes) <= {"aws_denied", "ok"}
    assert mints(agent) <= 2
    assert issue(agent)["shared"] is True


def test_bind_is_ignored(agent):
    """The exit of a process that got the session by kms-exec changes nothing for the others."""
    result = kms_exec(agent, "-s", "session", "--", "sh", "-c", "echo $KMS_LEASE_ID $AWS_ACCESS_KEY_ID")
    assert result.returncode == 0, result.stderr
    lease_id, key = result.stdout.split()
    time.sleep(0.5)
    lease = issue(agent)
    assert (lease["lease_id"], lease["access_key_id"]) == (lease_id, key)
    assert agent.call("lease.get", lease_id=lease_id)["state"] == "active"


def test_the_client_goes_away(agent, cloud):
    """The mint goes on without it, and the next request finds the session there."""
    cloud.fault("GetSessionToken", "delay", ms=500)
    rpc = agent.rpc()
    rpc.send("lease.issue", {"secret": "session"})
    cloud.wait_for_call("GetSessionToken")
    rpc.close()
    wait_for(lambda: agent.leases())
    lease = issue(agent)
    assert mints(agent) == 1
    wait_for(lambda: agent.call("lease.get", lease_id=lease["lease_id"])["delivered"])


# who shares


@pytest.mark.root
def test_uids_do_not_share(make_agent):
    agent = make_agent(start=False)
    agent.secrets["session"]["allow"] = ["user:0", f"user:{OTHER_UID}"]
    agent.write_config()
    agent.start()
    mine = issue(agent)
    others = as_other_user(agent, "-s", "session", "--format", "json")
    assert others["access_key_id"] != mine["access_key_id"]
    assert as_other_user(agent, "-s", "session", "--format", "json")["access_key_id"] == others["access_key_id"]
    assert issue(agent)["access_key_id"] == mine["access_key_id"]
    assert mints(agent) == 2


def test_authorized_at_each_hit(agent):
    issue(agent)
    agent.secrets["session"]["allow"] = [f"user:{OTHER_UID}"]
    agent.write_config()
    agent.reload()
    with pytest.raises(RpcError, match="not_allowed"):
        issue(agent)


def test_another_ttl_is_a_lease_of_its_own(agent):
    shared = issue(agent)
    assert issue(agent, ttl_s=3600)["lease_id"] == shared["lease_id"]
    own = issue(agent, ttl_s=1800)
    assert own["lease_id"] != shared["lease_id"] and own["shared"] is False
    assert issue(agent, ttl_s=1800)["lease_id"] != own["lease_id"]
    assert issue(agent)["lease_id"] == shared["lease_id"]


def test_region_is_the_requests_own(agent):
    issue(agent)
    assert issue(agent, region="us-east-1")["region"] == "us-east-1"
    assert issue(agent)["region"] == "eu-west-1"
    assert mints(agent) == 1


def test_any_holder_sees_renews_and_revokes(agent):
    lease_id = issue(agent)["lease_id"]
    issue(agent)
    assert agent.call("lease.get", lease_id=lease_id)["shared"] is True
    renewed = agent.call("lease.renew", lease_id=lease_id)
    assert renewed["lease_id"] == lease_id
    assert issue(agent)["access_key_id"] == renewed["access_key_id"], "a renewal is for new requests"
    assert agent.call("lease.revoke", lease_id=lease_id)["state"] == "revoked"


# time


@pytest.mark.hooks
def test_refreshed_ahead_by_a_request(agent):
    """In the last part before the border a request gets the old session at once, later ones a new one, same lease."""
    first = issue(agent)
    agent.pass_time(29 * MINUTE)
    assert issue(agent)["access_key_id"] == first["access_key_id"]
    time.sleep(0.3)
    assert mints(agent) == 1, "too early"
    agent.cloud.fault("GetSessionToken", "delay", ms=3000)  # the agent may be quicker than the request
    agent.pass_time(36 * MINUTE)
    before = time.monotonic()
    assert issue(agent)["access_key_id"] == first["access_key_id"]
    assert time.monotonic() - before < 2, "the request waited for the refresh"
    wait_for(lambda: issue(agent)["access_key_id"] != first["access_key_id"])
    second = issue(agent)
    assert second["lease_id"] == first["lease_id"]
    assert seconds_left(second, 36 * MINUTE) > 59 * MINUTE
    assert mints(agent) == 2
    assert agent.call("lease.get", lease_id=first["lease_id"])["access_key_id"] == second["access_key_id"]


@pytest.mark.hooks
@pytest.mark.slow
def test_refreshed_ahead_without_a_request(agent):
    first = issue(agent)
    agent.pass_time(36 * MINUTE)
    agent.cloud.wait_for_call("GetSessionToken", 2, timeout_s=15)
    wait_for(lambda: issue(agent)["access_key_id"] != first["access_key_id"])
    assert mints(agent) == 2


@pytest.mark.hooks
def test_twenty_minutes_are_left(agent):
    """Whenever it is asked for, what comes has more than twenty minutes."""
    for step in range(0, 150, 7):
        agent.pass_time(step * MINUTE)
        assert seconds_left(issue(agent), step * MINUTE) > 20 * MINUTE - 2
    assert mints(agent) < 10


@pytest.mark.hooks
def test_new_lease_when_max_ttl_is_used_up(make_agent):
    agent = make_agent(start=False)
    agent.secrets["session"].update(default_ttl="1h", max_ttl="1h")
    agent.write_config()
    agent.start()
    first = issue(agent)
    agent.pass_time(45 * MINUTE)
    second = issue(agent)
    assert second["lease_id"] != first["lease_id"] and second["shared"] is True
    states = {lease["lease_id"]: lease["state"] for lease in agent.leases()}
    assert states == {first["lease_id"]: "active", second["lease_id"]: "active"}, "the old one lives to its end"
    wait_for(lambda: all(lease["delivered"] for lease in agent.leases()))


@pytest.mark.hooks
def test_quarter_of_an_hour(make_agent):
    """Half its life, for a session under forty minutes."""
    agent = make_agent(start=False)
    agent.secrets["session"].update(default_ttl="15m")
    agent.write_config()
    agent.start()
    first = issue(agent)
    assert first["granted_ttl_s"] == 900
    agent.pass_time(4 * MINUTE)
    assert issue(agent)["access_key_id"] == first["access_key_id"]
    agent.pass_time(7.6 * MINUTE)
    second = issue(agent)
    assert second["access_key_id"] != first["access_key_id"]
    assert seconds_left(second, 7.6 * MINUTE) > 14 * MINUTE


@pytest.mark.hooks
def test_credential_process(agent):
    """As the aws CLI and boto3 run it: one mint for many runs, and always more than fifteen minutes left."""
    keys = set()
    for offset in (0, 1, 2, 10 * MINUTE, 20 * MINUTE):
        agent.pass_time(offset)
        result = kms_exec(agent, "-s", "session", "--format", "credential-process")
        assert result.returncode == 0 and result.stderr == "", result.stderr
        answer = json.loads(result.stdout)
        left = datetime.fromisoformat(answer["Expiration"]).timestamp() - time.time() - offset
        assert left > 15 * MINUTE
        keys.add(answer["AccessKeyId"])
    assert len(keys) == 1
    assert mints(agent) == 1


# AWS is down


@pytest.mark.hooks
@pytest.mark.slow
def test_aws_down(agent, cloud):
    """The last good one to its end, told once; then one clear error; and back again."""
    first = issue(agent)
    cloud.fault("GetSessionToken", "status", code=503, count=-1)
    agent.pass_time(50 * MINUTE)  # past the border: the first request waits for the attempt
    assert issue(agent)["access_key_id"] == first["access_key_id"]
    for minutes in (52, 55, 58, 59):
        agent.pass_time(minutes * MINUTE)
        before = time.monotonic()
        lease = issue(agent)
        assert lease["access_key_id"] == first["access_key_id"]
        assert lease["expires_at"] == first["expires_at"]
        assert time.monotonic() - before < 1, "the request waited for AWS"
    assert agent.log().count("the last one is handed out until") == 1
    agent.pass_time(61 * MINUTE)
    with pytest.raises(RpcError, match="aws_unavailable"):
        issue(agent)
    cloud.clear_faults()
    again = issue(agent)
    assert again["access_key_id"] != first["access_key_id"]
    assert seconds_left(again, 61 * MINUTE) > 59 * MINUTE


@pytest.mark.hooks
def test_refused_like_down(make_agent, cloud):
    """What AWS denies when it is refreshed is kept to its end too; one line, however often it is tried."""
    agent = make_agent(start=False)
    agent.secrets["session"].update(default_ttl="1h", max_ttl="1h")  # each refresh is a lease of its own
    agent.write_config()
    agent.start()
    first = issue(agent)
    cloud.fault("GetSessionToken", "error", code="AccessDenied", status=403, count=-1)
    agent.pass_time(50 * MINUTE)
    end = time.monotonic() + 4
    while time.monotonic() < end:
        assert issue(agent)["access_key_id"] == first["access_key_id"]
        time.sleep(0.05)
    assert 2 <= mints(agent) <= 10, "no retries, or no backoff"
    assert agent.log().count("AccessDenied") <= 1, agent.log()
    cloud.clear_faults()
    wait_for(lambda: issue(agent)["access_key_id"] != first["access_key_id"])


# revoked, reloaded, restarted


def test_revoked(agent):
    first = issue(agent)
    answer = agent.call("lease.revoke", lease_id=first["lease_id"])
    assert answer["ends_at"] == first["expires_at"]
    second = issue(agent)
    assert second["lease_id"] != first["lease_id"]
    assert agent.call("lease.revoke", secret="session", all=True)["revoked"] == 1
    third = issue(agent)
    assert third["lease_id"] not in (first["lease_id"], second["lease_id"])
    assert third["access_key_id"] not in (first["access_key_id"], second["access_key_id"])


def test_revoked_while_others_ask(agent):
    """Nobody who asks after the revocation was answered gets the revoked one."""
    stop, errors = threading.Event(), []
    revoked = set()

    def hammer():
        with agent.rpc() as rpc:
            while not stop.is_set():
                known = set(revoked)
                lease = rpc.call("lease.issue", secret="session")
                if lease["lease_id"] in known:
                    errors.append(lease["lease_id"])

    threads = [threading.Thread(target=hammer) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            lease = issue(agent)
            agent.call("lease.revoke", lease_id=lease["lease_id"])
            revoked.add(lease["lease_id"])
            time.sleep(0.05)
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert not errors
    assert len(revoked) == 10


def test_recipe_changed(agent):
    first = issue(agent)
    agent.reload()
    assert issue(agent)["lease_id"] == first["lease_id"], "nothing changed for this secret"
    agent.secrets["session"]["default_ttl"] = "2h"
    agent.write_config()
    agent.reload()
    second = issue(agent)
    assert second["lease_id"] != first["lease_id"] and second["granted_ttl_s"] == 7200
    agent.secrets["session"]["share"] = "none"
    agent.write_config()
    agent.reload()
    assert issue(agent)["shared"] is False
    assert agent.call("lease.get", lease_id=first["lease_id"])["state"] == "active", "it ends by itself"


def test_restart_forgets(agent):
    """No secret is on disk, so there is none to hand out again; both leases are shown as what they are."""
    first = issue(agent)
    wait_for(lambda: agent.call("lease.get", lease_id=first["lease_id"])["delivered"])
    agent.restart()
    second = issue(agent)
    assert second["lease_id"] != first["lease_id"]
    wait_for(lambda: all(lease["delivered"] for lease in agent.leases()))
    shown = {lease["lease_id"]: (lease["state"], lease["shared"], lease["expires_at"]) for lease in agent.leases()}
    assert shown == {lease["lease_id"]: ("active", True, lease["expires_at"]) for lease in (first, second)}


# records


@pytest.mark.slow
def test_audit_lines(agent):
    """Each mint has a line; hits are counted and told later, in one line."""
    for _ in range(30):
        lease = issue(agent)
    assert "shared session handed out" not in agent.log()
    wait_for(lambda: "shared session handed out 29 times" in agent.log(), 15)
    wait_for(lambda: "shared" in [line["event"] for line in agent.call("audit.list")["lines"]])
    lines = [line for line in kmsctl_json(agent, "audit")["lines"] if line["event"] in ("issued", "shared")]
    assert [line["event"] for line in lines] == ["shared", "issued"]
    assert lines[0]["lease_id"] == lease["lease_id"] and "29 times" in lines[0]["detail"]
    assert lines[0]["uid"] == os.getuid() and lines[0]["pid"] == os.getpid()


def test_audit_lines_at_the_end(agent):
    """What was counted and not yet told is told when the agent stops."""
    issue(agent)
    issue(agent)
    agent.restart()
    assert any(line["event"] == "shared" for line in agent.call("audit.list")["lines"])


def test_commits_only_for_the_first(agent):
    """Hits do not touch the store."""
    agent.wait_delivered(issue(agent))
    size = os.stat(f"{agent.state}/data.mdb").st_mtime_ns
    for _ in range(100):
        issue(agent)
    assert os.stat(f"{agent.state}/data.mdb").st_mtime_ns == size


def test_times_are_utc(agent):
    assert datetime.fromisoformat(issue(agent)["expires_at"]).tzinfo == timezone.utc
