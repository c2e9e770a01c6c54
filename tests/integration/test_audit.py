# SPDX-License-Identifier: Apache-2.0
"""The audit log: who (uid, gids, pid, unit, command), what, when, with what result, and which call of AWS's own log it
was. Every credential that AWS was asked for has a line, those it refused too, and no line has a secret."""
import os
import subprocess
import time

import pytest

from cli import kms_exec, kmsctl, kmsctl_json
from methods import COMBINATIONS, prepare, seed_role, settings
from rpc import RpcError
from trouble import wait_until

USERS, SESSIONS = "iam-user", "temporary-credentials"
MINTS = {("access-key", SESSIONS): "GetSessionToken", ("assume-role", SESSIONS): "AssumeRole",
         ("irsa", SESSIONS): "AssumeRoleWithWebIdentity"}


@pytest.fixture
def box(make_agent):
    """Every method and type, as METHOD-TYPE."""
    agent = make_agent(start=False)
    prepare(agent, {f"{method}-{kind}": settings(agent, method, kind) for method, kind in COMBINATIONS})
    return agent.start()


def lines(agent, event=None, **params):
    found = agent.call("audit.list", **params)["lines"]
    return [line for line in found if event in (None, line["event"])]


def wait_lines(agent, event, count=1, timeout_s=10.0, **params):
    """Lines that are written lazily."""
    end = time.monotonic() + timeout_s
    while len(lines(agent, event, **params)) < count:
        assert time.monotonic() < end, lines(agent, **params)
        time.sleep(0.05)
    return lines(agent, event, **params)


def check_call(cloud, line, action):
    """The call that a line names is in AWS's log under the same request id."""
    assert line["aws_action"] == action
    calls = [call for call in cloud.log() if call["request_id"] == line["aws_request_id"]]
    assert [call["action"] for call in calls] == [action], (line, calls)
    return calls[0]


@pytest.mark.parametrize("method, kind", COMBINATIONS)
def test_each_line_names_its_call(box, cloud, method, kind):
    mint = MINTS.get((method, kind), "CreateAccessKey")
    renewal = MINTS.get((method, kind), "PutUserPolicy")
    lease = box.call("lease.issue", secret=f"{method}-{kind}", ttl_s=1200)
    mark = cloud.mark()
    box.call("lease.renew", lease_id=lease["lease_id"], ttl_s=2400)
    box.call("lease.revoke", lease_id=lease["lease_id"])
    box.wait_lease(lease["lease_id"], "revoked")
    found = {line["event"]: line for line in lines(box, lease_id=lease["lease_id"])}
    assert check_call(cloud, found["issued"], mint)["seq"] <= mark
    assert check_call(cloud, found["renewed"], renewal)["seq"] > mark
    if kind == USERS:
        call = check_call(cloud, found["revoked"], "DeleteAccessKey")
        assert call["params"]["AccessKeyId"] == lease["access_key_id"]
    else:
        assert "aws_action" not in found["revoked"]  # AWS takes no session back
    journal = [text for text in box.log().splitlines() if lease["lease_id"] in text]
    for event in ("issued", "renewed"):
        assert [text for text in journal if f"lease {event}" in text and found[event]["aws_request_id"] in text], journal


def test_key_that_was_gone(box, cloud):
    """Somebody was quicker: the line names the call that told so."""
    lease = box.call("lease.issue", secret=f"access-key-{USERS}")
    cloud.fault("DeleteAccessKey", "error", code="NoSuchEntity", message="The Access Key cannot be found.", status=404)
    box.call("lease.revoke", lease_id=lease["lease_id"])
    box.wait_lease(lease["lease_id"], "revoked")
    line = lines(box, "revoked", lease_id=lease["lease_id"])[0]
    check_call(cloud, line, "DeleteUser")


def test_expiry_and_restart(make_agent, cloud):
    """Who killed the key is known in the end although the agent was restarted before the clean-up."""
    agent = make_agent()
    cloud.fault("DeleteUser", "error", code="ServiceFailure", message="later", status=500, count=-1)
    lease = agent.call("lease.issue", secret="app", ttl_s=5)
    cloud.wait_for_call("DeleteUser", timeout_s=20)
    agent.restart()
    cloud.clear_faults()
    agent.wait_lease(lease["lease_id"], "revoked", timeout_s=70)
    line = lines(agent, "revoked", lease_id=lease["lease_id"])[0]
    check_call(cloud, line, "DeleteAccessKey")
    assert line["reason"] == "expired" and line.get("gids", []) == os.getgroups()[:32]


def ends(agent, lease_id):
    """Lines of the journal that tell of a lease's end, of which there is one in the end."""
    def found():
        return [text for text in agent.log().splitlines() if lease_id in text and "lease revoked" in text]
    wait_until(found, "the end in the journal")
    return found()


@pytest.mark.parametrize("name", [f"access-key-{USERS}", f"assume-role-{SESSIONS}"])
def test_end_that_nobody_asked_for_is_in_the_journal(box, name):
    """Once, with the reason and the call."""
    lease = box.call("lease.issue", secret=name, ttl_s=5)
    box.wait_lease(lease["lease_id"], "revoked", timeout_s=20)
    text, = ends(box, lease["lease_id"])
    line = lines(box, "revoked", lease_id=lease["lease_id"])[0]
    assert "lease revoked: expired" in text and "reason=expired" in text
    assert line.get("aws_request_id", "") in text and ("aws_action=DeleteAccessKey" in text) == name.endswith(USERS)


def test_end_of_the_process_is_in_the_journal(box):
    assert kms_exec(box, "-s", f"access-key-{USERS}", "--", "true").returncode == 0
    box.wait_no_users()  # the user goes before the record says so
    wait_until(lambda: box.leases(secret=f"access-key-{USERS}", state="revoked"), "the record")
    lease, = box.leases(secret=f"access-key-{USERS}", state="revoked")
    text, = ends(box, lease["lease_id"])
    assert "lease revoked: peer_exit" in text


# who


def as_user(agent, groups, *command):
    """Runs kms-exec as uid 1 with these groups."""
    def drop():
        os.setgroups(groups)
        os.setgid(groups[0] if groups else 1)
        os.setuid(1)
    return kms_exec(agent, *command, preexec_fn=drop)


@pytest.mark.skipif(os.getuid() != 0, reason="becomes another user")
@pytest.mark.parametrize("count", [1, 32, 50])
def test_groups_of_the_peer(make_agent, count):
    """All that decides who may is recorded, as far as a line goes."""
    groups = list(range(20001, 20001 + count))
    agent = make_agent(start=False)
    agent.secrets["session"]["allow"] = ["group:20001"]
    agent.write_config()
    os.chmod(agent.path, 0o755)
    agent.start()
    result = as_user(agent, groups, "-s", "session", "--", "true")
    assert result.returncode == 0, result.stderr
    line = lines(agent, "issued")[0]
    assert (line["uid"], line["gid"], line["rule"]) == (1, 20001, "group:20001")
    assert line["gids"] == groups[:32] and line.get("gids_more", 0) == max(0, count - 32)
    assert line["command"] == "kms-exec" and line["pid"] > 0
    shown = agent.call("lease.get", lease_id=line["lease_id"])
    assert shown["gids"] == line["gids"]


# failures


def fails(agent, code, **params):
    with pytest.raises(RpcError) as caught:
        agent.call("lease.issue", **params)
    assert caught.value.code == code, caught.value.message
    return caught.value.message


def test_session_that_aws_refuses(box, cloud):
    cloud.fault("AssumeRole", "error", code="AccessDenied", message="not authorized to perform: sts:AssumeRole", status=403,
                count=-1)
    message = fails(box, "aws_denied", secret=f"assume-role-{SESSIONS}")
    line = wait_lines(box, "failed")[0]
    assert line["error"] == "aws_denied" and line["secret"] == f"assume-role-{SESSIONS}"
    assert line["detail"] == message[:255]
    assert (line["uid"], line["pid"], line["rule"]) == (os.getuid(), os.getpid(), f"user:{os.getuid()}")
    check_call(cloud, line, "AssumeRole")


def test_user_that_aws_refuses_has_one_line(box, cloud):
    cloud.fault("CreateUser", "error", code="AccessDenied", message="not authorized to perform: iam:CreateUser", status=403)
    fails(box, "aws_denied", secret=f"access-key-{USERS}")
    wait_lines(box, "failed")
    time.sleep(0.5)  # for another one
    line = lines(box, "failed")
    assert len(line) == 1 and line[0]["reason"] == "failed_mint"
    check_call(cloud, line[0], "CreateUser")
    assert [text for text in box.log().splitlines() if "iam:CreateUser" in text and line[0]["lease_id"] in text]


@pytest.mark.parametrize("kind", [USERS, SESSIONS])
def test_ttl_above_max(box, kind):
    fails(box, "invalid_ttl", secret=f"access-key-{kind}", ttl_s=10**6)
    line = wait_lines(box, "failed")
    assert len(line) == 1 and line[0]["error"] == "invalid_ttl" and "max_ttl" in line[0]["detail"]
    assert line[0]["secret"] == f"access-key-{kind}" and "lease_id" not in line[0]


def test_renewal_that_fails(box, cloud):
    lease = box.call("lease.issue", secret=f"access-key-{USERS}", ttl_s=600)
    cloud.fault("PutUserPolicy", "error", code="AccessDenied", message="not authorized to perform: iam:PutUserPolicy", status=403)
    with pytest.raises(RpcError):
        box.call("lease.renew", lease_id=lease["lease_id"], ttl_s=1200)
    line = wait_lines(box, "failed", lease_id=lease["lease_id"])
    assert len(line) == 1 and line[0]["error"] == "aws_denied"
    check_call(cloud, line[0], "PutUserPolicy")
    with pytest.raises(RpcError):
        box.call("lease.renew", lease_id=lease["lease_id"], ttl_s=10)
    assert wait_lines(box, "failed", 2, lease_id=lease["lease_id"])[0]["error"] == "not_renewable"


def test_shared_session_that_fails(make_agent, cloud):
    """One line for a mint, however many waited for it."""
    agent = make_agent()
    cloud.fault("GetSessionToken", "error", code="AccessDenied", message="no", status=403)
    cloud.pause()
    with agent.rpc() as rpc:
        waiting = [rpc.send("lease.issue", {"secret": "session"}) for _ in range(8)]
        rpc.call("agent.status")  # answered at once, so by now all eight wait
        cloud.resume()
        for msgid in waiting:
            with pytest.raises(RpcError):
                rpc.wait(msgid)
    assert len(wait_lines(agent, "failed")) == 1


def test_rotation_that_fails(make_agent):
    agent = make_agent()
    with pytest.raises(RpcError) as caught:
        agent.call("secret.rotate_root", secret="app")
    line = wait_lines(agent, "failed")
    assert len(line) == 1 and line[0]["secret"] == "app" and line[0]["detail"] == caught.value.message[:255]
    assert line[0]["pid"] == os.getpid()


def test_failures_fill_nothing(box):
    """Ten a minute of one uid, as denials."""
    for _ in range(40):
        fails(box, "invalid_ttl", secret=f"access-key-{SESSIONS}", ttl_s=10**6)
    wait_lines(box, "failed", 10)
    time.sleep(0.5)  # for more
    assert 10 <= len(lines(box, "failed")) <= 11
    assert 10 <= len([text for text in box.log().splitlines() if "above the secret's max_ttl" in text]) <= 11


def test_reloads(make_agent):
    agent = make_agent()
    agent.call("agent.reload")
    line = wait_lines(agent, "reloaded")[0]
    assert line["secret"] == "" and line["pid"] == os.getpid() and line["command"]
    agent.reload()  # SIGHUP
    line = wait_lines(agent, "reloaded", 2)[0]
    assert line["command"] == "kms-agentd" and line["pid"] == agent.pid
    agent.write_file("agent.conf", "agent: {")
    with pytest.raises(RpcError):
        agent.call("agent.reload")
    assert wait_lines(agent, "failed")[0]["error"] == "config_invalid"


# for people


def test_table(box, cloud):
    lease = box.call("lease.issue", secret=f"access-key-{USERS}", ttl_s=600)
    fails(box, "invalid_ttl", secret=f"access-key-{USERS}", ttl_s=10**6)
    box.call("lease.revoke", lease_id=lease["lease_id"])
    box.wait_lease(lease["lease_id"], "revoked")
    wait_lines(box, "failed")
    result = kmsctl(box, "audit")
    assert result.returncode == 0 and result.stderr == ""
    rows = [row.split() for row in result.stdout.splitlines()]
    assert rows[0] == ["TIME", "EVENT", "SECRET", "LEASE", "UID", "GID", "PID", "COMMAND", "UNIT", "RESULT", "REQUEST"]
    by_event = {row[1]: row for row in rows[1:]}
    issued = by_event["issued"]
    assert issued[3] == lease["lease_id"] and issued[4:7] == [str(os.getuid()), str(os.getgid()), str(os.getpid())]
    assert issued[9] == "ok" and issued[10] == lines(box, "issued")[0]["aws_request_id"]
    assert by_event["failed"][9] == "invalid_ttl" and by_event["failed"][10] == "-"
    assert by_event["revoked"][9:11] == ["ok", "(client)"]
    found = kmsctl_json(box, "audit")["lines"]
    assert found == box.call("audit.list")["lines"]
    assert "result" not in found[0] and [line for line in found if line["event"] == "issued"][0].get("gids", []) == os.getgroups()[:32]
