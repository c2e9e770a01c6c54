# SPDX-License-Identifier: Apache-2.0
"""The sweep: users that a lost store left behind go the ordinary way out; nobody else's user is touched."""
import shutil
import time
import uuid

import pytest

import metrics
from cli import kmsctl, kmsctl_json
from rpc import RpcError
from trouble import wait_until

PAST, FUTURE = "2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
LOOKING = {"ListUsers", "GetUser"}


def lease_id():
    """A UUIDv7 of 2020."""
    return uuid.UUID(int=(1577836800000 << 80) | (7 << 76) | (2 << 62) | (uuid.uuid4().int & ((1 << 62) - 1)))


def tagged(name_of, agent_id="test-agent", end=PAST, lease=None, path="/kms/", **more):
    """A seeded user with our tags; name_of: the lease id to its name."""
    lease = lease or lease_id()
    tags = {"kms-agent-id": agent_id, "kms-lease-id": str(lease), "kms-last-end": end}
    return {"name": name_of(lease.hex), "path": path, "age_s": 86400, "access_keys": 1,
            "tags": {key: value for key, value in tags.items() if value is not None}, **more}


def kept():
    """Users that a sweep has to leave alone, by what makes them so."""
    return {
        "another agent's": tagged("kms-app-{}".format, agent_id="other-agent"),
        "ours, not past": tagged("kms-app-{}".format, end=FUTURE),
        "ours, no end": tagged("kms-app-{}".format, end=None),
        "ours, a strange end": tagged("kms-app-{}".format, end="soon"),
        "no tags": {"name": f"kms-app-{lease_id().hex}", "path": "/kms/", "access_keys": 1},
        "no lease in its name": tagged(lambda _: "kms-app-short"),
        "a stranger": {"name": "alice", "path": "/kms/", "access_keys": 2},
        "ours, another path": tagged("kms-app-{}".format, path="/other/"),
        "agent id in another case": tagged("kms-app-{}".format, agent_id="Test-Agent"),
    }


def touched(cloud, name, since=0):
    """What was called on a user, but for the looking."""
    return {call["action"] for call in cloud.log(since) if call["params"].get("UserName") == name} - LOOKING


@pytest.fixture
def sweeper(make_agent):
    agent = make_agent(start=False)
    agent.secrets = {"app": agent.iam_user(path="/kms/", ready_timeout="0s"), "session": agent.session()}
    agent.write_config()
    return agent


def test_orphans_go_and_nobody_else(sweeper, cloud):
    orphan = tagged("kms-app-{}".format, groups=["staff"], inline={"more": ALLOW})
    others = kept()
    cloud.seed(groups=[{"name": "staff"}], users=[orphan, *others.values()])
    agent = sweeper.start()
    live = agent.call("lease.issue", secret="app")
    mark = cloud.mark()
    report = kmsctl_json(agent, "sweep", "--report")
    assert [found["username"] for found in report["orphans"]] == [orphan["name"]]
    assert report["report_only"] and not report["orphans"][0]["revoking"]
    assert not touched(cloud, orphan["name"]), "a report does nothing"
    answer = kmsctl_json(agent, "sweep")
    assert [found["username"] for found in answer["orphans"]] == [orphan["name"]]
    assert answer["orphans"][0]["revoking"] and answer["failed"] == 0
    end = time.monotonic() + 15
    while orphan["name"] in cloud.users():
        assert time.monotonic() < end, agent.log()[-3000:]
        time.sleep(0.05)
    for why, user in others.items():
        assert user["name"] in cloud.users(), why
        assert touched(cloud, user["name"]) == set(), f"{why}: {touched(cloud, user['name'])}"
    # A stranger whose name carries no lease id is not even asked about.
    assert not [call for call in cloud.log() if call["params"].get("UserName") in ("alice", "kms-app-short")]
    lease = agent.wait_lease(answer["orphans"][0]["lease_id"], "revoked")
    assert lease["reason"] == "swept" and lease["username"] == orphan["name"]
    # A live lease costs no call, is no orphan and stays.
    assert live["username"] in cloud.users()
    assert not [call for call in cloud.log(mark) if call["params"].get("UserName") == live["username"]]
    values = metrics.read(agent)
    assert values[("kms_sweep_findings_total", "queued")] == 1 and values[("kms_sweep_findings_total", "reported")] == 1


def test_a_lost_store(sweeper, cloud):
    """The store goes, the clock passes the last end: the users of the leases that nobody knows are found."""
    sweeper.secrets["app"]["max_ttl"] = "1h"
    sweeper.write_config()
    agent = sweeper.start()
    names = [agent.call("lease.issue", secret="app")["username"] for _ in range(5)]
    agent.kill()
    shutil.rmtree(agent.state)
    agent.start()
    assert kmsctl_json(agent, "sweep")["orphans"] == [], "their last end is not past"
    agent.stop()
    cloud.clock(3700)
    shutil.rmtree(agent.state)
    agent.start()
    wait_until(lambda: agent.call("agent.status").get("clock_offset_ms", 0) > 3600 * 1000, "the agent knows AWS's time")
    found = kmsctl_json(agent, "sweep")
    assert sorted(orphan["username"] for orphan in found["orphans"]) == sorted(names)
    agent.wait_no_users(20)


@pytest.mark.hooks
def test_timer_reports_on_a_new_store_until_an_operator_sweeps(sweeper, cloud):
    first, second = tagged("kms-app-{}".format), tagged("kms-app-{}".format)
    cloud.seed(users=[first])
    agent = sweeper.start(KMS_TEST_SWEEP_MS=300)
    agent.wait_log(f"user {first['name']} was left behind")
    # Another start does not make the store known.
    agent.restart(KMS_TEST_SWEEP_MS=300)
    cloud.wait_for_call("ListUsers", 2, since=cloud.mark())  # with the second the first sweep is over
    assert first["name"] in cloud.users() and touched(cloud, first["name"]) == set()
    kmsctl_json(agent, "sweep")
    agent.wait_no_users(20)
    cloud.seed(users=[second])
    agent.wait_no_users(20)
    # The same after a restart.
    agent.restart(KMS_TEST_SWEEP_MS=300)
    cloud.seed(users=[tagged("kms-app-{}".format)])
    agent.wait_no_users(20)


@pytest.mark.hooks
def test_timer_stops_when_denied_until_a_reload(sweeper, cloud):
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "iam:ListUsers", "Resource": "*"}]}
    cloud.policy(allow, deny)
    agent = sweeper.start(KMS_TEST_SWEEP_MS=200)
    agent.wait_log("no sweeps for users that a lost store left behind, until the next reload")
    time.sleep(1)
    assert len(cloud.calls("ListUsers")) == 1
    with pytest.raises(RpcError) as error:
        agent.call("agent.sweep")
    assert error.value.code == "aws_denied" and "iam:ListUsers" in error.value.hint
    cloud.policy(allow)
    agent.reload()
    cloud.wait_for_call("ListUsers", 4)


def deny_look(cloud, *users):
    """Everything is allowed, but to look at these users; a key may say so by their ARNs."""
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    arns = [cloud.arn(f"user{user['path']}{user['name']}") for user in users]
    cloud.policy(allow, {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "iam:GetUser",
                                                                 "Resource": arns}]})


@pytest.mark.hooks
def test_one_user_that_cannot_be_looked_at(sweeper, cloud):
    """What is wrong with one user keeps no other from being found, and the timer goes on."""
    bad, orphan = sorted((tagged("kms-app-{}".format) for _ in range(2)), key=lambda user: user["name"])
    cloud.seed(users=[bad, orphan])
    deny_look(cloud, bad)
    agent = sweeper.start()
    answer = kmsctl_json(agent, "sweep")
    assert [found["username"] for found in answer["orphans"]] == [orphan["name"]]
    assert answer["failed"] == 1 and answer["paths"] == 1
    assert [(user["username"], user["secret"]) for user in answer["unseen"]] == [(bad["name"], "app")]
    assert "GetUser" in answer["unseen"][0]["error"] and answer["error"] == answer["unseen"][0]["error"]
    agent.wait_lease(answer["orphans"][0]["lease_id"], "revoked")
    text = kmsctl(agent, "sweep", "--report")
    assert text.returncode == 0 and bad["name"] in text.stdout and "not everything could be looked at" in text.stderr
    agent.restart(KMS_TEST_SWEEP_MS=300)
    cloud.wait_for_call("ListUsers", 3, since=cloud.mark())
    assert f"sweep: user {bad['name']}, in the path of secret" in agent.log()
    assert "until the next reload" not in agent.log()
    cloud.seed(users=[tagged("kms-app-{}".format)])
    end = time.monotonic() + 20
    while list(cloud.users()) != [bad["name"]]:
        assert time.monotonic() < end, agent.log()[-3000:]
        time.sleep(0.05)
    assert touched(cloud, bad["name"]) == set()


def test_many_users_that_cannot_be_looked_at(sweeper, cloud):
    """Fifty in a row are given up with their path: the other path is looked through."""
    sweeper.secrets["other"] = sweeper.iam_user(path="/other/")
    sweeper.write_config()
    users = [tagged("kms-app-{}".format) for _ in range(60)]
    orphan = tagged("kms-app-{}".format, path="/other/")
    cloud.seed(users=[*users, orphan])
    deny_look(cloud, *users)
    agent = sweeper.start()
    answer = agent.call("agent.sweep", report_only=True)
    assert [found["username"] for found in answer["orphans"]] == [orphan["name"]]
    assert answer["failed"] == 50 and len(answer["unseen"]) == 32


def test_a_user_that_aws_does_not_answer_about(sweeper, cloud):
    bad, orphan = sorted((tagged("kms-app-{}".format) for _ in range(2)), key=lambda user: user["name"])
    cloud.seed(users=[bad, orphan])
    agent = sweeper.start()
    cloud.fault("GetUser", "status", status=400, count=-1, match={"UserName": bad["name"]})
    answer = kmsctl_json(agent, "sweep", "--report")
    assert [found["username"] for found in answer["orphans"]] == [orphan["name"]]
    assert [user["username"] for user in answer["unseen"]] == [bad["name"]]


def test_a_user_that_went_meanwhile(sweeper, cloud):
    """A key that is allowed its path only hears a denial about a user that is not there: no failure."""
    gone, orphan = sorted((tagged("kms-app-{}".format) for _ in range(2)), key=lambda user: user["name"])
    cloud.seed(users=[gone, orphan])
    agent = sweeper.start()
    cloud.fault("GetUser", "error", code="AccessDenied", status=403, count=-1, match={"UserName": gone["name"]},
                message="User: arn:aws:iam::000000000000:user/agent is not authorized to perform: iam:GetUser on "
                f"resource: user {gone['name']} because no identity-based policy allows the iam:GetUser action")
    answer = kmsctl_json(agent, "sweep", "--report")
    assert [found["username"] for found in answer["orphans"]] == [orphan["name"]]
    assert answer["failed"] == 0 and answer["unseen"] == [] and "error" not in answer


@pytest.mark.hooks
def test_a_key_that_may_not_list_stops_no_other(sweeper, cloud):
    """The first path may not be listed, the second may: the timer goes on for that one."""
    sweeper.secrets["other"] = sweeper.iam_user(path="/other/")
    sweeper.write_config()
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    cloud.policy(allow, {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "iam:ListUsers",
                                                                 "Resource": cloud.arn("user/kms/*")}]})
    agent = sweeper.start(KMS_TEST_SWEEP_MS=300)
    agent.call("agent.sweep")
    cloud.wait_for_call("ListUsers", 4, since=cloud.mark())
    orphan = tagged("kms-app-{}".format, path="/other/")
    cloud.seed(users=[orphan])
    agent.wait_no_users(20)


def test_each_identity_and_path_is_listed_once(sweeper, cloud):
    for name, path in (("a", "/kms/"), ("b", "/kms/"), ("c", "/other/")):
        sweeper.secrets[name] = sweeper.iam_user(path=path)
    sweeper.write_config()
    agent = sweeper.start()
    answer = kmsctl_json(agent, "sweep", "--report")
    assert sorted(call["params"]["PathPrefix"] for call in cloud.calls("ListUsers")) == ["/kms/", "/other/"]
    assert answer["paths"] == 2


def test_many_pages(sweeper, cloud):
    users = [tagged("kms-app-{}".format) for _ in range(230)]
    cloud.seed(users=users + [{"name": f"person-{i}", "path": "/kms/"} for i in range(100)])
    agent = sweeper.start()
    report = kmsctl_json(agent, "sweep", "--report")
    assert sorted(found["username"] for found in report["orphans"]) == sorted(user["name"] for user in users)
    assert report["users"] == 330 and report["ours"] == 230


def test_more_than_one_answer_holds(sweeper, cloud):
    """300 orphans: kmsctl follows the cursor."""
    cloud.seed(users=[tagged("kms-app-{}".format) for _ in range(300)])
    agent = sweeper.start()
    first = agent.call("agent.sweep", report_only=True)
    assert len(first["orphans"]) == 256 and first["cursor"]
    report = kmsctl_json(agent, "sweep", "--report")
    assert len({found["username"] for found in report["orphans"]}) == 300 and "cursor" not in report
    text = kmsctl(agent, "sweep", "--report").stdout
    assert text.count("kms-app-") == 300


@pytest.mark.root
def test_sweep_is_for_admins(sweeper):
    agent = sweeper.start()
    result = kmsctl(agent, "sweep", user=65533)
    assert result.returncode == 1 and "admins" in result.stderr
    result = kmsctl(agent, "metrics", user=65533)
    assert result.returncode == 1 and "admins" in result.stderr


def test_wrong_cursor(sweeper):
    agent = sweeper.start()
    for cursor in ("x", "1", "1:", "-1:"):
        with pytest.raises(RpcError) as error:
            agent.call("agent.sweep", cursor=cursor)
        assert error.value.code == "invalid_request"
