# SPDX-License-Identifier: Apache-2.0
"""secret.rotate_root: the management key is replaced within AWS's two-key limit, whatever is killed when. Always: one
key at least works, there are two at most, the new secret is on no disk in plain (make_agent checks), and in the end
the old key and every leftover are gone."""
import contextlib
import json
import os
import time

import pytest

from aws_client import client, identity
from cli import kmsctl, kmsctl_json
from rpc import Closed, RpcError
from test_least_policy import denials, without

SEAL_KEY = "0123456789abcdef0123456789abcdef"
USER = "rotated"
GUARD_S = 345
ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
# The calls of a rotation in order, each with its number among calls of the same action since it began.
CALLS = [("GetUser", 1), ("ListAccessKeys", 1), ("CreateAccessKey", 1), ("GetCallerIdentity", 1), ("GetUser", 2),
         ("GetCallerIdentity", 3), ("GetUser", 4), ("DeleteAccessKey", 1)]
POINTS = ["rotate-begin", "rotate-user", "rotate-list", "rotate-intent", "rotate-sending", "rotate-create",
          "rotate-seal", "rotate-probe", "rotate-switch", "rotate-delete", "rotate-settle"]
GUARDED_POINTS = ["rotate-sending"]


@pytest.fixture
def owner(cloud):
    """The key of a management user of its own: the one that all tests share stays."""
    return cloud.seed(users=[{"name": USER, "inline": {"all": ALL}, "access_keys": 1}])["users"][USER]["access_keys"][0]


@pytest.fixture
def rotating(make_agent, owner):
    """An agent, not started, whose secrets use that key."""
    agent = make_agent(start=False)
    agent.put_credential("kms-seal-key", SEAL_KEY)
    use_key(agent, owner)
    return agent


def use_key(agent, key):
    agent.put_credential("root-id", key["access_key_id"])
    agent.put_credential("root-secret", key["secret_access_key"])


def start(agent, **more):
    """Started, and the identity checks at start are through: their calls are not those of a rotation."""
    calls = len(agent.cloud.calls("GetCallerIdentity"))
    agent.start(**more)
    agent.cloud.wait_for_call("GetCallerIdentity", calls + len(agent.secrets))
    return agent


def keys_of(cloud, name=USER):
    return [key["id"] for key in cloud.users()[name]["keys"] if "deleted" not in key]


def wait_keys(agent, wanted, timeout_s=30.0):
    """Waits until the user has exactly the keys that wanted() says."""
    end = time.monotonic() + timeout_s
    while not wanted(keys_of(agent.cloud)):
        assert time.monotonic() < end, f"keys: {keys_of(agent.cloud)}\n{agent.log()[-3000:]}"
        time.sleep(0.05)


def rotate_until_killed(agent):
    with contextlib.suppress(Closed, ConnectionResetError, BrokenPipeError):
        agent.call("secret.rotate_root", secret="app")
    agent.wait(10)


def check_mints(agent):
    """A lease is made and revoked."""
    lease = agent.call("lease.issue", secret="app")
    assert identity(agent.cloud, lease).startswith("arn:aws:iam:")
    agent.call("lease.revoke", lease_id=lease["lease_id"])
    return lease


def wait_user_alone(agent, timeout_s=15.0):
    """Waits until every user that was minted is gone."""
    end = time.monotonic() + timeout_s
    while list(agent.cloud.users()) != [USER]:
        assert time.monotonic() < end, list(agent.cloud.users())
        time.sleep(0.05)


def check_keys(agent):
    """What must hold at every moment."""
    keys = keys_of(agent.cloud)
    assert 1 <= len(keys) <= 2, keys


def test_rotates(rotating, cloud, owner):
    agent = rotating.start()
    old = owner["access_key_id"]
    answer = agent.call("secret.rotate_root", secret="app")
    assert answer["secret"] == "app" and answer["username"] == USER and answer["previous_access_key_id"] == old
    assert keys_of(cloud) == [answer["access_key_id"]] and old not in keys_of(cloud)
    mark = cloud.mark()
    check_mints(agent)
    assert {call["access_key_id"] for call in cloud.calls("CreateUser", mark)} == {answer["access_key_id"]}
    agent.call("lease.issue", secret="session")  # the other secret with the same key follows
    assert {call["access_key_id"] for call in cloud.calls("GetSessionToken", mark)} == {answer["access_key_id"]}
    line = [line for line in agent.call("audit.list")["lines"] if line["event"] == "rotated"]
    assert len(line) == 1 and line[0]["access_key_id"] == answer["access_key_id"] and old in line[0]["detail"]
    assert line[0]["username"] == USER and line[0]["secret"] == "app"
    assert f"management key {old} of user {USER} was replaced by {answer['access_key_id']}" in agent.log()


def test_delete_is_signed_with_the_new_key(rotating, cloud, owner):
    answer = rotating.start().call("secret.rotate_root", secret="app")
    assert [call["access_key_id"] for call in cloud.calls("DeleteAccessKey")] == [answer["access_key_id"]]
    assert [call["access_key_id"] for call in cloud.calls("CreateAccessKey")] == [owner["access_key_id"]]


def test_holds_after_a_restart_and_rotates_again(rotating, cloud, owner):
    agent = rotating.start()
    seen = [owner["access_key_id"]]
    for _ in range(3):
        answer = agent.call("secret.rotate_root", secret="app")
        assert answer["previous_access_key_id"] == seen[-1] and answer["access_key_id"] not in seen
        seen.append(answer["access_key_id"])
        agent.restart()
        mark = cloud.mark()
        check_mints(agent)
        assert {call["access_key_id"] for call in cloud.calls(since=mark)
                if call["action"] in ("CreateUser", "DeleteUser")} == {seen[-1]}
        assert keys_of(cloud) == [seen[-1]]


def test_leases_from_before_are_revoked_with_the_new_key(rotating, cloud):
    agent = rotating.start()
    lease = agent.call("lease.issue", secret="app")
    agent.call("secret.rotate_root", secret="app")
    agent.call("lease.revoke", lease_id=lease["lease_id"])
    agent.wait_lease(lease["lease_id"], "revoked")
    wait_user_alone(agent)


def test_waits_until_aws_knows_the_new_key(rotating, cloud, owner):
    """The old key stays in force and alive until the new one works."""
    agent = rotating.start()
    cloud.lag(keys_s=3.0)
    answer = agent.call("secret.rotate_root", secret="app")
    refused = [call for call in cloud.calls("GetCallerIdentity") if call["access_key_id"] == answer["access_key_id"]
               and call["error_code"] == "InvalidClientTokenId"]
    assert len(refused) >= 2
    deleted = cloud.calls("DeleteAccessKey")
    assert len(deleted) == 1 and deleted[0]["status"] == 200
    assert keys_of(cloud) == [answer["access_key_id"]]


def test_minting_goes_on_meanwhile(rotating, cloud):
    """Leases are made without a break while keys come and go."""
    agent = rotating.start()
    with agent.rpc(timeout_s=60) as rpc:
        rotation = rpc.send("secret.rotate_root", {"secret": "app"})
        leases = [agent.call("lease.issue", secret="app") for _ in range(30)]
        rpc.wait(rotation)
    leases += [agent.call("lease.issue", secret="app") for _ in range(5)]
    for lease in leases:
        agent.call("lease.revoke", lease_id=lease["lease_id"])
    for lease in leases:
        agent.wait_lease(lease["lease_id"], "revoked")
    wait_user_alone(agent)


def test_assume_role_with_a_key_of_its_own(rotating, cloud, owner):
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {
        "AWS": cloud.arn(f"user/{USER}")}}]}
    role = cloud.seed(roles=[{"name": "Minter", "trust": trust, "inline": {"all": ALL}}])["roles"]["Minter"]
    agent = rotating
    agent.secrets = {"app": agent.iam_user(method="assume-role", role_arn=role, external_id="anything")}
    agent.write_config()
    agent.start()
    check_mints(agent)
    answer = agent.call("secret.rotate_root", secret="app")
    mark = cloud.mark()
    agent.restart()
    check_mints(agent)
    assert {call["access_key_id"] for call in cloud.calls("AssumeRole", mark)} == {answer["access_key_id"]}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("action,nth", CALLS, ids=[f"{action}-{nth}" for action, nth in CALLS])
def test_kill_around_a_call(rotating, cloud, owner, action, nth, when):
    agent = start(rotating)
    cloud.fault(action, "kill", nth=nth, pid=agent.pid, when=when)
    rotate_until_killed(agent)
    check_recovers(agent, owner, guarded=(action, when) == ("CreateAccessKey", "before"))


@pytest.mark.hooks
@pytest.mark.parametrize("point", POINTS)
def test_kill_after_a_step(rotating, owner, point):
    agent = start(rotating, KMS_CRASH_AT=point)
    rotate_until_killed(agent)
    check_recovers(agent, owner, guarded=point in GUARDED_POINTS)


@pytest.mark.hooks
@pytest.mark.parametrize("point", POINTS)
def test_kill_after_a_step_of_a_second_rotation(rotating, owner, point):
    """The key that is replaced is itself a sealed one."""
    agent = start(rotating)
    second = agent.call("secret.rotate_root", secret="app")["access_key_id"]
    agent.stop()
    start(agent, KMS_CRASH_AT=point)
    rotate_until_killed(agent)
    check_recovers(agent, {"access_key_id": second}, guarded=point in GUARDED_POINTS)
    assert owner["access_key_id"] not in keys_of(agent.cloud)


@pytest.mark.hooks
@pytest.mark.parametrize("point", ["rotate-probe", "rotate-switch", "rotate-delete", "rotate-settle"])
def test_kill_while_recovering(rotating, owner, point):
    agent = start(rotating, KMS_CRASH_AT="rotate-seal")
    rotate_until_killed(agent)
    agent.start(wait=False, KMS_CRASH_AT=point)
    agent.wait(30)
    check_recovers(agent, owner)


def check_recovers(agent, old, guarded=False):
    """Restarts; guarded: only AWS's time can tell that no key was made. Then one rotation more comes to its end."""
    old = old["access_key_id"]
    assert not agent.alive(), "the fault did not fire"
    check_keys(agent)
    agent.start()
    check_mints(agent)  # at once: a key that works is in force
    check_keys(agent)
    if guarded:
        with pytest.raises(RpcError) as busy:
            agent.call("secret.rotate_root", secret="app")
        assert busy.value.code == "busy" and "be sure" in busy.value.message
        agent.cloud.clock(GUARD_S)
        old = agent.call("secret.rotate_root", secret="app")["access_key_id"]
        agent.cloud.clock(0)
    wait_keys(agent, lambda keys: len(keys) == 1)
    before = keys_of(agent.cloud)
    answer = agent.call("secret.rotate_root", secret="app")
    if answer["access_key_id"] == before[0]:  # the old key was gone before the record said so: it finished that one
        answer = agent.call("secret.rotate_root", secret="app")
    assert answer["previous_access_key_id"] == before[0]
    assert keys_of(agent.cloud) == [answer["access_key_id"]] and answer["access_key_id"] != old
    check_mints(agent)
    wait_user_alone(agent)


@pytest.mark.parametrize("kind", ["cut_after", "bad_xml"])
def test_the_new_key_is_lost(rotating, cloud, owner, kind):
    """AWS made a key and nobody got its secret: it is deleted by itself, and the next rotation works."""
    agent = rotating.start()
    cloud.fault("CreateAccessKey", kind)
    with pytest.raises(RpcError) as lost:
        agent.call("secret.rotate_root", secret="app")
    assert "deletes what may have been made" in lost.value.hint
    wait_keys(agent, lambda keys: keys == [owner["access_key_id"]])
    assert len([call for call in cloud.calls("CreateAccessKey") if call["applied"]]) == 1
    assert agent.call("secret.rotate_root", secret="app")["access_key_id"] == keys_of(cloud)[0]


def test_a_lost_key_that_lists_do_not_show_yet(rotating, cloud, owner):
    agent = rotating.start()
    cloud.lag(key_lists_s=4.0)
    cloud.fault("CreateAccessKey", "cut_after")
    with pytest.raises(RpcError):
        agent.call("secret.rotate_root", secret="app")
    time.sleep(1.0)  # the first look of the background does not see it
    assert len(keys_of(cloud)) == 2
    wait_rotated(agent)
    assert owner["access_key_id"] not in keys_of(cloud) and len(keys_of(cloud)) == 1


def wait_rotated(agent, timeout_s=45.0):
    """Asks until the agent is done with what was before."""
    end = time.monotonic() + timeout_s
    while True:
        try:
            return agent.call("secret.rotate_root", secret="app")
        except RpcError as error:
            if error.code != "busy" or time.monotonic() > end:
                raise
        time.sleep(0.5)


def test_a_key_that_somebody_else_made_later_stays(rotating, cloud, owner):
    """After an interrupted rotation only what it can have made is deleted."""
    agent = start(rotating)
    cloud.fault("CreateAccessKey", "kill", pid=agent.pid, when="before")
    rotate_until_killed(agent)
    check_their_key_stays(agent, owner, GUARD_S)


def check_their_key_stays(agent, owner, seconds_later):
    """The agent is killed; somebody makes a key so much later, and the agent comes back: it says whose key it leaves
    alone, and what stands in the way."""
    cloud = agent.cloud
    cloud.clock(seconds_later)
    theirs = client(cloud, "iam", owner).create_access_key(UserName=USER)["AccessKey"]["AccessKeyId"]
    agent.start()
    with pytest.raises(RpcError) as error:
        wait_rotated(agent)
    assert error.value.code == "aws_limit"
    assert theirs in error.value.message and f"user {USER}" in error.value.message
    assert sorted(keys_of(cloud)) == sorted([owner["access_key_id"], theirs])
    assert not cloud.calls("DeleteAccessKey")
    return theirs


@pytest.mark.hooks
@pytest.mark.parametrize("point", ["rotate-intent", "rotate-sending"])
@pytest.mark.parametrize("seconds_later", [20, 100])
def test_a_key_that_somebody_made_soon_after_stays(rotating, cloud, owner, point, seconds_later):
    """No CreateAccessKey was sent, or none that can have been carried out so late."""
    agent = start(rotating, KMS_CRASH_AT=point)
    rotate_until_killed(agent)
    assert not cloud.calls("CreateAccessKey")
    theirs = check_their_key_stays(agent, owner, seconds_later)
    if point == "rotate-sending":
        agent.wait_log(f"access key {theirs} of user {USER} is kept")
    cloud.clock(0)
    client(cloud, "iam", owner).delete_access_key(UserName=USER, AccessKeyId=theirs)
    assert keys_of(cloud) == [owner["access_key_id"]]
    agent.call("secret.rotate_root", secret="app")


@pytest.mark.hooks
@pytest.mark.parametrize("seconds_before", [5, 100])
def test_a_key_from_before_that_a_list_did_not_show_stays(rotating, cloud, owner, seconds_before):
    """Somebody made it before the rotation, which did not see it."""
    agent = start(rotating)
    cloud.clock(-seconds_before)
    theirs = client(cloud, "iam", owner).create_access_key(UserName=USER)["AccessKey"]["AccessKeyId"]
    cloud.clock(0)
    cloud.lag(key_lists_s=seconds_before + 3.0)
    cloud.fault("CreateAccessKey", "kill", pid=agent.pid, when="before")
    rotate_until_killed(agent)
    cloud.lag(key_lists_s=0.0)
    agent.start()
    with pytest.raises(RpcError) as error:
        wait_rotated(agent)
    assert error.value.code == "aws_limit" and theirs in error.value.message
    assert theirs in keys_of(cloud)


@pytest.mark.hooks
def test_a_leftover_is_told_of(rotating, cloud, owner):
    """What was deleted, whose it was and why: in the audit log and in the journal, once, killed or not."""
    agent = start(rotating, KMS_CRASH_AT="rotate-create")
    rotate_until_killed(agent)
    left = [key for key in keys_of(cloud) if key != owner["access_key_id"]][0]
    gate = f"{agent.path}/gate"  # the process is there before the fault, the agent in it after
    os.mkfifo(gate)
    agent.start(wait=False, prefix=("sh", "-c", 'read line <"$0"; exec "$@"', gate))
    cloud.fault("DeleteAccessKey", "kill", pid=agent.pid, when="after")
    with open(gate, "w", encoding="ascii") as file:
        file.write("go\n")
    agent.wait(20)
    agent.start()
    wait_keys(agent, lambda keys: keys == [owner["access_key_id"]])
    agent.call("secret.rotate_root", secret="app")
    lines = [line for line in agent.call("audit.list")["lines"] if line.get("access_key_id") == left]
    assert [(line["event"], line["username"], line["secret"]) for line in lines] == [("rotated", USER, "app")]
    assert "deleted" in lines[0]["detail"] and lines[0]["aws_action"] == "DeleteAccessKey"


def test_a_leftover_is_in_the_journal(rotating, cloud, owner):
    agent = rotating.start()
    cloud.fault("CreateAccessKey", "cut_after")
    with pytest.raises(RpcError):
        agent.call("secret.rotate_root", secret="app")
    left = cloud.wait_for_call("DeleteAccessKey")[0]["params"]["AccessKeyId"]
    assert left != owner["access_key_id"]
    wait_keys(agent, lambda keys: keys == [owner["access_key_id"]])
    agent.wait_log(f"access key {left} of user {USER} was deleted: a rotation that was interrupted had made it")
    assert agent.log().count(f"{left} of user") == 1


@pytest.mark.parametrize("failure", ["AccessDenied", "LimitExceeded"])
def test_no_key_is_made(rotating, cloud, owner, failure):
    """A refusal leaves nothing, so nothing is waited for."""
    agent = rotating.start()
    cloud.fault("CreateAccessKey", "error", code=failure, status=403 if failure == "AccessDenied" else 409)
    with pytest.raises(RpcError) as error:
        agent.call("secret.rotate_root", secret="app")
    assert error.value.code in ("aws_denied", "aws_limit")
    assert keys_of(cloud) == [owner["access_key_id"]]
    agent.call("secret.rotate_root", secret="app")


def test_the_old_key_is_deleted_later(rotating, cloud, owner):
    """DeleteAccessKey is refused: the new key is in force, and the agent goes on by itself."""
    agent = rotating.start()
    cloud.fault("DeleteAccessKey", "error", code="AccessDenied", status=403)
    with pytest.raises(RpcError) as error:
        agent.call("secret.rotate_root", secret="app")
    assert error.value.code == "aws_denied" and "is in force" in error.value.hint
    new = [key for key in keys_of(cloud) if key != owner["access_key_id"]]
    mark = cloud.mark()
    check_mints(agent)
    assert {call["access_key_id"] for call in cloud.calls("CreateUser", mark)} == set(new)
    wait_keys(agent, lambda keys: keys == new)
    agent.wait_log("was replaced by")


@pytest.mark.slow
def test_the_background_does_not_give_up(rotating, cloud, owner):
    agent = rotating.start()
    cloud.fault("DeleteAccessKey", "error", code="AccessDenied", status=403, count=2)
    with pytest.raises(RpcError):
        agent.call("secret.rotate_root", secret="app")
    assert len(keys_of(cloud)) == 2
    wait_keys(agent, lambda keys: len(keys) == 1, timeout_s=45)
    assert owner["access_key_id"] not in keys_of(cloud)


def test_two_keys(rotating, cloud, owner):
    theirs = client(cloud, "iam", owner).create_access_key(UserName=USER)["AccessKey"]["AccessKeyId"]
    agent = rotating.start()
    with pytest.raises(RpcError) as error:
        agent.call("secret.rotate_root", secret="app")
    assert error.value.code == "aws_limit"
    assert owner["access_key_id"] in error.value.message and theirs in error.value.message
    assert "delete the one that is not" in error.value.hint
    assert sorted(keys_of(cloud)) == sorted([owner["access_key_id"], theirs])
    client(cloud, "iam", owner).delete_access_key(UserName=USER, AccessKeyId=theirs)
    agent.call("secret.rotate_root", secret="app")


@pytest.mark.parametrize("seal_key", [None, "", "only 31 bytes, one is missing.."], ids=["none", "empty", "short"])
def test_no_seal_key(make_agent, cloud, owner, seal_key):
    agent = make_agent(start=False)
    use_key(agent, owner)
    if seal_key is not None:
        agent.put_credential("kms-seal-key", seal_key)
    agent.start()
    with pytest.raises(RpcError) as error:
        agent.call("secret.rotate_root", secret="app")
    assert error.value.code == "source_unavailable" and "kms-seal-key" in error.value.message
    assert "systemd-creds encrypt" in error.value.hint and "LoadCredentialEncrypted=kms-seal-key:" in error.value.hint
    assert cloud.calls("CreateAccessKey") == []


@pytest.mark.parametrize("seal_key", [None, "x" * 32], ids=["none", "other"])
def test_another_seal_key_after_a_restart(rotating, cloud, owner, seal_key):
    """One clear error, and all is well again with the right key."""
    agent = rotating.start()
    new = agent.call("secret.rotate_root", secret="app")["access_key_id"]
    agent.stop()
    agent.put_credential("kms-seal-key", seal_key) if seal_key else agent.remove_credential("kms-seal-key")
    agent.start()
    for method in ("lease.issue", "secret.rotate_root"):
        with pytest.raises(RpcError) as error:
            agent.call(method, secret="app")
        assert error.value.code == "source_unavailable"
        assert "kms-seal-key" in error.value.message
        if method == "lease.issue":
            assert new in error.value.message and owner["access_key_id"] in error.value.message
            assert "kms-seal-key of that time" in error.value.hint
    agent.put_credential("kms-seal-key", SEAL_KEY)
    agent.restart()
    check_mints(agent)
    assert keys_of(cloud) == [new]


def test_another_key_in_the_configuration(rotating, cloud, owner):
    """The operator has the last word: the record is void, and gone."""
    agent = rotating.start()
    rotated = agent.call("secret.rotate_root", secret="app")["access_key_id"]
    theirs = client(cloud, "iam", {**cloud.management}).create_access_key(UserName=USER)["AccessKey"]
    use_key(agent, {"access_key_id": theirs["AccessKeyId"], "secret_access_key": theirs["SecretAccessKey"]})
    agent.reload()
    agent.wait_log(f"the agent has forgotten {rotated}")
    time.sleep(0.1)
    mark = cloud.mark()
    check_mints_with(agent, theirs["AccessKeyId"], mark)
    # The key that was replaced is nobody's alias any more: named again, it is what AWS says it is.
    use_key(agent, owner)
    agent.reload()
    with pytest.raises(RpcError) as error:
        issue_with_fresh_key(agent)
    assert error.value.code == "source_unavailable"
    assert sorted(keys_of(cloud)) == sorted([rotated, theirs["AccessKeyId"]])


def check_mints_with(agent, key_id, mark):
    end = time.monotonic() + 15
    while True:  # keys in files are read again after ten seconds
        check_mints(agent)
        used = [call["access_key_id"] for call in agent.cloud.calls("CreateUser", mark)]
        if used[-1] == key_id:
            return
        assert time.monotonic() < end, used
        time.sleep(0.5)


def issue_with_fresh_key(agent):
    for _ in range(30):
        lease = agent.call("lease.issue", secret="app")
        agent.call("lease.revoke", lease_id=lease["lease_id"])
        time.sleep(0.5)


def test_a_secret_that_comes_back_keeps_its_key(rotating, cloud):
    """Taken out of the configuration for a while: the only copy of the new key is not thrown away."""
    agent = rotating.start()
    new = agent.call("secret.rotate_root", secret="app")["access_key_id"]
    secrets, agent.secrets = agent.secrets, {"other": agent.iam_user(access_key_id=cloud.management["access_key_id"],
                                                                   secret_access_key="credential:their-secret")}
    agent.put_credential("their-secret", cloud.management["secret_access_key"])
    agent.write_config()
    agent.restart()
    time.sleep(0.5)
    agent.secrets = secrets
    agent.write_config()
    agent.restart()
    check_mints(agent)
    assert keys_of(cloud) == [new]


@pytest.mark.root
def test_administrators_only(rotating, cloud):
    agent = rotating.start()
    result = kmsctl(agent, "rotate-root", "app", user=65533, group=65533)
    assert result.returncode == 1 and "not_allowed" not in result.stdout and result.stderr
    assert cloud.calls("CreateAccessKey") == []


def test_secrets_without_a_key(rotating):
    agent = rotating
    agent.secrets["ambient"] = {"method": "assume-role", "role_arn": "arn:aws:iam::123456789012:role/R",
                                "region": "eu-west-1", "default_ttl": "1h", "max_ttl": "1h", "allow": ["user:root"]}
    agent.write_config()
    agent.start()
    for name, words in (("ambient", "no access key of its own"), ("nothing", "no secret")):
        with pytest.raises(RpcError) as error:
            agent.call("secret.rotate_root", secret=name)
        assert error.value.code == "invalid_request" and words in error.value.message


def test_one_at_a_time(rotating, cloud):
    agent = rotating.start()
    cloud.lag(keys_s=1.5)
    with agent.rpc() as rpc:
        first = rpc.send("secret.rotate_root", {"secret": "app"})
        second = rpc.send("secret.rotate_root", {"secret": "session"})
        with pytest.raises(RpcError) as error:
            rpc.wait(second)
        assert error.value.code == "busy"
        rpc.wait(first)
    assert len(keys_of(cloud)) == 1


def test_kmsctl(rotating, owner):
    agent = rotating.start()
    first = kmsctl_json(agent, "rotate-root", "app")
    assert first["previous_access_key_id"] == owner["access_key_id"]
    assert set(first) == {"secret", "username", "access_key_id", "previous_access_key_id"}
    second = kmsctl(agent, "rotate-root", "app")
    assert second.returncode == 0 and first["access_key_id"] in second.stdout, second.stderr
    assert kmsctl(agent, "rotate-root").returncode == 2


def least(agent, secret="session"):
    """What is printed for rotating the key of a secret that needs nothing else."""
    result = kmsctl(agent, "policy", secret, "--rotate-root")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("secret", ["app", "session"])
def test_printed_policy_is_enough(secret, rotating, cloud):
    agent = start(rotating)
    cloud.policy(least(agent, secret), user=USER)
    mark = cloud.mark()
    new = agent.call("secret.rotate_root", secret=secret)["access_key_id"]
    assert keys_of(cloud) == [new] and denials(cloud, mark) == []


@pytest.mark.parametrize("action", ["iam:GetUser", "iam:ListAccessKeys", "iam:CreateAccessKey", "iam:DeleteAccessKey"])
def test_missing_action_is_named(action, rotating, cloud):
    agent = start(rotating)
    document = least(agent)
    assert [statement["Action"] for statement in document["Statement"]] == [
        ["iam:GetUser", "iam:ListAccessKeys", "iam:CreateAccessKey", "iam:DeleteAccessKey"]]
    assert document["Statement"][0]["Resource"] == cloud.arn(f"user/{USER}")
    cloud.policy(without(document, action), user=USER)
    with pytest.raises(RpcError) as caught:
        agent.call("secret.rotate_root", secret="session")
    assert action in caught.value.message
    check_keys(agent)
    cloud.policy(ALL, user=USER)


def doctor_lines(agent, secret):
    """doctor's (level, text) about rotate-root."""
    return [(line["level"], line["text"]) for line in kmsctl_json(agent, "doctor", secret)["lines"]
            if line["what"] == "rotate-root"]


@pytest.mark.parametrize("secret", ["app", "session"])
def test_doctor_notes_what_is_missing(secret, rotating, cloud):
    """It is no failure: everything but rotate-root works."""
    agent = start(rotating)
    assert doctor_lines(agent, secret) == [("ok", "all 4 are there, IAM's simulation says")]
    rights = least(agent, secret), {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iam:SimulatePrincipalPolicy", "Resource": "*"}]}
    cloud.policy(*(without(document, "iam:CreateAccessKey") for document in rights), user=USER)
    if secret == "app":  # that action is needed for leases as well, elsewhere
        manage = least(agent, "app")
        manage["Statement"][-1] = {**manage["Statement"][-1], "Action": ["iam:GetUser", "iam:ListAccessKeys"]}
        cloud.policy(manage, rights[1], user=USER)
    missing = [text for level, text in doctor_lines(agent, secret) if level == "info"]
    assert any(text == f"iam:CreateAccessKey on {cloud.arn('user/' + USER)} is not allowed: `kmsctl rotate-root` needs it"
               for text in missing), missing
    cloud.policy(least(agent, secret), user=USER)
    [(level, text)] = doctor_lines(agent, secret)
    assert level == "info" and f"kmsctl policy {secret} --rotate-root" in text


def test_doctor_tells_that_there_is_no_seal_key(rotating):
    rotating.remove_credential("kms-seal-key")
    agent = start(rotating)
    [(level, text)] = doctor_lines(agent, "session")
    assert level == "info" and "kms-seal-key" in text


def test_sealed_record(rotating, cloud):
    """The store has the ids and no secret; the seal itself is in test_seal."""
    agent = rotating.start()
    new = agent.call("secret.rotate_root", secret="app")["access_key_id"]
    agent.stop()
    with open(f"{agent.state}/data.mdb", "rb") as file:
        data = file.read()
    assert new.encode() in data
    for secret in cloud.canaries():
        assert secret.encode() not in data and secret.encode().hex().encode() not in data
