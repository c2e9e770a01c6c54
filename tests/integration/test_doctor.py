# SPDX-License-Identifier: Apache-2.0
"""`kmsctl doctor`: what is wrong is said, what is right is said, and nothing is done."""
import contextlib
import http.server
import json
import threading
import time

import pytest

from cli import agent_env, kmsctl
from methods import ALL, prepare, seed_role, settings
from rpc import RpcError
from test_least_policy import make_box, printed, without

ASKED = {"GetCallerIdentity", "SimulatePrincipalPolicy", "GetRole", "AssumeRole", "AssumeRoleWithWebIdentity"}


def doctor(agent, *arguments, env=None):
    """(exit status, lines)"""
    result = kmsctl(agent, "doctor", *arguments, "--json", env=env)
    answer = json.loads(result.stdout)
    assert answer["ok"] is (result.returncode == 0) and result.returncode in (0, 1), result.stderr
    return result.returncode, answer["lines"]


def find(lines, what, secret=None):
    return [(line["level"], line["text"]) for line in lines
            if line["what"] == what and line.get("secret") == secret]


def test_all_is_well(make_agent, cloud):
    cloud.seed(groups=[{"name": "readers"}])
    agent = make_agent(start=False)
    prepare(agent, {"user": settings(agent, "access-key", "iam-user", groups=["readers"]),
                    "role": settings(agent, "assume-role", "temporary-credentials", max_ttl="1h"),
                    "pod": settings(agent, "irsa", "iam-user")})
    agent.start()
    mark = cloud.mark()
    status, lines = doctor(agent)
    assert status == 0, lines
    assert find(lines, "identity", "user") == [("ok", cloud.management["user_arn"])]
    assert find(lines, "permission", "user")[0][0] == "ok"
    assert find(lines, "permission", "pod")[0][0] == "ok"
    assert find(lines, "identity", "role")[0][1].endswith(":assumed-role/minter/kms-agent")
    assert find(lines, "ttl", "role") == [("ok", "sessions last up to 1h, the role's MaxSessionDuration is 1h")]
    for what in ("socket", "you", "peer", "store", "leases", "memory", "credentials", "clock"):
        assert find(lines, what)[0][0] == "ok", what
    assert {call["action"] for call in cloud.log(mark)} <= ASKED
    assert cloud.users() == {}


def test_lines_for_people(make_agent, cloud):
    agent = make_box(make_agent, cloud, "access-key", "iam-user")
    result = kmsctl(agent, "doctor", "it")
    assert result.returncode == 0 and result.stderr == ""
    lines = result.stdout.splitlines()
    assert f"ok    identity it: {cloud.management['user_arn']}" in lines
    assert all(line[:6] in ("ok    ", "info  ", "warn  ") for line in lines)


@pytest.mark.parametrize("action", ["iam:TagUser", "iam:AttachUserPolicy", "iam:GetUser", "iam:RemoveUserFromGroup"])
def test_missing_permission(action, make_agent, cloud):
    cloud.seed(groups=[{"name": "readers"}], policies=[{"name": "Boundary", "document": ALL}])
    agent = make_box(make_agent, cloud, "access-key", "iam-user", groups=["readers"],
                     policy_arns=["arn:aws:iam::aws:policy/ReadOnlyAccess"],
                     permissions_boundary=cloud.arn("policy/Boundary"))
    document = printed(agent)["manage users"]
    simulate = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iam:SimulatePrincipalPolicy", "Resource": cloud.management["user_arn"]}]}
    cloud.policy(document, simulate)
    status, lines = doctor(agent, "it")
    assert status == 0 and find(lines, "permission", "it")[0][0] == "ok", lines
    assert any(level == "info" and "iam:ListUsers" in text for level, text in find(lines, "optional", "it"))
    cloud.policy(without(document, action), simulate)
    status, lines = doctor(agent, "it")
    found = find(lines, "permission", "it")
    assert status == 1 and [level for level, _ in found] == ["fail"] and found[0][1].startswith(action + " on arn:")


def test_wrong_boundary_in_the_policy(make_agent, cloud):
    """The condition counts, not only the action."""
    cloud.seed(policies=[{"name": name, "document": ALL} for name in ("Boundary", "Other")])
    agent = make_box(make_agent, cloud, "access-key", "iam-user", permissions_boundary=cloud.arn("policy/Boundary"))
    text = json.dumps(printed(agent)["manage users"]).replace("policy/Boundary", "policy/Other")
    cloud.policy(json.loads(text), {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iam:SimulatePrincipalPolicy", "Resource": "*"}]})
    status, lines = doctor(agent, "it")
    assert status == 1
    assert any(level == "fail" and text.startswith("iam:CreateUser on") and "policy/Boundary" in text
               for level, text in find(lines, "permission", "it"))


def test_simulation_not_allowed(make_agent, cloud):
    agent = make_box(make_agent, cloud, "access-key", "iam-user")
    cloud.policy(printed(agent)["manage users"])
    status, lines = doctor(agent, "it")
    assert status == 0
    level, text = find(lines, "permission", "it")[0]
    assert level == "info" and "cannot be told" in text and "kmsctl policy it" in text
    assert find(lines, "optional", "it") == []


def test_management_key_is_dead(make_agent, cloud):
    agent = make_box(make_agent, cloud, "access-key", "iam-user")
    agent.put_credential("dead-secret", "x" * 40)
    agent.secrets["it"]["secret_access_key"] = "credential:dead-secret"
    agent.write_config()
    agent.reload()
    status, lines = doctor(agent, "it")
    assert status == 1
    assert find(lines, "identity", "it")[0][0] == "fail" and find(lines, "permission", "it") == []


def test_sessions_longer_than_the_role_allows(make_agent, cloud):
    agent = make_agent(start=False)
    prepare(agent, {"it": settings(agent, "assume-role", "temporary-credentials", max_session_duration="12h")})
    agent.start()
    assert find(doctor(agent)[1], "ttl", "it")[-1][0] == "warn"
    seed_role(cloud, max_session_duration=43200)
    assert find(doctor(agent)[1], "ttl", "it")[-1][0] == "ok"
    cloud.policy({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]})
    level, text = find(doctor(agent)[1], "ttl", "it")[-1]
    assert level == "info" and "iam:GetRole is not allowed" in text


OTHER = "210987654321"


@contextlib.contextmanager
def foreign_sts(base_arn):
    """An STS whose AssumeRole gives sessions of a role in another account than the base credentials'; its URL."""
    account = base_arn.split(":")[4]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            base = "ASIAFOREIGNROLE00001" not in self.headers["Authorization"]
            if "Action=AssumeRole&" in body:
                answer = ("<AssumeRoleResponse><AssumeRoleResult><Credentials>"
                          "<AccessKeyId>ASIAFOREIGNROLE00001</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
                          "<SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
                          f"<AssumedRoleUser><Arn>arn:aws:sts::{OTHER}:assumed-role/minter/x</Arn></AssumedRoleUser>"
                          "</AssumeRoleResult></AssumeRoleResponse>")
            else:
                arn = base_arn if base else f"arn:aws:sts::{OTHER}:assumed-role/minter/x"
                answer = ("<GetCallerIdentityResponse><GetCallerIdentityResult><UserId>X</UserId>"
                          f"<Arn>{arn}</Arn><Account>{account if base else OTHER}</Account>"
                          "</GetCallerIdentityResult></GetCallerIdentityResponse>")
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("base,asked,why", [
    ("user/management", 0, "the role is in another account than the base credentials"),
    ("root", 1, "iam:GetRole answers with another role of the same name, ")])
def test_a_role_of_the_same_name_in_another_account(base, asked, why, make_agent, cloud):
    """GetRole takes a name and looks in the account of the credentials: 12h of a role there say nothing of this one."""
    own = seed_role(cloud, max_session_duration=43200)
    agent = make_agent(start=False)
    with foreign_sts(cloud.arn(base)) as url:
        fields = settings(agent, "assume-role", "temporary-credentials", max_session_duration="12h", sts_endpoint=url)
        fields["role_arn"] = own.replace(own.split(":")[4], OTHER)
        prepare(agent, {"it": fields})
        agent.start()
        lines = doctor(agent)[1]
        optional = [document["title"] for document in agent.call("secret.policy", secret="it")["documents"]]
    assert len(cloud.calls("GetRole")) == asked
    level, text = find(lines, "ttl", "it")[-1]
    assert level == "info" and "MaxSessionDuration cannot be told" in text and why in text
    assert text.endswith(own) or base != "root"
    assert ("optional" in optional) is (base == "root")


def test_session_tags(make_agent, cloud):
    agent = make_agent(start=False)
    prepare(agent, {"it": settings(agent, "assume-role", "temporary-credentials", session_tags=["team=platform"])})
    agent.start()
    assert find(doctor(agent)[1], "permission", "it")[0][0] == "ok"
    cloud.policy({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["sts:AssumeRole", "iam:SimulatePrincipalPolicy"], "Resource": "*"}]})
    level, text = find(doctor(agent)[1], "permission", "it")[0]
    assert level == "fail" and text.startswith("sts:TagSession on " + cloud.arn("role/minter"))


def test_stuck_lease(make_agent, cloud):
    agent = make_box(make_agent, cloud, "access-key", "iam-user")
    lease = agent.call("lease.issue", secret="it")
    cloud.policy()
    with pytest.raises(RpcError):
        agent.call("lease.revoke", lease_id=lease["lease_id"])
    status, lines = doctor(agent)
    assert status == 1 and find(lines, "leases")[0][0] == "fail"
    assert any(level == "fail" and lease["lease_id"] in text and "iam:DeleteAccessKey" in text
               for level, text in find(lines, "leases", "it")), lines


@pytest.mark.hooks
def test_clock(make_agent, cloud):
    agent = make_box(make_agent, cloud, "access-key", "iam-user")
    agent.write_clock(-30000)
    assert find(doctor(agent)[1], "clock")[0][0] == "warn"
    agent.write_clock(-250000)
    status, lines = doctor(agent)
    assert status == 1 and find(lines, "clock")[0][0] == "fail" and "behind" in find(lines, "clock")[0][1]


def test_warnings_of_the_configuration(make_agent, cloud):
    agent = make_agent(start=False)
    agent.secrets = {"user": agent.iam_user(), "session": agent.session()}
    agent.write_config()
    agent.start()
    assert any(level == "warn" and "inherit" in text for level, text in find(doctor(agent)[1], "configuration"))


def test_agent_is_not_there(make_agent, cloud):
    agent = make_agent(start=False)
    status, lines = doctor(agent)
    assert status == 1
    assert find(lines, "socket")[0][0] == "fail" and find(lines, "agent")[0][0] == "fail"


@pytest.mark.slow
def test_ten_seconds_at_most(make_agent, cloud):
    """Each call hangs, and there are more secrets than time."""
    agent = make_agent(start=False)
    agent.secrets = {f"s{number}": agent.iam_user() for number in range(6)}
    agent.write_config()
    agent.start()
    cloud.wait_for_call("GetCallerIdentity", count=6)
    cloud.fault("GetCallerIdentity", "hang_before", count=-1)
    start = time.monotonic()
    try:
        status, lines = doctor(agent)
    finally:
        cloud.clear_faults()
    assert time.monotonic() - start < 10.5 and status == 1
    assert any("the time is up" in text for level, text in find(lines, "doctor", "s5"))


def test_surroundings_of_the_client(make_agent, cloud, tmp_path):
    agent = make_box(make_agent, cloud, "access-key", "iam-user")
    file = tmp_path / "credentials"
    file.write_text("[other]\naws_access_key_id = AKIA1\n[default]\nregion = x\naws_access_key_id = AKIA2\n")
    env = {**agent_env(agent, AWS_PROFILE="dev", AWS_SESSION_TOKEN="old"), "AWS_SHARED_CREDENTIALS_FILE": str(file)}
    status, lines = doctor(agent, env=env)
    assert status == 0
    assert find(lines, "files")[0][0] == "warn"
    level, text = find(lines, "environment")[0]
    assert level == "info" and "AWS_PROFILE" in text and "AWS_SESSION_TOKEN" in text and "old" not in text
    file.write_text("[other]\naws_access_key_id = AKIA1\n[default]\nregion = x\n")
    assert find(doctor(agent, env=env)[1], "files")[0][0] == "ok"


@pytest.mark.root
def test_somebody_else_sees_only_what_is_theirs(make_agent, cloud):
    """Who is no administrator learns about its own secrets, and makes the agent ask AWS nothing."""
    agent = make_agent(start=False)
    agent.secrets = {"mine": agent.iam_user(allow=["user:1234"]), "other": agent.iam_user()}
    agent.write_config()
    agent.start()
    cloud.wait_for_call("GetCallerIdentity", count=2)
    end = time.monotonic() + 10
    while True:
        mark = cloud.mark()
        result = kmsctl(agent, "doctor", "--json", user=1234, group=1234, extra_groups=[])
        lines = json.loads(result.stdout)["lines"]
        if find(lines, "identity", "mine") or time.monotonic() > end:
            break
    assert result.returncode == 0, lines
    assert find(lines, "access", "mine") == [("ok", "you may use it, by the rule user:1234")]
    assert find(lines, "identity", "mine") == [("ok", "the management credentials worked when last tried")]
    assert "other" not in {line.get("secret") for line in lines}
    assert cloud.management["user_arn"] not in result.stdout and cloud.log(mark) == []
    refused = kmsctl(agent, "doctor", "other", "--json", user=1234, group=1234, extra_groups=[])
    assert refused.returncode == 1 and "does not exist or is not allowed" in refused.stdout
    policy = kmsctl(agent, "policy", "other", user=1234, group=1234, extra_groups=[])
    assert policy.returncode == 1 and policy.stdout == ""
