# SPDX-License-Identifier: Apache-2.0
"""Which failures of AWS are sat out, which never, and that a revocation outlasts all of them."""
import contextlib
import json
import re
import time

import pytest

import methods
import metrics
from agent import TOP
from aws_client import client, identity
from cli import kmsctl
from iam_logins import totp
from rpc import RpcError
from trouble import InBackground, Journal, fails, move_cloud, nudge, wait_until

RETRIED = [("Throttling", 400), ("ThrottlingException", 400), ("ThrottledException", 400),
           ("RequestThrottledException", 400), ("RequestThrottled", 400), ("TooManyRequestsException", 429),
           ("RequestLimitExceeded", 503), ("LimitExceededException", 400), ("SlowDown", 503),
           ("PriorRequestNotComplete", 400), ("RequestTimeout", 400), ("RequestTimeoutException", 400),
           ("ServiceFailure", 500), ("InternalFailure", 500), ("ServiceUnavailable", 503),
           ("ConcurrentModification", 409), ("EntityTemporarilyUnmodifiable", 409), ("NoSuchEntity", 404)]
NEVER = [("LimitExceeded", 409, "aws_limit"), ("AccessDenied", 403, "aws_denied"),
         ("ValidationError", 400, "aws_rejected"), ("MalformedPolicyDocument", 400, "aws_rejected"),
         ("InvalidInput", 400, "aws_rejected")]


def calls(cloud, action):
    return [call["error_code"] for call in cloud.calls(action)]


@pytest.mark.parametrize("code,status", RETRIED, ids=[code for code, _ in RETRIED])
def test_retried(agent, cloud, code, status):
    cloud.fault("PutUserPolicy", "error", code=code, status=status)
    agent.call("lease.issue", secret="app")
    assert calls(cloud, "PutUserPolicy") == [code, None]
    assert calls(cloud, "CreateUser") == [None]


@pytest.mark.parametrize("code,status,wire", NEVER, ids=[code for code, _, _ in NEVER])
def test_never_retried(agent, cloud, code, status, wire):
    cloud.fault("PutUserPolicy", "error", code=code, status=status, count=-1)
    fails(agent, wire, secret="app")
    assert calls(cloud, "PutUserPolicy")[0] == code
    tries = [call for call in cloud.calls("PutUserPolicy") if "DateGreaterThan" in call["params"]["PolicyDocument"]]
    assert len(tries) == 1
    cloud.clear_faults()
    agent.wait_no_users(30)


@pytest.mark.parametrize("code", ["IDPCommunicationError", "Throttling"])
def test_retried_at_sts(make_agent, cloud, code):
    agent = make_agent(start=False)
    methods.prepare(agent, {"web": methods.settings(agent, "irsa", "temporary-credentials")})
    agent.start()
    agent.wait_identities()
    cloud.fault("AssumeRoleWithWebIdentity", "error", code=code, status=400)
    agent.call("lease.issue", secret="web")
    assert calls(cloud, "AssumeRoleWithWebIdentity")[-2:] == [code, None]


def test_quota_ends_a_mint_at_once_and_leaves_nothing(agent, cloud):
    """LimitExceeded on the key: not retried, and the user that was made goes."""
    cloud.fault("CreateAccessKey", "error", code="LimitExceeded", status=409, message="Cannot exceed quota", count=-1)
    error = fails(agent, "aws_limit", secret="app")
    assert error.error["aws_code"] == "LimitExceeded"
    assert len(cloud.calls("CreateAccessKey")) == 1
    agent.wait_no_users(15)


@pytest.mark.parametrize("code,status", [("Throttling", 400), ("ServiceFailure", 500), ("NoSuchEntity", 404)])
def test_access_key_after_a_clear_answer(agent, cloud, code, status):
    """CreateAccessKey: a refusal that says nothing was done is retried; a 500 leaves that open and is not."""
    cloud.fault("CreateAccessKey", "error", code=code, status=status)
    if status == 500:
        fails(agent, "aws_unavailable", secret="app")
        assert len(cloud.calls("CreateAccessKey")) == 1
        agent.wait_no_users(15)
    else:
        agent.call("lease.issue", secret="app")
        assert len(cloud.calls("CreateAccessKey")) == 2


# NoSuchEntity by age

@pytest.mark.parametrize("lag_s", [0, 4, 30])
def test_mint_under_read_lag(agent, cloud, lag_s):
    """Reads lag: the mint waits for its user, whose clock the test moves."""
    cloud.lag(users_s=lag_s, clock="cloud")
    issue = InBackground(agent, "lease.issue", secret="app")
    cloud.wait_for_call("PutUserPolicy")
    if lag_s:
        wait_until(lambda: cloud.calls("PutUserPolicy")[0]["status"], "an answer")
        assert cloud.calls("PutUserPolicy")[0]["error_code"] == "NoSuchEntity"
    cloud.clock(lag_s + 1)
    lease = issue.wait()
    agent.call("lease.revoke", lease_id=lease["lease_id"])
    agent.wait_no_users(15)
    assert len(cloud.calls("CreateUser")) == 1 and len(cloud.calls("CreateAccessKey")) == 1


@pytest.mark.parametrize("lag_s", [0, 4, 30, 300])
@pytest.mark.parametrize("authorization", ["seen", "lagged"])
def test_revocation_under_read_lag(make_agent, cloud, lag_s, authorization):
    """CreateUser was answered, then nothing shows the user for a while: as long as it is young its lease stays."""
    if authorization == "lagged":
        cloud.policy(methods.document(["iam:*"], cloud.arn("user/kms/*")), methods.document("iam:GetUser"),
                     methods.document("sts:*"))
    agent = make_agent(start=False)
    agent.secrets = {"app": agent.iam_user(path="/kms/"), "session": agent.session()}
    agent.write_config()
    agent.start()
    cloud.lag(users_s=lag_s, clock="cloud", authorization="lagged" if authorization == "lagged" else "fresh")
    with agent.rpc() as rpc:
        cloud.fault("PutUserPolicy", "hang_before")
        rpc.send("lease.issue", {"secret": "app"})
        cloud.wait_for_call("PutUserPolicy")
        cloud.fault("PutUserPolicy", "error", code="ServiceUnavailable", status=503, count=-1)
    cloud.clear_faults()  # the client is gone: the lease is revoked
    if lag_s > 4:
        wait_until(lambda: [lease for lease in agent.leases() if lease["state"] == "revoking"], "revoking")
        for offset_s in (3, lag_s - 2):
            move_cloud(agent, offset_s)
            time.sleep(0.5)
            assert [lease["state"] for lease in agent.leases(secret="app", state="any")] == ["revoking"], offset_s
    end = time.monotonic() + 30
    offset_s = lag_s + 1
    while cloud.users():
        assert time.monotonic() < end, (cloud.users(), agent.leases(), agent.log()[-2000:])
        move_cloud(agent, offset_s)
        offset_s += 21 if lag_s == 300 else 2
        time.sleep(0.3)
    wait_until(lambda: [lease["state"] for lease in agent.leases(secret="app", state="any")] == ["revoked"], "revoked")


def test_gone_by_hand_is_believed_by_age(agent, cloud):
    """Somebody deleted the user: a young lease waits to be sure, an old one is done at once."""
    iam = client(cloud, "iam", cloud.management)
    young, old = (agent.call("lease.issue", secret="app") for _ in range(2))

    def delete(lease):
        user = lease["username"]
        iam.delete_access_key(UserName=user, AccessKeyId=lease["access_key_id"])
        iam.delete_user_policy(UserName=user, PolicyName="kms-fence")
        iam.delete_user(UserName=user)

    delete(young)
    agent.call("lease.revoke", lease_id=young["lease_id"])
    waiting = wait_until(lambda: [lease for lease in agent.leases() if lease["state"] == "revoking"], "revoking")[0]
    time.sleep(1)
    assert agent.call("lease.get", lease_id=waiting["lease_id"])["state"] == "revoking"
    move_cloud(agent, 200)
    time.sleep(0.5)
    assert agent.call("lease.get", lease_id=waiting["lease_id"])["state"] == "revoking"
    cloud.clock(320)
    nudge(agent)
    agent.wait_lease(young["lease_id"], "revoked", 25)
    delete(old)
    agent.call("lease.revoke", lease_id=old["lease_id"])
    agent.wait_lease(old["lease_id"], "revoked", 5)


def test_a_strangers_user_of_that_name_stays(agent, cloud):
    """The name was taken by another user meanwhile: it is left alone, and nothing is written to it."""
    iam = client(cloud, "iam", cloud.management)
    lease = agent.call("lease.issue", secret="app")
    user = lease["username"]
    iam.delete_access_key(UserName=user, AccessKeyId=lease["access_key_id"])
    iam.delete_user_policy(UserName=user, PolicyName="kms-fence")
    iam.delete_user(UserName=user)
    iam.create_user(UserName=user)
    iam.create_access_key(UserName=user)
    mark = cloud.mark()
    agent.call("lease.revoke", lease_id=lease["lease_id"])
    agent.wait_lease(lease["lease_id"], "revoked")
    assert len(cloud.users()[user]["keys"]) == 1
    written = {call["action"] for call in cloud.log(mark) if call["applied"] and call["params"].get("UserName") == user}
    assert written <= {"GetUser"}, written


# DeleteConflict

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def tamper(cloud, user):
    """Everything that a holder, or somebody else, may add to a user."""
    iam = client(cloud, "iam", cloud.management)
    iam.create_login_profile(UserName=user, Password="Correct-Horse-1-Battery")
    iam.create_access_key(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="mine", PolicyDocument=json.dumps(methods.ALL))
    iam.attach_user_policy(UserName=user, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    iam.create_group(GroupName="crew")
    iam.add_user_to_group(UserName=user, GroupName="crew")
    iam.put_user_permissions_boundary(UserName=user, PermissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess")
    iam.create_service_specific_credential(UserName=user, ServiceName="codecommit.amazonaws.com")
    iam.upload_ssh_public_key(UserName=user, SSHPublicKeyBody="ssh-rsa AAAAB3Nz kms")
    iam.upload_signing_certificate(UserName=user, CertificateBody=CERTIFICATE)
    mfa = iam.create_virtual_mfa_device(VirtualMFADeviceName=user)["VirtualMFADevice"]
    iam.enable_mfa_device(UserName=user, SerialNumber=mfa["SerialNumber"],
                          AuthenticationCode1=totp(mfa["Base32StringSeed"], time.time(), -1),
                          AuthenticationCode2=totp(mfa["Base32StringSeed"], time.time()))


def test_tampered_user_goes(agent, cloud):
    lease = agent.call("lease.issue", secret="app")
    tamper(cloud, lease["username"])
    agent.wait_identities()
    mark = cloud.mark()
    agent.call("lease.revoke", lease_id=lease["lease_id"])
    # The key is dead when the client hears of it, in phase one: the first call of all.
    assert identity(cloud, lease) == "InvalidClientTokenId"
    assert [call["action"] for call in cloud.log(mark)][0] == "DeleteAccessKey"
    agent.wait_no_users(20)
    agent.wait_lease(lease["lease_id"], "revoked")
    assert client(cloud, "iam", cloud.management).list_virtual_mfa_devices()["VirtualMFADevices"] == []


def test_tampered_user_of_a_normal_page_policy_is_stuck_with_the_action(make_agent, cloud):
    """The extra actions are optional: without them the lease is stuck, the key dead, the fence on."""
    agent = make_agent()
    lease = agent.call("lease.issue", secret="app")
    client(cloud, "iam", cloud.management).create_login_profile(UserName=lease["username"], Password="Correct-Horse-1")
    cloud.policy(methods.ALL, methods.document("iam:DeleteLoginProfile", effect="Deny"))
    agent.call("lease.revoke", lease_id=lease["lease_id"])
    wait_until(lambda: agent.call("agent.status")["stuck"] == 1, "stuck")
    user = cloud.users()[lease["username"]]
    assert not [key for key in user["keys"] if not key.get("deleted")]
    assert "aws:CurrentTime" not in str(user["inline"]["kms-fence"]), "all is denied by now, whatever the time"
    shown = agent.call("lease.get", lease_id=lease["lease_id"])
    assert shown["stuck"] and "iam:DeleteLoginProfile" in json.dumps(shown)
    cloud.policy(methods.ALL)
    move_cloud(agent, 61)
    agent.wait_no_users(20)


def forgive(cloud):
    """The key came when the fence was down already, by somebody else's hand: what the look-alike then sees is no fault of the agent."""
    assert {violation["what"] for violation in cloud.violations()} <= {
        "CreateAccessKey before a fence", "the fence was taken away while the user has a key"}
    cloud.request("DELETE", "violations")


def test_key_made_in_the_deletion_window(agent, cloud):
    """After the agent has listed the keys and before DeleteUser somebody makes one: DeleteConflict, listed again."""
    lease = agent.call("lease.issue", secret="app")
    cloud.lag(deleted_keys_s=4)
    cloud.fault("DeleteUser", "delay", ms=2500)
    agent.call("lease.revoke", lease_id=lease["lease_id"])
    cloud.wait_for_call("DeleteUser")
    made = client(cloud, "iam", cloud.management).create_access_key(UserName=lease["username"])["AccessKey"]
    start = time.monotonic()
    agent.wait_no_users(70)
    key = {"access_key_id": made["AccessKeyId"], "secret_access_key": made["SecretAccessKey"]}
    wait_until(lambda: identity(cloud, key) == "InvalidClientTokenId", "the key is dead", 70)
    assert time.monotonic() - start < 70
    forgive(cloud)


@pytest.mark.slow
def test_key_that_lists_show_late(agent, cloud):
    """The new key is missing from ListAccessKeys for six seconds: DeleteUser conflicts until it shows. Gone in 70 s."""
    lease = agent.call("lease.issue", secret="app")
    cloud.lag(key_lists_s=6)
    cloud.fault("DeleteUser", "delay", ms=2500)
    agent.call("lease.revoke", lease_id=lease["lease_id"])
    cloud.wait_for_call("DeleteUser")
    client(cloud, "iam", cloud.management).create_access_key(UserName=lease["username"])
    start = time.monotonic()
    agent.wait_no_users(70)
    print(f"gone after {time.monotonic() - start:.1f} s")
    forgive(cloud)


# permanent failures

def stuck_message_id():
    with open(f"{TOP}/agent/base/message_ids.h", encoding="utf-8") as file:
        return re.search(r'MESSAGE_ID_STUCK "([0-9a-f]{32})"', file.read()).group(1)


@pytest.mark.root
def test_denied_is_stuck_and_recovers_by_itself(make_agent, cloud):
    agent = make_agent(start=False)
    journal = Journal(agent)
    agent.start(prefix=journal.prefix, **journal.env)
    stuck, fine = (agent.call("lease.issue", secret="app") for _ in range(2))
    deny = methods.document("iam:DeleteAccessKey", cloud.arn(f"user/kms/{stuck['username']}"), "Deny")
    cloud.policy(methods.ALL, deny)
    with pytest.raises(RpcError) as error:
        agent.call("lease.revoke", lease_id=stuck["lease_id"])
    assert error.value.code == "aws_denied" and "iam:DeleteAccessKey" in str(error.value.error)
    status = agent.call("agent.status")
    assert status["stuck"] == 1 and status["revoking"] == 1
    entry = journal.wait(stuck_message_id())[0]
    assert stuck["username"] in entry["MESSAGE"] and "DeleteAccessKey" in entry["MESSAGE"]
    shown = kmsctl(agent, "lease", stuck["lease_id"]).stdout
    assert "DeleteAccessKey" in shown and "stuck" in shown
    assert "1 stuck" in kmsctl(agent, "status").stdout
    values = metrics.read(agent)
    assert values["kms_leases_stuck"] == 1 and values["kms_leases_overdue"] == 1
    assert values[("kms_revocation_failures_total", "AccessDenied", "app")] == 1
    # In the slow lane: not before a minute has passed, and others are not held up.
    agent.call("lease.revoke", lease_id=fine["lease_id"])
    agent.wait_lease(fine["lease_id"], "revoked")
    tries = len(cloud.calls("DeleteAccessKey"))
    move_cloud(agent, 30)
    time.sleep(1)
    assert len(cloud.calls("DeleteAccessKey")) == tries
    move_cloud(agent, 62)
    wait_until(lambda: len(cloud.calls("DeleteAccessKey")) == tries + 1, "tried again after a minute")
    assert len(journal.wait(stuck_message_id())) == 1, "said once"
    # Mended: it goes on by itself.
    cloud.policy(methods.ALL)
    move_cloud(agent, 124)
    agent.wait_lease(stuck["lease_id"], "revoked")
    assert agent.call("agent.status")["stuck"] == 0
    assert cloud.users() == {}


def test_slow_lane_keeps_to_a_tenth(make_agent, cloud):
    """Twenty stuck leases that are all due again take a tenth of the calls while others are revoked."""
    agent = make_agent(options={"iam_rate": 20.0})
    deny = methods.document("iam:DeleteAccessKey", cloud.arn("user/kms/kms-app-*"), "Deny")
    leases = [agent.call("lease.issue", secret="app") for _ in range(20)]
    cloud.policy(methods.ALL, deny)
    for lease in leases:
        with contextlib.suppress(RpcError):
            agent.call("lease.revoke", lease_id=lease["lease_id"])
    wait_until(lambda: agent.call("agent.status")["stuck"] == 20, "all stuck", 30)
    mark = cloud.mark()
    move_cloud(agent, 70)
    time.sleep(5)
    made = len([call for call in cloud.log(mark) if call["action"] == "DeleteAccessKey"])
    assert 3 <= made <= 14, f"{made} calls in 5 s of 20 a second"
    cloud.policy(methods.ALL)
    cloud.clock(0)


# calls of a revocation

CLEAN_UP = ["ListAccessKeys", "ListAttachedUserPolicies", "ListGroupsForUser", "ListUserPolicies", "DeleteUserPolicy",
            "DeleteUser"]


def revoke_and_list_calls(agent, cloud):
    lease = agent.call("lease.issue", secret="app")
    mark = cloud.mark()
    agent.call("lease.revoke", lease_id=lease["lease_id"])
    agent.wait_lease(lease["lease_id"], "revoked", 60)
    return [call["action"] for call in cloud.log(mark) if call["params"].get("UserName") == lease["username"]]


def test_calls_of_an_early_revocation(agent, cloud):
    """The clean-up takes the look at the user that phase one had a moment before."""
    assert revoke_and_list_calls(agent, cloud) == ["DeleteAccessKey", "GetUser", "PutUserPolicy", *CLEAN_UP]


def test_an_old_look_at_the_user_does_not_hold(make_agent, cloud):
    """One call a second: five seconds after it the look is repeated, wherever the clean-up is by then."""
    agent = make_agent(options={"iam_rate": 1.0})
    calls = revoke_and_list_calls(agent, cloud)
    assert calls.count("GetUser") > 1 and calls[-1] == "DeleteUser"
    assert [action for action in calls if action != "GetUser"] == ["DeleteAccessKey", "PutUserPolicy", *CLEAN_UP]


def test_another_process_looks_at_the_user_itself(make_agent, cloud):
    agent = make_agent()
    lease = agent.call("lease.issue", secret="app")
    cloud.fault("ListAccessKeys", "hang_before")
    agent.call("lease.revoke", lease_id=lease["lease_id"])
    cloud.wait_for_call("ListAccessKeys")
    agent.kill()
    cloud.clear_faults()
    mark = cloud.mark()
    agent.start()
    agent.wait_lease(lease["lease_id"], "revoked")
    calls = [call["action"] for call in cloud.log(mark) if call["params"].get("UserName") == lease["username"]]
    assert calls[calls.index("GetUser"):] == ["GetUser", *CLEAN_UP]
