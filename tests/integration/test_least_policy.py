# SPDX-License-Identifier: Apache-2.0
"""`kmsctl policy`: with exactly what it prints everything works and nothing is denied; with any one action less, the
failure names it, for each method and type."""
import json
import time

import pytest

from aws_client import client, identity
from cli import kmsctl, kmsctl_json
from methods import ALL, COMBINATIONS, METHODS, prepare, seed_irsa, seed_role, settings
from rpc import RpcError

POLICY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
EVERYTHING = {"path": "/kms/team/", "groups": ["readers", "writers"], "policy_arns": [POLICY],
              "tags": ["team=platform"]}
# What a denied call is about only when a lease ends.
ENDS = {"iam:GetUser", "iam:DeleteAccessKey", "iam:ListAccessKeys", "iam:ListAttachedUserPolicies",
        "iam:DetachUserPolicy", "iam:ListGroupsForUser", "iam:RemoveUserFromGroup", "iam:ListUserPolicies",
        "iam:DeleteUserPolicy", "iam:DeleteUser"}
BEGINS = {"iam:CreateUser", "iam:TagUser", "iam:PutUserPolicy", "iam:CreateAccessKey", "iam:AttachUserPolicy",
          "iam:AddUserToGroup"}
GUARD_S = 316


def everything(cloud):
    cloud.seed(groups=[{"name": name, "inline": {"all": ALL}} for name in EVERYTHING["groups"]],
               policies=[{"name": "Boundary", "document": ALL}])
    return {**EVERYTHING, "permissions_boundary": cloud.arn("policy/Boundary"),
            "policy_documents": [json.dumps(ALL)]}


def make_box(make_agent, cloud, method, kind, **more):
    agent = make_agent(start=False)
    prepare(agent, {"it": settings(agent, method, kind, **more)})
    return agent.start()


def printed(agent):
    """The printed documents that are needed: title -> document."""
    answer = kmsctl_json(agent, "policy", "it")
    return {item["title"]: json.loads(item["policy"]) for item in answer["documents"] if not item["optional"]}


def without(document, action):
    """The document less one action; statements that have none left go."""
    statements = []
    for statement in document["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        actions = [name for name in actions if name != action]
        if actions:
            statements.append({**statement, "Action": actions})
    # A document needs a statement.
    return {**document, "Statement": statements or [{**document["Statement"][0], "Action": "sts:SetSourceIdentity"}]}


def apply(cloud, method, documents):
    """Gives each identity exactly its document, and nothing else."""
    inline = {"least": documents["manage users"]} if "manage users" in documents else {}
    if method == "access-key":
        cloud.policy(*inline.values())
        return
    base = documents.get("assume the role")
    cloud.policy(*([base] if base else []))
    if method == "assume-role":
        seed_role(cloud, trust=documents["trust policy"], inline=inline)
    else:
        cloud.seed(roles=[{"name": "pod", "trust": documents["trust policy"], "inline": inline}])


def actions_of(document):
    return [action for statement in document["Statement"]
            for action in (statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]])]


def denials(cloud, since):
    return [(call["action"], call["params"]) for call in cloud.log(since)
            if call["error_code"] in ("AccessDenied", "AccessDeniedException")]


def live_through(agent, kind):
    """Issue, renew, revoke, and one that expires."""
    lease = agent.call("lease.issue", secret="it")
    if kind == "iam-user":
        agent.call("lease.renew", lease_id=lease["lease_id"], ttl_s=7200)
    else:
        assert identity(agent.cloud, lease).startswith("arn:")
        if lease["renewable"]:
            agent.call("lease.renew", lease_id=lease["lease_id"])
    agent.call("lease.revoke", lease_id=lease["lease_id"])
    if kind == "iam-user":
        agent.call("lease.issue", secret="it", ttl_s=5)
    agent.wait_no_users(timeout_s=20)


@pytest.mark.parametrize("method,kind", COMBINATIONS, ids=["-".join(pair) for pair in COMBINATIONS])
def test_printed_policy_is_enough(method, kind, make_agent, cloud):
    agent = make_box(make_agent, cloud, method, kind)
    documents = printed(agent)
    apply(cloud, method, documents)
    agent.restart()  # sessions of the roles are fetched anew
    mark = cloud.mark()
    live_through(agent, kind)
    assert denials(cloud, mark) == []


@pytest.mark.parametrize("method", ["access-key", "assume-role", "irsa"])
def test_printed_policy_is_enough_for_everything(method, make_agent, cloud):
    more = everything(cloud)
    if method == "assume-role":
        more["external_id"] = "project-7"
    agent = make_box(make_agent, cloud, method, "iam-user", **more)
    apply(cloud, method, printed(agent))
    agent.restart()
    mark = cloud.mark()
    live_through(agent, "iam-user")
    assert denials(cloud, mark) == []


def test_printed_policy_is_enough_for_tagged_sessions(make_agent, cloud):
    agent = make_box(make_agent, cloud, "assume-role", "temporary-credentials", external_id="project-7",
                     session_tags=["team=platform"])
    documents = printed(agent)
    assert actions_of(documents["assume the role"]) == ["sts:AssumeRole", "sts:TagSession"]
    apply(cloud, "assume-role", documents)
    agent.restart()
    mark = cloud.mark()
    live_through(agent, "temporary-credentials")
    assert denials(cloud, mark) == []


def refused_issue(agent):
    """What the error of an issue says."""
    with pytest.raises(RpcError) as caught:
        agent.call("lease.issue", secret="it")
    return f"{caught.value.message} {caught.value.hint}"


def wait_stuck(agent, lease_id):
    """What a stuck lease says."""
    end = time.monotonic() + 15
    while True:
        lease = agent.call("lease.get", lease_id=lease_id)
        if lease["stuck"]:
            return lease["error"]
        assert time.monotonic() < end and lease["state"] != "revoked", lease
        time.sleep(0.05)


def in_full(make_agent, cloud, method, kind):
    """An agent whose secret uses all there is, under exactly what is printed for it."""
    more = everything(cloud) if kind == "iam-user" else {}
    if method == "assume-role":
        more["external_id"] = "project-7"
        if kind == "temporary-credentials":
            more["session_tags"] = ["team=platform"]
    agent = make_box(make_agent, cloud, method, kind, **more)
    documents = printed(agent)
    for statement in documents["trust policy"]["Statement"] if method == "assume-role" else ():
        # A trust policy that names its caller is enough within an account, so it names the account here.
        statement["Principal"]["AWS"] = cloud.arn("root")
    apply(cloud, method, documents)
    agent.restart()
    return agent, documents


def check_end(agent, cloud, lease, action):
    """With an action less the lease is stuck, for that reason; its key is dead where it can be."""
    try:
        agent.call("lease.revoke", lease_id=lease["lease_id"])
    except RpcError as error:
        assert action in error.message
    assert action in wait_stuck(agent, lease["lease_id"])
    if action != "iam:DeleteAccessKey":
        assert identity(cloud, lease) == "InvalidClientTokenId", "the key is dead whatever else is denied"


@pytest.mark.parametrize("method", METHODS)
def test_each_missing_action_on_users_is_named(method, make_agent, cloud):
    agent, documents = in_full(make_agent, cloud, method, "iam-user")
    manage = documents["manage users"]
    assert set(actions_of(manage)) == BEGINS | ENDS, "the lists of this test are those of the policy"
    leases = {action: agent.call("lease.issue", secret="it") for action in sorted(ENDS)}
    for action, lease in leases.items():
        apply(cloud, method, {**documents, "manage users": without(manage, action)})
        check_end(agent, cloud, lease, action)
    for action in sorted(BEGINS):
        apply(cloud, method, {**documents, "manage users": without(manage, action)})
        assert action in refused_issue(agent)
    apply(cloud, method, documents)
    end = time.monotonic() + 15
    while not set(cloud.users()) <= {lease["username"] for lease in leases.values()}:
        assert time.monotonic() < end, "what a mint that failed left behind is cleaned up"
        time.sleep(0.05)


@pytest.mark.parametrize("method,kind", [pair for pair in COMBINATIONS if pair[0] != "access-key"],
                         ids=lambda value: value)
def test_each_missing_action_on_the_role_is_named(method, kind, make_agent, cloud):
    agent, documents = in_full(make_agent, cloud, method, kind)
    tried = []
    for title in ("trust policy", "assume the role"):
        for action in actions_of(documents.get(title, {"Statement": []})):
            apply(cloud, method, {**documents, title: without(documents[title], action)})
            agent.restart()
            assert action in refused_issue(agent), title
            tried.append(action)
    tags = ["sts:TagSession"] if kind == "temporary-credentials" else []
    assert tried == (["sts:AssumeRoleWithWebIdentity"] if method == "irsa" else ["sts:AssumeRole", *tags] * 2)
    apply(cloud, method, documents)
    agent.restart()
    agent.call("lease.issue", secret="it")


def test_policy_of_a_key_for_sessions_is_nothing(make_agent, cloud):
    agent = make_box(make_agent, cloud, "access-key", "temporary-credentials")
    result = kmsctl(agent, "policy", "it")
    assert result.returncode == 0 and result.stdout == ""
    assert "needs no permission" in result.stderr


def test_text_is_ready_to_paste(make_agent, cloud):
    agent = make_box(make_agent, cloud, "access-key", "iam-user", path="/kms/")
    result = kmsctl(agent, "policy", "it")
    document = json.loads(result.stdout)
    assert document["Statement"][0]["Resource"] == cloud.arn("user/kms/*")
    assert "note: " in result.stderr and "--all" in result.stderr and "iam:ListUsers" not in result.stdout
    assert "--rotate-root" in result.stderr and "--for" not in result.stderr
    cloud.seed(policies=[{"name": "Pasted", "document": document}])
    for option, action in (("--all", "iam:ListUsers"), ("--rotate-root", "iam:GetUser")):
        more = json.loads(kmsctl(agent, "policy", "it", option).stdout)
        count = len(document["Statement"])
        assert more["Statement"][:count] == document["Statement"]
        assert action in actions_of({"Statement": more["Statement"][count:]}), option
    whole = kmsctl(agent, "policy", "it", "--all", "--rotate-root")
    assert len(json.loads(whole.stdout)["Statement"]) > len(more["Statement"])
    assert "6144" not in whole.stderr


def test_size_of_the_whole_is_told(make_agent):
    agent = make_box(make_agent, None, "access-key", "iam-user", path="/kms/" + "a" * 450 + "/")
    assert "6144 in a managed policy" in kmsctl(agent, "policy", "it", "--all").stderr


@pytest.mark.parametrize("method", ["assume-role", "irsa"])
def test_text_is_one_document_however_many_there_are(method, make_agent, cloud):
    """Standard output is JSON for one identity; the notes tell how to have the others."""
    agent = make_box(make_agent, cloud, method, "iam-user")
    documents = printed(agent)
    titles = {"management": "assume the role", "role": "manage users", "trust": "trust policy"}
    if method == "irsa":
        del titles["management"]
    results = {name: kmsctl(agent, "policy", "it", "--for", name) for name in titles}
    for name, result in results.items():
        assert json.loads(result.stdout) == documents[titles[name]]
        assert {other for other in titles if f"--for {other}" in result.stderr} == set(titles) - {name}
    first = kmsctl(agent, "policy", "it")
    assert first.stdout == results[next(iter(titles))].stdout
    if method == "irsa":
        none = kmsctl(agent, "policy", "it", "--for", "management")
        assert none.returncode == 1 and none.stdout == "" and "needs no policy for management" in none.stderr
        none = kmsctl(agent, "policy", "it", "--rotate-root")
        assert none.returncode == 1 and none.stdout == "" and "no user's access key" in none.stderr


def test_wrong_usage_of_policy(make_agent):
    agent = make_agent(start=False)
    for arguments in (["--for", "me"], ["--for", "role", "--rotate-root"]):
        result = kmsctl(agent, "policy", "it", *arguments)
        assert result.returncode == 2 and "--for" in result.stderr, arguments


def test_json_has_all_documents(make_agent, cloud):
    agent = make_box(make_agent, cloud, "assume-role", "iam-user")
    answer = kmsctl_json(agent, "policy", "it")
    assert [(item["for"], item["title"], item["optional"]) for item in answer["documents"]] == [
        ("trust", "trust policy", False), ("management", "assume the role", False), ("role", "manage users", False),
        ("role", "optional", True), ("management", "rotate-root", True)]


def test_policy_while_aws_is_away(make_agent, cloud):
    agent = make_box(make_agent, cloud, "access-key", "iam-user", sts_endpoint="http://127.0.0.1:9")
    result = kmsctl(agent, "policy", "it")
    assert json.loads(result.stdout)["Statement"][0]["Resource"] == "arn:aws:iam::*:user/kms/*"
    assert "the account is not known yet" in result.stderr


def test_trust_of_a_pod_comes_from_its_token(make_agent, cloud):
    agent = make_box(make_agent, cloud, "irsa", "temporary-credentials")
    seed_irsa(cloud)
    statement = printed(agent)["trust policy"]["Statement"][0]
    assert sorted(statement["Condition"]["StringEquals"].values()) == [
        "sts.amazonaws.com", "system:serviceaccount:kms:kms-agent"]
    assert statement["Principal"]["Federated"].startswith(cloud.arn("oidc-provider/oidc.eks."))


@pytest.mark.hooks
def test_user_deleted_by_hand_ends_under_a_policy_scoped_by_path(make_agent, cloud):
    """AWS denies calls on a user that is not there when the policy is scoped by path; GetUser tells the truth."""
    agent = make_box(make_agent, cloud, "access-key", "iam-user")
    document = printed(agent)["manage users"]
    lease = agent.call("lease.issue", secret="it")
    delete_by_hand(cloud, lease)
    cloud.policy(document)
    agent.call("lease.revoke", lease_id=lease["lease_id"])
    assert ("DeleteAccessKey" in [action for action, _ in denials(cloud, 0)])
    seen = agent.call("lease.get", lease_id=lease["lease_id"])
    assert seen["state"] == "revoking" and not seen["stuck"], "too early to be sure"
    agent.pass_time(GUARD_S, boot=False)
    agent.wait_lease(lease["lease_id"], "revoked", timeout_s=30)


@pytest.mark.hooks
def test_denial_alone_is_no_absence(make_agent, cloud):
    """AWS names users that exist barely as well: a denied GetUser must never pass for "there is no such user"."""
    agent = make_box(make_agent, cloud, "access-key", "iam-user")
    lease = agent.call("lease.issue", secret="it")
    cloud.policy()
    bare = ("User: arn:aws:iam::123456789012:user/kms-management is not authorized to perform: iam:{0} on resource: "
            f"user {lease['username']} because no identity-based policy allows the iam:{{0}} action")
    for action in ("DeleteAccessKey", "GetUser"):
        cloud.fault(action, "error", code="AccessDenied", message=bare.format(action), status=403, count=-1)
    with pytest.raises(RpcError):
        agent.call("lease.revoke", lease_id=lease["lease_id"])
    agent.pass_time(GUARD_S, boot=False)
    assert "iam:DeleteAccessKey" in wait_stuck(agent, lease["lease_id"])
    time.sleep(1)
    assert agent.call("lease.get", lease_id=lease["lease_id"])["state"] == "revoking"


@pytest.mark.hooks
def test_stuck_lease_whose_user_went(make_agent, cloud):
    """A stuck lease gets a call at a time: having been denied, it looks for the user in its next turn."""
    agent = make_box(make_agent, cloud, "access-key", "iam-user")
    document = printed(agent)["manage users"]
    lease = agent.call("lease.issue", secret="it")
    cloud.policy()
    with pytest.raises(RpcError):
        agent.call("lease.revoke", lease_id=lease["lease_id"])
    wait_stuck(agent, lease["lease_id"])
    cloud.policy({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
    delete_by_hand(cloud, lease)
    cloud.policy(document)
    agent.pass_time(GUARD_S, boot=False)
    mark = cloud.mark()
    agent.call("lease.revoke", lease_id=lease["lease_id"])
    agent.wait_lease(lease["lease_id"], "revoked", timeout_s=30)
    assert len(cloud.calls("DeleteAccessKey", since=mark)) <= 2


def test_policies_that_lag_are_sat_out(make_agent, cloud):
    """A policy scoped by path does not see a new user's path at once."""
    agent = make_box(make_agent, cloud, "access-key", "iam-user")
    cloud.policy(printed(agent)["manage users"])
    cloud.lag(users_s=2, authorization="lagged")
    lease = agent.call("lease.issue", secret="it")
    assert lease["access_key_id"]


def delete_by_hand(cloud, lease):
    """Somebody removes the user with all it has."""
    iam = client(cloud, "iam", cloud.management)
    name = lease["username"]
    iam.delete_access_key(UserName=name, AccessKeyId=lease["access_key_id"])
    iam.delete_user_policy(UserName=name, PolicyName="kms-fence")
    iam.delete_user(UserName=name)
