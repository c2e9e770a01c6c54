# SPDX-License-Identifier: Apache-2.0
"""A lease is revoked as it was made, whatever the configuration says by then: type, method, role, account, path."""
import json
import time

import pytest

from aws_client import client, identity
from cli import kms_exec_start
from client import Cloud
from methods import document, prepare, seed_role, settings
from rpc import RpcError

USERS, SESSIONS = "iam-user", "temporary-credentials"
OTHER_ACCOUNT = "210987654321"


@pytest.fixture(scope="module")
def elsewhere():
    """Another account."""
    with Cloud.start("--account-id", OTHER_ACCOUNT) as cloud:
        yield cloud


@pytest.fixture
def box(make_agent, cloud, elsewhere):
    """A running agent; "it" mints IAM users under /old/ by the role minter."""
    elsewhere.reset()
    agent = make_agent(start=False)
    prepare(agent, {"it": settings(agent, "assume-role", USERS, path="/old/")})
    seed_role(cloud, "powerless", inline={"none": document("s3:ListBucket")})
    for name in ("access_key_id", "secret_access_key"):
        agent.put_credential(f"elsewhere-{name}", elsewhere.management[name])
    agent.elsewhere = elsewhere
    return agent.start()


def change(agent, what):
    """The new configuration, not yet read."""
    secret, cloud = agent.secrets["it"], agent.cloud
    if what == "type":
        agent.secrets["it"] = settings(agent, "assume-role", SESSIONS)
    elif what == "method":
        agent.secrets["it"] = settings(agent, "irsa", USERS)
    elif what == "role":
        secret["role_arn"] = cloud.arn("role/powerless")
    elif what == "path":
        secret["path"] = "/new/"
    elif what == "account":
        agent.elsewhere.seed(roles=[{"name": "minter", "inline": {"all": document()}, "trust": {
            "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                                                    "Principal": {"AWS": agent.elsewhere.management["user_arn"]}}]}}])
        secret.update(role_arn=agent.elsewhere.arn("role/minter"), iam_endpoint=agent.elsewhere.url,
                      sts_endpoint=agent.elsewhere.url, access_key_id="credential:elsewhere-access_key_id",
                      secret_access_key="credential:elsewhere-secret_access_key")
    elif what == "gone":
        agent.secrets = {"other": agent.iam_user()}
    elif what in MAKERS:
        new_key(agent, what)
    agent.write_config()


def own_key(agent, what):
    """Before the lease: "it" uses a management key of its own, old-manager's."""
    seeded = agent.cloud.seed(users=[{"name": "old-manager", "inline": {"all": document()}, "access_keys": 1}])
    agent.old_key = seeded["users"]["old-manager"]["access_keys"][0]
    agent.put_credential("k-id", agent.old_key["access_key_id"])
    agent.put_credential("k-secret", agent.old_key["secret_access_key"])
    own = {"path": "/old/", "secret_access_key": "credential:k-secret",
           "access_key_id": agent.old_key["access_key_id"] if what == "key-literal" else "credential:k-id"}
    method = "assume-role" if what == "key-of-role" else "access-key"
    if method == "assume-role":
        trusted = {"AWS": agent.cloud.arn("user/old-manager")}
        seed_role(agent.cloud, "minter", trust={"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": trusted}]})
    agent.secrets["it"] = settings(agent, method, USERS, **own)
    agent.write_config()
    agent.reload()


def new_key(agent, what):
    """A key is changed by hand: a new one, the configuration, the old one deleted."""
    made = client(agent.cloud, "iam", agent.old_key).create_access_key(UserName="old-manager")["AccessKey"]
    key = {"access_key_id": made["AccessKeyId"], "secret_access_key": made["SecretAccessKey"]}
    name_key(agent, what, key)
    client(agent.cloud, "iam", key).delete_access_key(UserName="old-manager", AccessKeyId=agent.old_key["access_key_id"])


def name_key(agent, what, key):
    """In the configuration, not yet read."""
    if what == "key-literal":  # its file goes on by the same name
        agent.put_credential("k-secret", key["secret_access_key"])
        agent.secrets["it"]["access_key_id"] = key["access_key_id"]
    else:
        agent.put_credential("k2-id", key["access_key_id"])
        agent.put_credential("k2-secret", key["secret_access_key"])
        agent.remove_credential("k-id")
        agent.remove_credential("k-secret")
        agent.secrets["it"].update(access_key_id="credential:k2-id", secret_access_key="credential:k2-secret")
    agent.write_config()


def wait_no_minted_users(agent, timeout_s=30.0):
    end = time.monotonic() + timeout_s
    while set(agent.cloud.users()) - {"old-manager"}:
        assert time.monotonic() < end, f"{list(agent.cloud.users())}\n{agent.log()[-2000:]}"
        time.sleep(0.05)


def check_revoked(agent, lease, mark, maker=":assumed-role/minter/"):
    """Gone from the account it was made in, by the identity that made it."""
    cloud = agent.cloud
    wait_no_minted_users(agent)
    assert agent.wait_lease(lease["lease_id"], "revoked")["account_id"] == cloud.account_id
    assert identity(cloud, lease) == "InvalidClientTokenId"
    calls = [call for call in cloud.log(mark) if call["action"] in ("DeleteAccessKey", "DeleteUser")
             and call["params"]["UserName"] == lease["username"] and call["status"] == 200]
    assert [call["action"] for call in calls] == ["DeleteAccessKey", "DeleteUser"]
    assert all(maker in call["principal_arn"] for call in calls)
    assert not [call for call in agent.elsewhere.log() if "User" in call["action"]]


CHANGES = ["type", "method", "role", "account", "path", "gone", "key-literal", "key-renamed", "key-of-role"]
MAKERS = {"key-literal": ":user/old-manager", "key-renamed": ":user/old-manager", "key-of-role": ":assumed-role/minter/"}


@pytest.mark.parametrize("what", CHANGES)
def test_revoked_after_a_reload(box, cloud, what):
    if what in MAKERS:
        own_key(box, what)
    lease = box.call("lease.issue", secret="it")
    assert lease["arn"].startswith(cloud.arn("user/old/"))
    change(box, what)
    box.reload()
    mark = cloud.mark()
    assert box.call("lease.revoke", lease_id=lease["lease_id"])["lease_id"] == lease["lease_id"]
    check_revoked(box, lease, mark, MAKERS.get(what, MAKERS["key-of-role"]))


@pytest.mark.parametrize("what", CHANGES)
def test_expired_after_a_restart(box, cloud, what):
    """Only the record knows how it was made."""
    if what in MAKERS:
        own_key(box, what)
    lease = box.call("lease.issue", secret="it", ttl_s=5)
    change(box, what)
    mark = cloud.mark()
    box.restart()
    box.call("agent.status")
    if what != "gone":
        with_today(box, what)
    check_revoked(box, lease, mark, MAKERS.get(what, MAKERS["key-of-role"]))


def with_today(agent, what):
    """The new configuration is what counts for new leases (and shows the agent AWS's time)."""
    if what == "role":
        with pytest.raises(RpcError) as caught:
            agent.call("lease.issue", secret="it")
        assert caught.value.code == "aws_denied"
        return
    lease = agent.call("lease.issue", secret="it")
    if what == "account":
        assert lease["account_id"] == OTHER_ACCOUNT and lease["username"] in agent.elsewhere.users()
        agent.elsewhere.request("DELETE", "log")
        return
    if what == "type":
        assert lease["session_token"]
        return
    path = "new" if what == "path" else "old" if what in MAKERS else "kms"
    assert f":user/{path}/" in lease["arn"]
    agent.call("lease.revoke", lease_id=lease["lease_id"])


@pytest.mark.hooks
def test_key_of_another_account(make_agent):
    """The same reference leads to a key of another account now: that the user is unknown there proves nothing."""

    def put_key(cloud):
        agent.put_credential("root-id", cloud.management["access_key_id"])
        agent.put_credential("root-secret", cloud.management["secret_access_key"])

    with Cloud.start() as first:
        agent = make_agent(start=False, options={"iam_endpoint": first.url, "sts_endpoint": first.url})
        put_key(first)
        agent.start()
        lease = agent.call("lease.issue", secret="app")
    with Cloud.start("--port", str(first.port), "--account-id", OTHER_ACCOUNT) as second:
        put_key(second)
        second.clock(400)  # NoSuchEntity is believed from five minutes on
        agent.write_clock(400000)
        agent.wait_log("the clock was set")
        with pytest.raises(RpcError) as caught:
            agent.call("lease.revoke", lease_id=lease["lease_id"])
        for account in (first.account_id, OTHER_ACCOUNT):
            assert account in caught.value.message
        shown = agent.call("lease.get", lease_id=lease["lease_id"])
        assert shown["state"] == "revoking" and shown["stuck"] is True and OTHER_ACCOUNT in shown["error"]


def stuck(agent, lease, *words):
    """The lease says what is missing and what to do; so does doctor; its key lives."""
    with pytest.raises(RpcError) as caught:
        agent.call("lease.revoke", lease_id=lease["lease_id"])
    shown = agent.call("lease.get", lease_id=lease["lease_id"])
    assert shown["state"] == "revoking" and shown["stuck"] is True
    for word in words:
        assert word in caught.value.message and word in shown["error"], (word, shown["error"])
    lines = [line["text"] for line in agent.call("agent.doctor")["lines"] if line["what"] == "leases"]
    assert any(lease["lease_id"] in line and words[0] in line for line in lines), lines


@pytest.mark.parametrize("what", ["key-literal", "key-renamed"])
def test_secret_and_key_are_gone(box, cloud, what):
    """No other secret's key is taken: the lease waits for the one that is named, and goes on with it."""
    own_key(box, what)
    lease = box.call("lease.issue", secret="it")
    made = client(cloud, "iam", box.old_key).create_access_key(UserName="old-manager")["AccessKey"]
    key = {"access_key_id": made["AccessKeyId"], "secret_access_key": made["SecretAccessKey"]}
    client(cloud, "iam", key).delete_access_key(UserName="old-manager", AccessKeyId=box.old_key["access_key_id"])
    it, box.secrets = box.secrets["it"], {"other": box.iam_user()}
    box.write_config()
    box.reload()
    named = box.old_key["access_key_id"] if what == "key-literal" else "credential:k-id"
    stuck(box, lease, named, "not configured", "secret \"it\"", cloud.account_id)
    assert lease["username"] in cloud.users()
    box.secrets["it"] = it
    name_key(box, what, key)
    box.reload()
    mark = cloud.mark()
    box.call("lease.revoke", lease_id=lease["lease_id"])
    check_revoked(box, lease, mark, "/old-manager")


def test_new_key_does_not_work_either(box, cloud):
    own_key(box, "key-renamed")
    lease = box.call("lease.issue", secret="it")
    client(cloud, "iam", box.old_key).delete_access_key(UserName="old-manager", AccessKeyId=box.old_key["access_key_id"])
    name_key(box, "key-renamed", {"access_key_id": "AKIAAAAAAAAAAAAAAAAA", "secret_access_key": "x" * 40})
    box.reload()
    stuck(box, lease, "credential:k-id", "credential:k2-id", "secret \"it\"", cloud.account_id)


def test_reload_tells_of_leases_of_another_key(box, cloud):
    """With how many there are, and by which name the old one goes; of nothing else."""
    own_key(box, "key-renamed")
    box.secrets["role"] = settings(box, "assume-role", USERS)
    box.write_config()
    assert box.call("agent.reload")["warnings"] == []
    leases = [box.call("lease.issue", secret="it") for _ in range(3)]
    box.secrets["role"]["access_key_id"] = "credential:k-id"
    box.write_config()
    assert box.call("agent.reload")["warnings"] == [], "it has no leases"
    change(box, "key-renamed")
    told = [text for text in box.call("agent.reload")["warnings"] if '"it"' in text]
    assert len(told) == 1 and "credential:k2-id" in told[0] and "3 live leases were made with credential:k-id" in told[0]
    assert told[0] in box.log()
    assert box.call("agent.reload")["warnings"] == []
    del box.secrets["it"]
    box.write_config()
    told = box.call("agent.reload")["warnings"]
    assert len(told) == 1 and "is gone" in told[0] and "credential:k2-id" in told[0]
    for lease in leases:
        with pytest.raises(RpcError):
            box.call("lease.revoke", lease_id=lease["lease_id"])
    box.secrets["it"] = settings(box, "access-key", USERS, access_key_id="credential:k2-id",
                                 secret_access_key="credential:k2-secret")
    box.write_config()
    box.reload()
    for lease in leases:
        box.call("lease.revoke", lease_id=lease["lease_id"])
    wait_no_minted_users(box)


@pytest.mark.hooks
def test_new_key_of_another_account(make_agent):
    """Configured anew after a move to another account, the old key gone: nothing is done there, not even looked for."""
    with Cloud.start() as first:
        agent = make_agent(start=False, options={"iam_endpoint": first.url, "sts_endpoint": first.url})
        agent.secrets["app"]["access_key_id"] = first.management["access_key_id"]
        agent.put_credential("root-secret", first.management["secret_access_key"])
        agent.write_config()
        agent.start()
        lease = agent.call("lease.issue", secret="app")
    with Cloud.start("--port", str(first.port), "--account-id", OTHER_ACCOUNT) as second:
        agent.secrets["app"]["access_key_id"] = second.management["access_key_id"]
        agent.put_credential("root-secret", second.management["secret_access_key"])
        agent.write_config()
        agent.restart()
        stuck(agent, lease, first.management["access_key_id"], OTHER_ACCOUNT, first.account_id)
        second.clock(400)  # NoSuchEntity is believed from five minutes on
        agent.write_clock(400000)
        agent.wait_log("the clock was set")
        stuck(agent, lease, first.management["access_key_id"], OTHER_ACCOUNT, first.account_id)
        assert not [call for call in second.log() if "User" in call["action"] or
                    call["action"] == "DeleteAccessKey" and call["status"] == 200]


@pytest.mark.parametrize("there", [True, False], ids=["there", "gone"])
def test_new_key_where_sts_does_not_answer(box, cloud, there):
    """IAM knows the user, which shows whose the key is; that IAM does not know it shows nothing."""
    own_key(box, "key-renamed")
    lease = box.call("lease.issue", secret="it")
    cloud.fault("GetCallerIdentity", "error", code="ServiceUnavailable", status=503, count=1000)
    change(box, "key-renamed")
    box.restart()
    if there:
        mark = cloud.mark()
        box.call("lease.revoke", lease_id=lease["lease_id"])
        wait_no_minted_users(box)
        cloud.clear_faults()
        check_revoked(box, lease, mark, "/old-manager")
        return
    iam = client(cloud, "iam", cloud.management)
    iam.delete_access_key(UserName=lease["username"], AccessKeyId=lease["access_key_id"])
    iam.delete_user_policy(UserName=lease["username"], PolicyName="kms-fence")
    iam.delete_user(UserName=lease["username"])
    with pytest.raises(RpcError) as caught:
        box.call("lease.revoke", lease_id=lease["lease_id"])
    assert "whose these are is not known" in caught.value.message
    assert box.call("lease.get", lease_id=lease["lease_id"])["state"] == "revoking"


def test_few_calls_with_a_key_that_is_gone(box, cloud):
    """The frozen key is not tried anew for each lease and each stage."""
    own_key(box, "key-literal")
    leases = [box.call("lease.issue", secret="it") for _ in range(10)]
    change(box, "key-literal")
    box.reload()
    mark = cloud.mark()
    for lease in leases:
        box.call("lease.revoke", lease_id=lease["lease_id"])
    wait_no_minted_users(box)
    refused = [call for call in cloud.log(mark) if call["service"] == "iam" and call["status"] == 403]
    assert len(refused) <= 4, len(refused)


def test_session_that_is_an_iam_user_secret_now(box, cloud):
    """Nothing to delete, and its end is said."""
    box.secrets["it"] = settings(box, "assume-role", SESSIONS)
    box.write_config()
    box.reload()
    lease = box.call("lease.issue", secret="it")
    box.secrets["it"] = settings(box, "assume-role", USERS)
    box.write_config()
    box.reload()
    mark = cloud.mark()
    answer = box.call("lease.revoke", lease_id=lease["lease_id"])
    assert answer["ends_at"] == lease["credential_expires_at"]
    box.wait_lease(lease["lease_id"], "revoked")
    assert not [call for call in cloud.log(mark) if call["service"] == "iam"]


POLICY = json.dumps(document("s3:ListBucket"))
BOUNDARY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
# method and type it is made with; the option and its new value; what it is called in the refusal
OTHERS = [
    ("assume-role", USERS, "role_arn", "arn:aws:iam::{account}:role/powerless"),
    ("assume-role", USERS, "external_id", "another"),
    ("assume-role", USERS, "path", "/new/"),
    ("assume-role", USERS, "groups", ["readers"]),
    ("assume-role", USERS, "policy_arns", [BOUNDARY]),
    ("assume-role", USERS, "policy_documents", [POLICY]),
    ("assume-role", USERS, "permissions_boundary", BOUNDARY),
    ("access-key", USERS, "access_key_id", "credential:other-id"),
    ("access-key", SESSIONS, "access_key_id", "credential:other-id"),
    ("assume-role", SESSIONS, "role_arn", "arn:aws:iam::{account}:role/powerless"),
    ("assume-role", SESSIONS, "session_policy_document", POLICY),
    ("assume-role", SESSIONS, "session_policy_arns", [BOUNDARY]),
    ("irsa", SESSIONS, "role_arn", "arn:aws:iam::{account}:role/powerless"),
    ("irsa", SESSIONS, "web_identity_token_file", "{path}/token2"),
    ("irsa", USERS, "policy_arns", [BOUNDARY]),
]


def refused(agent, lease, **params):
    with pytest.raises(RpcError) as caught:
        agent.call("lease.renew", lease_id=lease["lease_id"], **params)
    assert caught.value.code == "not_renewable", caught.value.message
    return caught.value.message


def made_with(agent, method, kind):
    agent.secrets["it"] = settings(agent, method, kind)
    agent.write_config()
    agent.reload()
    return agent.call("lease.issue", secret="it", ttl_s=1200)


@pytest.mark.parametrize("method, kind, option, value", OTHERS)
def test_no_renewal_after_a_change(box, cloud, method, kind, option, value):
    """Today's configuration grants: a lease is not prolonged by another identity or with other permissions than a new
    one would have, the refusal names the option, and with the old value back it is renewed."""
    lease = made_with(box, method, kind)
    for name in ("id", "secret"):
        box.put_credential(f"other-{name}", cloud.management["access_key_id" if name == "id" else "secret_access_key"])
    box.write_file("token2", open(f"{box.path}/token", encoding="utf-8").read())
    if isinstance(value, str):
        value = value.replace("{account}", cloud.account_id).replace("{path}", box.path)
    before = dict(box.secrets["it"])
    box.secrets["it"][option] = value
    box.write_config()
    box.reload()
    mark = cloud.mark()
    other = "other" if option.endswith("s") else "another"
    assert refused(box, lease, ttl_s=3600) == \
        f'secret "it" has {other} {option} now than this lease was made with; issue a new one'
    shown = box.call("lease.get", lease_id=lease["lease_id"])
    assert (shown["expires_at"], shown["access_key_id"]) == (lease["expires_at"], lease["access_key_id"])
    assert not cloud.calls("PutUserPolicy", since=mark)
    box.secrets["it"] = before
    box.write_config()
    box.reload()
    assert box.call("lease.renew", lease_id=lease["lease_id"], ttl_s=3600)["expires_at"] > lease["expires_at"]


@pytest.mark.parametrize("method, kind", [("access-key", USERS), ("assume-role", USERS), ("assume-role", SESSIONS)])
def test_renewal_after_a_harmless_change(box, cloud, method, kind):
    """How AWS is reached, for how long, how things are called."""
    lease = made_with(box, method, kind)
    box.secrets["it"].update(max_ttl="2h", default_ttl="20m", region="us-east-1", max_leases=7,
                             secret_access_key="credential:moved",
                             iam_endpoint=cloud.url + "/", sts_endpoint=cloud.url + "/")
    box.put_credential("moved", cloud.management["secret_access_key"])
    if kind == USERS:
        box.secrets["it"].update(tags=["a=b"], username_template="new-{lease}")
    box.write_config()
    box.reload()
    renewed = box.call("lease.renew", lease_id=lease["lease_id"], ttl_s=2400)
    assert renewed["expires_at"] > lease["expires_at"]


@pytest.mark.parametrize("what, named", [("type", "credential_type"), ("method", "method"), ("role", "role_arn"),
                                         ("account", "role_arn"), ("path", "path"), ("gone", "not configured")])
def test_no_renewal_of_what_is_revoked_as_it_was_made(box, what, named):
    lease = box.call("lease.issue", secret="it", ttl_s=600)
    change(box, what)
    box.reload()
    if what == "gone":
        with pytest.raises(RpcError) as caught:
            box.call("lease.renew", lease_id=lease["lease_id"])
        assert caught.value.code == "not_allowed"
        return
    assert named in refused(box, lease, ttl_s=1200)


def test_roles_hop_denied_from_now_on(box, cloud):
    """What either configuration takes away is taken away."""
    lease = box.call("lease.issue", secret="it", ttl_s=600)
    assert "sts:AssumeRole" not in json.dumps(cloud.users()[lease["username"]]["inline"]["kms-fence"])
    box.secrets["it"]["deny_role_hop"] = True
    box.write_config()
    box.reload()
    box.call("lease.renew", lease_id=lease["lease_id"], ttl_s=1200)
    assert "sts:AssumeRole" in json.dumps(cloud.users()[lease["username"]]["inline"]["kms-fence"])


def test_session_of_another_management_user(box, cloud):
    """The same words lead to the key of another user of the account: its session would be another credential."""
    lease = made_with(box, "access-key", SESSIONS)
    seeded = cloud.seed(users=[{"name": "other-manager", "inline": {"all": document()}, "access_keys": 1}])
    key = seeded["users"]["other-manager"]["access_keys"][0]
    box.put_credential("root-id", key["access_key_id"])
    box.put_credential("root-secret", key["secret_access_key"])
    box.restart()
    message = refused(box, lease, ttl_s=3600)
    assert "other-manager" in message and lease["arn"] in message


@pytest.mark.hooks
@pytest.mark.parametrize("option, value, why", [("role_arn", "arn:aws:iam::{account}:role/powerless", "another role_arn"),
                                                ("allow", ["user:1"], "does not allow the owner")])
def test_bound_lease_after_a_change(box, cloud, option, value, why):
    """The agent renews it no more, says so once and does not ask again: the lease ends at its end."""
    process = kms_exec_start(box, "-s", "it", "-t", "70", "--", "/bin/sh", "-c", "echo ready; exec sleep 90")
    assert process.stdout.readline() == "ready\n"
    lease = box.leases()[0]
    assert lease["bound"] is True
    box.secrets["it"][option] = value.format(account=cloud.account_id) if isinstance(value, str) else value
    box.write_config()
    box.reload()
    mark = cloud.mark()
    line = "renewal by the agent: "
    for seconds in (40, 46, 60):
        box.pass_time(seconds)
        box.wait_log(line)
        time.sleep(1.2)
    assert [text for text in box.log().splitlines() if line in text and why in text] and box.log().count(line) == 1
    shown = box.call("lease.get", lease_id=lease["lease_id"])
    assert shown["state"] == "active" and shown["expires_at"] == lease["expires_at"] and why in shown["error"]
    assert not cloud.calls("PutUserPolicy", since=mark)
    failed = [line for line in box.call("audit.list", lease_id=lease["lease_id"])["lines"] if line["event"] == "failed"]
    assert len(failed) == 1 and failed[0]["error"] == "not_renewable" and why in failed[0]["detail"]
    box.pass_time(72)
    cloud.wait_for_call("DeleteAccessKey", since=mark)
    process.kill()
    process.communicate()
    assert box.wait_lease(lease["lease_id"], "revoked")["reason"] == "expired"
