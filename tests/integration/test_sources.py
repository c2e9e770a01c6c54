# SPDX-License-Identifier: Apache-2.0
"""Where base credentials come from: the secret's own key, DYNAMIC_SECRET_AWS_*, web identity, container endpoints,
IMDSv2; in which order; how the role's session is kept; what gates irsa. Everything against real sessions of the
look-alike."""
import time

import pytest

from aws_client import identity
from methods import (IRSA_ENV, account_trust, irsa_trust, prepare, seed_irsa, seed_role, sent, settings, trust,
                     write_token)
from netns import Namespace
from rpc import RpcError

AMBIENT = {"access_key_id": None, "secret_access_key": None}  # a secret without a key of its own
MACHINE = trust({"Service": ["ec2.amazonaws.com", "ecs-tasks.amazonaws.com"]})
CONTAINER_PATH = "/v2/credentials/0e5f"


@pytest.fixture
def box(make_agent, cloud):
    """An agent, not started, with the assume-role secret "it" for sessions and no key for it; the machine's own role
    "machine" may assume the role, and stands behind the metadata services."""
    cloud.seed(roles=[{"name": "machine", "trust": MACHINE, "inline": {
        "assume": {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"], "Resource": "*"}]}}}])
    cloud.metadata(role="machine", containers={CONTAINER_PATH: {"role": "machine", "tokens": None}})
    agent = make_agent(start=False, options={"imds_endpoint": cloud.metadata_url})
    agent.extra_env["AWS_EC2_METADATA_DISABLED"] = None
    prepare(agent, {"it": settings(agent, "assume-role", "temporary-credentials", **AMBIENT)})
    seed_role(cloud, trust=trust({"AWS": cloud.account_id}))
    return agent


def seed_key(cloud, name):
    """A user that may assume roles; returns (key id, secret)."""
    made = cloud.seed(users=[{"name": name, "access_keys": 1, "inline": {"assume": {
        "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}}}])
    key = made["users"][name]["access_keys"][0]
    return key["access_key_id"], key["secret_access_key"]


def lease_calls(cloud, action="AssumeRole"):
    """The calls that made leases; the agent's own session has a name of its own."""
    return [call for call in cloud.calls(action) if call["params"]["RoleSessionName"] != "kms-agent"]


def own_calls(cloud, action="AssumeRole"):
    return [call for call in cloud.calls(action) if call["params"]["RoleSessionName"] == "kms-agent"]


def issue(agent, **more):
    lease = agent.call("lease.issue", secret="it", **more)
    assert identity(agent.cloud, lease) == lease["arn"]
    return lease


def caller(agent):
    """Issues; whose credentials signed the AssumeRole."""
    issue(agent)
    return lease_calls(agent.cloud)[-1]["principal_arn"]


def refused(agent, **more):
    with pytest.raises(RpcError) as caught:
        agent.call("lease.issue", secret="it", **more)
    return caught.value


def environ(agent):
    with open(f"/proc/{agent.pid}/environ", "rb") as file:
        return file.read().decode()


# the order of the chain


def test_order(box, cloud):
    """Each source that is taken away lets the next one in."""
    own, dynamic = seed_key(cloud, "own"), seed_key(cloud, "dynamic")
    box.put_credential("own-id", own[0])
    box.put_credential("own-secret", own[1])
    box.secrets["it"].update(access_key_id="credential:own-id", secret_access_key="credential:own-secret")
    box.write_config()
    seed_role(cloud, "web", trust=irsa_trust(cloud))
    box.extra_env.update(
        DYNAMIC_SECRET_AWS_ACCESS_KEY_ID=dynamic[0], DYNAMIC_SECRET_AWS_SECRET_ACCESS_KEY=dynamic[1],
        AWS_ROLE_ARN=cloud.arn("role/web"), AWS_WEB_IDENTITY_TOKEN_FILE=f"{box.path}/token",
        AWS_CONTAINER_CREDENTIALS_FULL_URI=cloud.metadata_url + CONTAINER_PATH)
    box.start()
    assert caller(box) == cloud.arn("user/own")
    box.secrets["it"].update(AMBIENT)
    box.write_config()
    box.reload()
    assert caller(box) == cloud.arn("user/dynamic")
    del box.extra_env["DYNAMIC_SECRET_AWS_ACCESS_KEY_ID"], box.extra_env["DYNAMIC_SECRET_AWS_SECRET_ACCESS_KEY"]
    box.restart()
    assert ":assumed-role/web/" in caller(box)
    assert cloud.metadata_log() == [], "what comes later in the chain was not asked"
    del box.extra_env["AWS_WEB_IDENTITY_TOKEN_FILE"]
    box.restart()
    assert ":assumed-role/machine/task-" in caller(box)
    assert cloud.metadata_log("token") == []
    del box.extra_env["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    box.restart()
    assert ":assumed-role/machine/i-" in caller(box)


def test_nothing_anywhere(box, cloud):
    box.extra_env["AWS_EC2_METADATA_DISABLED"] = "true"
    box.start()
    error = refused(box)
    assert error.code == "source_unavailable" and "DYNAMIC_SECRET_AWS_" in error.message
    assert cloud.metadata_log() == []


# DYNAMIC_SECRET_AWS_*


def test_dynamic_is_gone_from_the_environment(box, cloud):
    key_id, secret = seed_key(cloud, "dynamic")
    box.extra_env.update(DYNAMIC_SECRET_AWS_ACCESS_KEY_ID=key_id, DYNAMIC_SECRET_AWS_SECRET_ACCESS_KEY=secret)
    box.start()
    assert key_id not in environ(box) and secret not in environ(box)
    assert caller(box) == cloud.arn("user/dynamic")
    assert issue(box, ttl_s=600)["granted_ttl_s"] == 600


@pytest.mark.parametrize("name", ["DYNAMIC_SECRET_AWS_ACCESS_KEY_ID", "DYNAMIC_SECRET_AWS_SECRET_ACCESS_KEY"])
def test_half_of_dynamic(box, cloud, name):
    """Half a key is a mistake to be told, not a reason to take another identity."""
    box.extra_env[name] = "AKIAIOSFODNN7EXAMPLE"
    box.start()
    error = refused(box)
    assert error.code == "source_unavailable" and "must both be set" in error.message
    assert cloud.metadata_log() == []


# web identity


def test_web_identity(box, cloud):
    seed_role(cloud, "web", trust=irsa_trust(cloud))
    box.extra_env.update(AWS_ROLE_ARN=cloud.arn("role/web"), AWS_WEB_IDENTITY_TOKEN_FILE=f"{box.path}/token",
                         AWS_ROLE_SESSION_NAME="from-the-environment")
    box.start()
    assert caller(box).endswith(":assumed-role/web/from-the-environment")
    assert all(call["access_key_id"] is None for call in cloud.calls("AssumeRoleWithWebIdentity")), "unsigned"


# containers


def container(box, **env):
    box.extra_env.update(env)
    box.start()
    return caller(box)


def test_container_full_uri(box, cloud):
    found = container(box, AWS_CONTAINER_CREDENTIALS_FULL_URI=cloud.metadata_url + CONTAINER_PATH)
    assert ":assumed-role/machine/task-" in found
    assert not any(entry["with_authorization"] for entry in cloud.metadata_log("container"))


def test_container_token(box, cloud):
    cloud.metadata(containers={CONTAINER_PATH: {"role": "machine", "tokens": ["Bearer of-the-task"]}})
    found = container(box, AWS_CONTAINER_CREDENTIALS_FULL_URI=cloud.metadata_url + CONTAINER_PATH,
                      AWS_CONTAINER_AUTHORIZATION_TOKEN="Bearer of-the-task")
    assert ":assumed-role/machine/task-" in found
    assert "of-the-task" not in environ(box)


def test_pod_identity_reads_its_token_again(box, cloud):
    """EKS replaces the file; the one in the environment does not count beside it."""
    path = box.write_file("pod-token", "first\n")
    cloud.metadata(containers={CONTAINER_PATH: {"role": "machine", "tokens": ["first"]}})
    found = container(box, AWS_CONTAINER_CREDENTIALS_FULL_URI=cloud.metadata_url + CONTAINER_PATH,
                      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=path, AWS_CONTAINER_AUTHORIZATION_TOKEN="stale")
    assert ":assumed-role/machine/task-" in found
    cloud.metadata(containers={CONTAINER_PATH: {"role": "machine", "tokens": ["second"]}}, expire=True)
    error = refused(box)
    assert error.code == "source_unavailable" and "401" in error.message
    box.write_file("pod-token", "second")
    assert ":assumed-role/machine/task-" in caller(box)


def test_container_uri_elsewhere(box, cloud):
    """A session's secret does not travel in plain text over a network."""
    box.extra_env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://192.0.2.1/credentials"
    box.start()
    error = refused(box)
    assert "192.0.2.1" in error.message or "loopback" in error.message or "http" in error.message
    assert cloud.metadata_log() == [], "no other source instead"


@pytest.mark.root
def test_container_relative_uri(box, cloud):
    """ECS: the host is 169.254.170.2, which a network namespace has here."""
    namespace = Namespace({("169.254.170.2", 80): int(cloud.metadata_url.rpartition(":")[2]),
                           ("127.0.0.1", cloud.port): cloud.port})
    if namespace.error:
        pytest.skip(f"no network namespace: {namespace.error}")
    box.extra_env.update(AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=CONTAINER_PATH,
                         AWS_CONTAINER_CREDENTIALS_FULL_URI="http://127.0.0.1:1/not-this-one")
    box.start(prefix=namespace.prefix)
    assert ":assumed-role/machine/task-" in caller(box)
    assert [entry["path"] for entry in cloud.metadata_log()] == [CONTAINER_PATH]


# IMDS


def test_instance_is_asked_by_version_2(box, cloud):
    cloud.metadata(version1=True)
    box.start()
    assert ":assumed-role/machine/i-" in caller(box)
    log = cloud.metadata_log()
    assert [entry["place"] for entry in log][:3] == ["token", "roles", "credentials"]
    assert all(entry["with_token"] for entry in log if entry["place"] != "token")


@pytest.mark.parametrize("fault,code", [
    ({"kind": "status", "status": 403}, "source_unavailable"),
    ({"kind": "status", "status": 404}, "source_unavailable"),
    ({"kind": "status", "status": 405}, "source_unavailable"),
    ({"kind": "status", "status": 429}, "aws_unavailable"),
    ({"kind": "status", "status": 500}, "aws_unavailable"),
    ({"kind": "hang"}, "aws_unavailable")], ids=["403", "404", "405", "429", "500", "hang"])
def test_never_version_1(box, cloud, fault, code):
    """Version 1 stands open, and a token is not to be had."""
    cloud.metadata(version1=True, faults=[{"at": "token", "count": -1, **fault}])
    box.start()
    begun = time.monotonic()
    error = refused(box)
    assert error.code == code and "metadata service" in error.message
    assert time.monotonic() - begun < 5
    assert {entry["place"] for entry in cloud.metadata_log()} == {"token"}
    cloud.metadata(faults=[])
    assert ":assumed-role/machine/" in caller(box), "the next request finds it again"


@pytest.mark.parametrize("fault,word", [
    ({"at": "credentials", "kind": "code"}, "AssumeRoleUnauthorizedAccess"),
    ({"at": "credentials", "kind": "garbage"}, "no JSON object"),
    ({"at": "credentials", "kind": "partial"}, "without a whole credential"),
    ({"at": "credentials", "kind": "status", "status": 404}, "404"),
    ({"at": "roles", "kind": "status", "status": 503}, "503"),
    ({"at": "roles", "kind": "hang"}, "metadata service")], ids=lambda value: value if isinstance(value, str) else "")
def test_instance_faults(box, cloud, fault, word):
    cloud.metadata(faults=[{"count": -1, **fault}])
    box.start()
    error = refused(box)
    unwell = fault["kind"] == "hang" or fault.get("status") == 503
    assert error.code == ("aws_unavailable" if unwell else "source_unavailable") and word in error.message
    assert lease_calls(cloud) == []
    cloud.metadata(faults=[])
    assert ":assumed-role/machine/" in caller(box)


def test_instance_without_a_role(box, cloud):
    cloud.metadata(role=None)
    box.start()
    assert "404" in refused(box).message


def test_instance_with_past_credentials(box, cloud):
    cloud.metadata(session_s=-60)
    box.start()
    assert refused(box).error["aws_code"] == "ExpiredToken"
    cloud.metadata(session_s=3600, rotate=True)
    assert ":assumed-role/machine/" in caller(box)


def test_instance_session_ended_early(box, cloud):
    """AWS says ExpiredToken although the document says otherwise: the source is asked again at once."""
    box.start()
    caller(box)
    box.wait_identities()
    asked = len(cloud.metadata_log("credentials"))
    cloud.metadata(expire=True)
    assert ":assumed-role/machine/" in caller(box)
    assert len(cloud.metadata_log("credentials")) == asked + 1
    codes = [call["error_code"] for call in cloud.calls("AssumeRole")]
    assert codes.count("ExpiredToken") == 1 and codes[-1] is None


def test_instance_credentials_are_kept(box, cloud):
    box.start()
    for _ in range(4):
        caller(box)
    assert len(cloud.metadata_log("credentials")) == 1


# the role's session, for management


@pytest.fixture
def minter(make_agent, cloud):
    """A running agent with the secret "it": IAM users by a role."""
    agent = make_agent(start=False)
    prepare(agent, {"it": settings(agent, "assume-role", "iam-user")})
    return agent.start()


def test_role_session_is_kept(minter, cloud):
    for _ in range(3):
        issue(minter)
    assert len(cloud.calls("AssumeRole")) == 1
    creators = {call["principal_arn"] for call in cloud.calls("CreateUser")}
    assert creators == {f"arn:aws:sts::{cloud.account_id}:assumed-role/minter/kms-agent"}


@pytest.mark.hooks
def test_role_session_is_renewed_before_its_end(minter, cloud):
    issue(minter)
    cloud.clock(3600 - 45)
    minter.write_clock((3600 - 45) * 1000)
    minter.wait_log("the clock was set")
    issue(minter)
    assert len(cloud.calls("AssumeRole")) == 2, "what is left of it is too little to start with"
    assert not [call for call in cloud.log() if call["error_code"]]


def test_role_session_refused_by_aws(minter, cloud):
    issue(minter)
    cloud.fault("CreateUser", "error", code="ExpiredToken", status=403,
                message="The security token included in the request is expired")
    issue(minter)
    assert len(cloud.calls("AssumeRole")) == 2
    cloud.fault("CreateUser", "error", code="ExpiredToken", status=403, count=5)
    assert refused(minter).error["aws_code"] == "ExpiredToken", "once is enough"
    assert len(cloud.calls("AssumeRole")) == 3


def test_base_key_replaced_on_disk(minter, cloud):
    """The management key was rotated by somebody: the old one is refused, the file has the new one."""
    issue(minter)
    key_id, secret = seed_key(cloud, "rotated")
    seed_role(cloud, trust=trust({"AWS": cloud.account_id}))
    minter.secrets["it"]["role_arn"] = seed_role(cloud, "second", trust=trust({"AWS": cloud.account_id}))
    cloud.fault("AssumeRole", "error", code="InvalidClientTokenId", status=403)
    minter.put_credential("root-id", key_id)
    minter.put_credential("root-secret", secret)
    minter.write_config()
    minter.reload()
    issue(minter)
    assert cloud.calls("AssumeRole")[-1]["principal_arn"] == cloud.arn("user/rotated")


# irsa


@pytest.fixture
def pod(make_agent, cloud):
    """An agent, not started, with the irsa secret "it" for sessions."""
    agent = make_agent(start=False)
    prepare(agent, {"it": settings(agent, "irsa", "temporary-credentials", share="none")})
    return agent


@pytest.mark.parametrize("value", [None, "", "false", "1"])
def test_irsa_is_gated(pod, value):
    pod.extra_env["KUBERNETES_AUTO_FETCH_SERVICE_ACCOUNT_TOKEN"] = value
    pod.start(wait=False)
    assert pod.wait() != 0
    assert "irsa needs KUBERNETES_AUTO_FETCH_SERVICE_ACCOUNT_TOKEN=true" in pod.log()
    assert "it.conf:2: " in pod.log() or "it.conf:3: " in pod.log()


def test_irsa_session_is_the_role_session(pod, cloud):
    """Not GetSessionToken, which AWS refuses to sessions; unsigned; asked anew for each lease."""
    pod.start()
    leases = [issue(pod), issue(pod)]
    assert leases[0]["access_key_id"] != leases[1]["access_key_id"]
    calls = lease_calls(cloud, "AssumeRoleWithWebIdentity")
    assert len(calls) == 2 and all(call["access_key_id"] is None for call in calls)
    assert cloud.calls("GetSessionToken") == []


def test_irsa_token_is_read_at_each_call(pod, cloud):
    pod.start()
    issue(pod)
    write_token(pod, sub="system:serviceaccount:kms:somebody-else")
    assert refused(pod).error["aws_code"] == "AccessDenied"
    write_token(pod, ttl_s=-10)
    assert refused(pod).error["aws_code"] == "ExpiredTokenException"
    pod.write_file("token", "this-is-not-a-token-but-as-long-as-one\n")
    assert refused(pod).error["aws_code"] == "InvalidIdentityToken"
    write_token(pod)
    issue(pod)


def test_irsa_token_missing(pod, cloud):
    pod.secrets["it"]["web_identity_token_file"] = f"{pod.path}/no-such-token"
    pod.write_config()
    pod.start()
    error = refused(pod)
    assert error.code == "source_unavailable" and "no-such-token" in error.message


def test_irsa_from_the_environment(pod, cloud):
    """What the EKS webhook sets is enough."""
    del pod.secrets["it"]["role_arn"], pod.secrets["it"]["web_identity_token_file"]
    pod.write_config()
    pod.extra_env.update(AWS_ROLE_ARN=cloud.arn("role/pod"), AWS_WEB_IDENTITY_TOKEN_FILE=f"{pod.path}/token")
    pod.start()
    assert ":assumed-role/pod/" in issue(pod)["arn"]


def test_irsa_for_users_keeps_the_role_session(make_agent, cloud):
    agent = make_agent(start=False)
    prepare(agent, {"it": settings(agent, "irsa", "iam-user")})
    agent.start()
    issue(agent)
    issue(agent)
    assert len(cloud.calls("AssumeRoleWithWebIdentity")) == 1
    cloud.fault("CreateUser", "error", code="ExpiredToken", status=403)
    issue(agent)
    assert len(cloud.calls("AssumeRoleWithWebIdentity")) == 2
    assert cloud.calls("AssumeRole") == []


# external id


@pytest.mark.parametrize("kind", ["iam-user", "temporary-credentials"])
def test_external_id(make_agent, cloud, kind):
    """The trust policy asks for it; the project id is the default."""
    agent = make_agent(start=False, options={"project_id": "project-6f2c"})
    prepare(agent, {"it": settings(agent, "assume-role", kind)})
    seed_role(cloud, trust=account_trust(cloud, "project-6f2c"))
    agent.start()
    issue(agent)
    assert {call["params"].get("ExternalId") for call in cloud.calls("AssumeRole")} == {"project-6f2c"}
    seed_role(cloud, trust=account_trust(cloud, "of-this-secret"))
    agent.secrets["it"]["external_id"] = "wrong"
    agent.write_config()
    agent.reload()
    error = refused(agent)
    assert error.code == "aws_denied" and "AssumeRole" in error.message
    agent.secrets["it"]["external_id"] = "of-this-secret"
    agent.write_config()
    agent.reload()
    issue(agent)
    assert cloud.calls("AssumeRole")[-1]["params"]["ExternalId"] == "of-this-secret"


def test_no_external_id(make_agent, cloud):
    agent = make_agent(start=False)
    prepare(agent, {"it": settings(agent, "assume-role", "temporary-credentials")})
    agent.start()
    issue(agent)
    assert all("ExternalId" not in call["params"] for call in cloud.calls("AssumeRole"))


# how long AWS lets a role session be


def hours(agent, ttl_s):
    """The lease, and the DurationSeconds that were asked for."""
    mark = agent.cloud.mark()
    lease = issue(agent, ttl_s=ttl_s)
    actions = ("AssumeRole", "AssumeRoleWithWebIdentity")
    return lease, [int(call["params"]["DurationSeconds"]) for call in agent.cloud.log(mark)
                   if call["action"] in actions and call["params"]["RoleSessionName"] != "kms-agent"]


def test_role_chaining_is_an_hour(box, cloud):
    seed_role(cloud, trust=trust({"AWS": cloud.account_id}), max_session_duration=43200)
    box.secrets["it"]["max_session_duration"] = "12h"
    box.write_config()
    box.start()
    lease, asked = hours(box, 7200)
    assert asked == [3600] and lease["granted_ttl_s"] == 3600 and lease["requested_ttl_s"] == 7200
    assert "role chaining" in lease["clamp_reason"] and "1h" in lease["clamp_reason"]


@pytest.fixture
def keyed(make_agent, cloud):
    """An agent, not started, with the assume-role secret "it" for sessions, from a long-term key."""
    agent = make_agent(start=False)
    prepare(agent, {"it": settings(agent, "assume-role", "temporary-credentials")})
    return agent


def test_long_term_key_and_max_session_duration(keyed, cloud):
    seed_role(cloud, max_session_duration=43200)
    keyed.start()
    lease, asked = hours(keyed, 43200)
    assert asked == [3600] and "1h" in lease["clamp_reason"], "without being told more the agent asks for no more"
    keyed.secrets["it"]["max_session_duration"] = "12h"
    keyed.write_config()
    keyed.reload()
    lease, asked = hours(keyed, 43200)
    assert asked == [43200] and lease["granted_ttl_s"] == 43200 and lease.get("clamp_reason") is None


@pytest.mark.parametrize("method", ["assume-role", "irsa"])
def test_role_with_a_lower_maximum(make_agent, cloud, method):
    agent = make_agent(start=False)
    prepare(agent, {"it": settings(agent, method, "temporary-credentials", max_session_duration="12h")})
    agent.start()
    lease, asked = hours(agent, 7200)
    assert asked == [7200, 3600]
    assert lease["requested_ttl_s"] == 7200 and lease["granted_ttl_s"] == 3600
    assert "MaxSessionDuration" in lease["clamp_reason"] and "1h" in lease["clamp_reason"]
    assert lease["expires_at"] == lease["credential_expires_at"]
    time.sleep(1.1)
    renewed = agent.call("lease.renew", lease_id=lease["lease_id"], ttl_s=7200)
    assert renewed["expires_at"] > lease["expires_at"] and "MaxSessionDuration" in renewed["clamp_reason"]
    assert renewed["requested_ttl_s"] == 7200 and renewed["granted_ttl_s"] == 3600


def test_irsa_up_to_twelve_hours(pod, cloud):
    seed_irsa(cloud, max_session_duration=43200)
    pod.start()
    lease, asked = hours(pod, 43200)
    assert asked == [43200] and lease["granted_ttl_s"] == 43200


def test_gate_is_for_irsa_only(make_agent, cloud):
    agent = make_agent(start=False)
    prepare(agent, {"it": settings(agent, "assume-role", "temporary-credentials", session_tags=["team=one"])})
    for name in IRSA_ENV:
        del agent.extra_env[name]
    agent.start()
    issue(agent)
    assert sent(lease_calls(cloud)[-1], "Tags") == [{"Key": "team", "Value": "one"}]
