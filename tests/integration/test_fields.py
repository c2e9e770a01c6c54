# SPDX-License-Identifier: Apache-2.0
"""Each field of a secret reaches AWS, or does at the agent what it says: one test each, with a value that no default
has; a test at the end sees that none is left out. Then what is refused at load, with its place in the file."""
import datetime
import json
import re
import subprocess

import pytest

from agent import AGENTD, clean_env
from aws_client import allowed, client, identity
from cli import run
from client import Cloud
from methods import (ALL, account_trust, document, fence_end, prepare, seed_irsa, seed_role, sent, settings, trust,
                     write_token)
from rpc import RpcError

USERS, SESSIONS = "iam-user", "temporary-credentials"
LIST_USERS = document("iam:ListUsers")
COVERED = set()


def covers(*names):
    def mark(test):
        COVERED.update(names)
        return test
    return mark


@pytest.fixture
def start(make_agent):
    """start(method, kind, field=value, …): an agent with the secret "it"."""

    def make(method, kind, name="it", options=None, **more):
        agent = make_agent(start=False, options=options)
        prepare(agent, {name: settings(agent, method, kind, **more)})
        return agent.start()
    return make


def issue(agent, **more):
    return agent.call("lease.issue", secret=more.pop("secret", "it"), **more)


def user_of(agent, lease):
    return agent.cloud.users()[lease["username"]]


def session_call(cloud, action="AssumeRole"):
    """The call that made the lease, not the one for the agent's own session."""
    return [call for call in cloud.calls(action) if call["params"]["RoleSessionName"] != "kms-agent"][-1]


def session_of(agent, lease):
    return next(session for session in agent.cloud.state()["sessions"] if session["id"] == lease["access_key_id"])


def epoch(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


# which identity mints


@covers("method", "role_arn")
def test_method_and_role_arn(start, cloud):
    role = seed_role(cloud, "special", path="/deep/")
    agent = start("assume-role", USERS, role_arn=role)
    issue(agent)
    assert cloud.calls("AssumeRole")[0]["params"]["RoleArn"] == role
    assert ":assumed-role/special/" in cloud.calls("CreateUser")[0]["principal_arn"]


@covers("access_key_id", "secret_access_key")
@pytest.mark.parametrize("form", ["credential", "file", "env", "literal"])
def test_access_key(make_agent, cloud, form):
    made = cloud.seed(users=[{"name": "other", "access_keys": 1, "inline": {"all": ALL}}])["users"]["other"]
    key = made["access_keys"][0]
    agent = make_agent(start=False)
    values = {"id": key["access_key_id"], "secret": key["secret_access_key"]}
    if form == "literal":
        references = {"id": values["id"], "secret": "credential:the-secret"}
    else:
        references = {name: {"credential": f"credential:the-{name}", "file": f"file:{agent.path}/credentials/the-{name}",
                             "env": f"env:THE_{name.upper()}"}[form] for name in values}
    for name, value in values.items():
        if form == "env":
            agent.extra_env[f"THE_{name.upper()}"] = value
        else:
            agent.put_credential(f"the-{name}", value)
    agent.secrets = {"it": agent.iam_user(access_key_id=references["id"], secret_access_key=references["secret"])}
    agent.write_config()
    agent.start()
    issue(agent)
    assert cloud.calls("CreateUser")[0]["principal_arn"] == cloud.arn("user/other")


@covers("credential_type")
def test_credential_type(start, cloud):
    agent = start("access-key", SESSIONS)
    lease = issue(agent)
    assert lease["session_token"] and cloud.users() == {} and len(cloud.calls("GetSessionToken")) == 1


@covers("external_id")
def test_external_id(start, cloud):
    agent = start("assume-role", SESSIONS, external_id="ext=1,2@x:/-")
    seed_role(cloud, trust=account_trust(cloud, "ext=1,2@x:/-"))
    assert identity(cloud, issue(agent)).endswith("kms-it-0")


@covers("web_identity_token_file")
def test_web_identity_token_file(make_agent, cloud):
    agent = make_agent(start=False)
    prepare(agent, {"it": settings(agent, "irsa", SESSIONS, web_identity_token_file=f"{agent.path}/elsewhere")})
    agent.write_file("elsewhere", write_token(agent)[1])
    agent.write_file("token", "x.y.z")
    agent.start()
    assert issue(agent)["arn"].startswith("arn:aws:sts::")


# where


@covers("region")
def test_region_signs_sts(start, cloud):
    """STS is signed for the secret's region, which policies can see."""
    seed_role(cloud)
    agent = start("assume-role", SESSIONS, region="ap-southeast-2")
    seed_role(cloud, trust=trust({"AWS": cloud.account_id}))
    only = {"StringEquals": {"aws:RequestedRegion": "ap-southeast-2"}}
    cloud.policy(document("sts:*", Condition=only))
    lease = issue(agent)
    assert lease["region"] == "ap-southeast-2"
    cloud.policy(document("sts:*", Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}))
    with pytest.raises(RpcError) as caught:
        issue(agent)
    assert caught.value.code == "aws_denied"


@pytest.mark.parametrize("partition,region,iam", [("aws-cn", "cn-northwest-1", "cn-north-1"),
                                                  ("aws-us-gov", "us-gov-east-1", "us-gov-west-1")])
def test_region_signs_iam(make_agent, partition, region, iam):
    """IAM of another partition takes signatures of its own one region only."""
    with Cloud.start("--partition", partition) as other:
        agent = make_agent(start=False, options={"iam_endpoint": other.url, "sts_endpoint": other.url})
        agent.put_credential("there-id", other.management["access_key_id"])
        agent.put_credential("there-secret", other.management["secret_access_key"])
        agent.secrets = {"it": agent.iam_user(region=region, access_key_id="credential:there-id",
                                              secret_access_key="credential:there-secret")}
        agent.write_config()
        agent.start()
        lease = issue(agent)
        assert lease["arn"].startswith(f"arn:{partition}:iam::")
        assert other.calls("CreateUser")[0]["status"] == 200
        assert json.loads(other.users()[lease["username"]]["inline"]["kms-fence"])["Statement"][1]["Resource"] == lease["arn"]
        agent.call("lease.revoke", lease_id=lease["lease_id"])
        agent.wait_lease(lease["lease_id"], "revoked")
        assert other.users() == {}


@covers("iam_endpoint", "sts_endpoint", "ca_file")
def test_endpoints_and_ca_file(make_agent, tmp_path):
    """The secret's own endpoints, over TLS, vouched for by the secret's own authority; the agent's lead nowhere."""
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=look-alike",
                    "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    closed = "http://127.0.0.1:1"
    with Cloud.start() as sts, Cloud.start("--tls-cert", cert, "--tls-key", key) as iam:
        agent = make_agent(start=False, options={"iam_endpoint": closed, "sts_endpoint": closed})
        with open(cert, encoding="utf-8") as file:
            trusted = agent.write_file("ca.pem", file.read())
        for name in ("access_key_id", "secret_access_key"):
            agent.put_credential(name, iam.management[name])
            agent.put_credential(f"sts-{name}", sts.management[name])
        own = {"access_key_id": "credential:access_key_id", "secret_access_key": "credential:secret_access_key"}
        there = {name: f"credential:sts-{name}" for name in own}
        agent.secrets = {
            "it": agent.iam_user(iam_endpoint=iam.url, sts_endpoint=sts.url, ca_file=trusted, **own),
            "token": agent.session(sts_endpoint=sts.url, **there)}
        agent.write_config()
        agent.start()
        assert issue(agent)["username"] in iam_users(iam, cert)
        assert issue(agent, secret="token")["access_key_id"].startswith("ASIA")
        assert len(sts.calls("GetSessionToken")) == 1
        agent.kill()  # its look-alike goes away with this test


def iam_users(cloud, ca_file):
    """The users of a look-alike behind TLS, whose control API is behind it too."""
    code = ("import json, ssl, sys, urllib.request\n"
            "opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(\n"
            "    context=ssl.create_default_context(cafile=sys.argv[2])))\n"
            "print(json.dumps([user['name'] for user in\n"
            "    json.load(opener.open(sys.argv[1] + '/_control/state'))['users']]))\n")
    return json.loads(run(["/usr/bin/python3", "-c", code, cloud.url, ca_file]).stdout)


@covers("imds_endpoint")
def test_imds_endpoint(start, cloud):
    cloud.seed(roles=[{"name": "machine", "trust": trust({"Service": "ec2.amazonaws.com"}), "inline": {"all": ALL}}])
    cloud.metadata(role="machine")
    agent = start("assume-role", SESSIONS, access_key_id=None, secret_access_key=None,
                  imds_endpoint=cloud.metadata_url, options={"imds_endpoint": "http://127.0.0.1:1"})
    seed_role(cloud, trust=trust({"AWS": cloud.account_id}))
    issue(agent)
    assert ":assumed-role/machine/" in session_call(cloud)["principal_arn"]


# how long


@covers("default_ttl")
def test_default_ttl(start):
    lease = issue(agent := start("access-key", USERS, default_ttl="17m"))
    assert lease["granted_ttl_s"] == 1020
    assert abs(epoch(fence_end(user_of(agent, lease))) - epoch(lease["issued_at"]) - 1020) < 1


@covers("max_ttl")
def test_max_ttl(start):
    """The tag for the sweep says the last end that renewals can give."""
    lease = issue(agent := start("access-key", USERS, default_ttl="10m", max_ttl="37m"))
    assert abs(epoch(user_of(agent, lease)["tags"]["kms-last-end"]) - epoch(lease["issued_at"]) - 37 * 60) <= 1
    with pytest.raises(RpcError) as caught:
        issue(agent, ttl_s=37 * 60 + 1)
    assert caught.value.code == "invalid_ttl"


def test_default_ttl_of_a_session(start, cloud):
    issue(start("access-key", SESSIONS, default_ttl="47m"))
    assert cloud.calls("GetSessionToken")[-1]["params"]["DurationSeconds"] == str(47 * 60)


@covers("max_session_duration")
def test_max_session_duration(start, cloud):
    agent = start("assume-role", SESSIONS, max_session_duration="3h")
    seed_role(cloud, max_session_duration=43200)
    lease = issue(agent, ttl_s=5 * 3600)
    assert session_call(cloud)["params"]["DurationSeconds"] == "10800"
    assert lease["granted_ttl_s"] == 10800 and "3h" in lease["clamp_reason"]


def test_max_session_duration_of_irsa(start, cloud):
    agent = start("irsa", SESSIONS, max_session_duration="3h")
    seed_irsa(cloud, max_session_duration=43200)
    assert issue(agent, ttl_s=5 * 3600)["granted_ttl_s"] == 10800
    assert session_call(cloud, "AssumeRoleWithWebIdentity")["params"]["DurationSeconds"] == "10800"


@covers("allow_longer")
def test_allow_longer(start, cloud):
    lease = issue(start("access-key", SESSIONS, allow_longer=True), ttl_s=60)
    assert lease["requested_ttl_s"] == 60 and lease["granted_ttl_s"] == 900
    assert cloud.calls("GetSessionToken")[-1]["params"]["DurationSeconds"] == "900"


@covers("ready_timeout")
def test_ready_timeout(start, cloud):
    """A key that AWS takes late: the agent waits so long, or does not."""
    cloud.lag(keys_s=1.2)
    lease = issue(start("access-key", USERS, ready_timeout="20s"))
    assert lease["ready"] is True and identity(cloud, lease) == lease["arn"]
    assert len([call for call in cloud.calls("GetCallerIdentity") if call["access_key_id"] == lease["access_key_id"]]) >= 3
    cloud.lag(keys_s=60)
    lease = issue(start("access-key", USERS, ready_timeout="0s"))
    assert lease["ready"] is False and identity(cloud, lease) == "InvalidClientTokenId"


# what IAM users get


@covers("path")
def test_path(start):
    lease = issue(agent := start("access-key", USERS, path="/a/b-c/"))
    assert user_of(agent, lease)["path"] == "/a/b-c/" and ":user/a/b-c/" in lease["arn"]


@covers("permissions_boundary")
def test_permissions_boundary(start, cloud):
    cloud.seed(policies=[{"name": "Edge", "document": document("s3:*")}], groups=[{"name": "all", "inline": {"all": ALL}}])
    lease = issue(agent := start("access-key", USERS, permissions_boundary=cloud.arn("policy/Edge"), groups=["all"]))
    assert user_of(agent, lease)["boundary"] == cloud.arn("policy/Edge")
    assert allowed(cloud, lease) == "AccessDenied"


@covers("groups")
@pytest.mark.parametrize("value", [["readers", "writers"], " readers ,writers ", "writers,readers"])
def test_groups(start, cloud, value):
    cloud.seed(groups=[{"name": "readers", "inline": {"list": LIST_USERS}}, {"name": "writers"}])
    lease = issue(agent := start("access-key", USERS, groups=value))
    assert sorted(user_of(agent, lease)["groups"]) == ["readers", "writers"]
    assert allowed(cloud, lease) == "yes"


@covers("policy_arns")
@pytest.mark.parametrize("as_string", [False, True])
def test_policy_arns(start, cloud, as_string):
    cloud.seed(policies=[{"name": "One", "document": LIST_USERS}])
    arns = [cloud.arn("policy/One"), "arn:aws:iam::aws:policy/ReadOnlyAccess"]
    lease = issue(agent := start("access-key", USERS, policy_arns=" , ".join(arns) if as_string else arns))
    assert sorted(user_of(agent, lease)["attached"]) == sorted(arns)


@covers("policy_documents")
def test_policy_documents(make_agent, cloud):
    """JSON in place and from a file; a comma in a document separates nothing."""
    agent = make_agent(start=False)
    second = document(["s3:GetObject", "s3:PutObject"], ["arn:aws:s3:::a/*", "arn:aws:s3:::b/*"])
    agent.write_file("secrets.d/second.json", json.dumps(second, indent=2))
    agent.secrets = {"it": agent.iam_user(policy_documents=[json.dumps(LIST_USERS), "@second.json"]),
                     "one": agent.iam_user(policy_documents=json.dumps(second))}
    agent.write_config()
    agent.start()
    lease = issue(agent)
    inline = user_of(agent, lease)["inline"]
    assert set(inline) == {"kms-fence", "kms-inline-1", "kms-inline-2"}
    assert json.loads(inline["kms-inline-1"]) == LIST_USERS and json.loads(inline["kms-inline-2"]) == second
    assert allowed(cloud, lease) == "yes"
    assert json.loads(user_of(agent, issue(agent, secret="one"))["inline"]["kms-inline-1"]) == second


@covers("tags")
@pytest.mark.parametrize("value", [["team=platform", "cost=42", "a:b/c=d=e", "empty="],
                                   " team=platform,cost=42 , a:b/c=d=e ,empty="])
def test_tags(start, cloud, value):
    """All in the call that makes the user, split at the first "="."""
    lease = issue(start("access-key", USERS, tags=value))
    tags = {tag["Key"]: tag["Value"] for tag in sent(cloud.calls("CreateUser")[0], "Tags")}
    own = {name: tags.pop(name) for name in list(tags) if name.startswith("kms-")}
    assert tags == {"team": "platform", "cost": "42", "a:b/c": "d=e", "empty": ""}
    assert own["kms-agent-id"] == "test-agent" and own["kms-lease-id"] == lease["lease_id"] and "kms-last-end" in own
    assert cloud.calls("TagUser") == []


@covers("username_template")
def test_username_template_and_name(start, cloud):
    agent = start("access-key", USERS, name="deploy-web", username_template="x+{secret}=u{uid},p{pid}@{lease}.z_")
    lease = issue(agent, secret="deploy-web")
    short = lease["lease_id"].replace("-", "")
    assert re.fullmatch(rf"x\+deploy-web=u0,p\d+@{short}\.z_", lease["username"]), lease["username"]
    assert list(cloud.users()) == [lease["username"]]


def test_long_name_is_cut(start, cloud):
    """IAM takes 64 characters; the lease's digits are never cut."""
    name = "n" * 64
    lease = issue(agent := start("access-key", USERS, name=name), secret=name)
    assert len(lease["username"]) == 64 and lease["username"].endswith(lease["lease_id"].replace("-", ""))
    agent.call("lease.revoke", lease_id=lease["lease_id"])


@covers("deny_role_hop")
@pytest.mark.parametrize("deny", [True, False])
def test_deny_role_hop(start, cloud, deny):
    role = seed_role(cloud, "next", trust=trust({"AWS": cloud.account_id}))
    lease = issue(start("access-key", USERS, deny_role_hop=deny, policy_documents=json.dumps(document("sts:*"))))
    sts = client(cloud, "sts", lease)
    hop = {"RoleArn": role, "RoleSessionName": "hop"}
    if deny:
        with pytest.raises(sts.exceptions.ClientError, match="AccessDenied"):
            sts.assume_role(**hop)
    else:
        assert sts.assume_role(**hop)["Credentials"]


# what sessions get


@covers("session_name_template")
@pytest.mark.parametrize("method", ["assume-role", "irsa"])
def test_session_name_template(start, cloud, method):
    lease = issue(start(method, SESSIONS, session_name_template="s={secret}@u{uid}.p{pid}"))
    assert re.search(r"/s=it@u0\.p\d+$", lease["arn"]) and identity(cloud, lease) == lease["arn"]


@covers("session_tags")
@pytest.mark.parametrize("value", [["team=one", "cost:a/b=4=2"], "team=one , cost:a/b=4=2"])
def test_session_tags(start, value):
    lease = issue(agent := start("assume-role", SESSIONS, session_tags=value))
    assert session_of(agent, lease)["tags"] == {"team": "one", "cost:a/b": "4=2"}


@covers("session_policy_document")
@pytest.mark.parametrize("method", ["assume-role", "irsa"])
def test_session_policy_document(make_agent, cloud, method):
    agent = make_agent(start=False)
    agent.write_file("secrets.d/session.json", json.dumps(document(["s3:GetObject", "s3:ListBucket"]), indent=1))
    prepare(agent, {"it": settings(agent, method, SESSIONS, session_policy_document="@session.json"),
                    "free": settings(agent, method, SESSIONS)})
    agent.start()
    assert allowed(cloud, issue(agent, secret="free")) == "yes"
    lease = issue(agent)
    assert allowed(cloud, lease) == "AccessDenied"
    assert [json.loads(text) for text in session_of(agent, lease)["policy_documents"]] == [
        document(["s3:GetObject", "s3:ListBucket"])]


@covers("session_policy_arns")
@pytest.mark.parametrize("as_string", [False, True])
@pytest.mark.parametrize("method", ["assume-role", "irsa"])
def test_session_policy_arns(start, cloud, method, as_string):
    cloud.seed(policies=[{"name": "One", "document": document("s3:*")}, {"name": "Two", "document": document("ec2:*")}])
    arns = [cloud.arn("policy/One"), cloud.arn("policy/Two")]
    lease = issue(agent := start(method, SESSIONS, session_policy_arns=" , ".join(arns) if as_string else arns))
    assert session_of(agent, lease)["policy_arns"] == arns
    assert allowed(cloud, lease) == "AccessDenied"


# what the agent itself does


@covers("share")
@pytest.mark.parametrize("share", ["none", "uid"])
def test_share(start, cloud, share):
    agent = start("assume-role", SESSIONS, share=share)
    leases = [issue(agent), issue(agent)]
    assert len({lease["access_key_id"] for lease in leases}) == (1 if share == "uid" else 2)
    assert len([call for call in cloud.calls("AssumeRole") if call["params"]["RoleSessionName"] != "kms-agent"]) == (
        1 if share == "uid" else 2)
    assert [lease["shared"] for lease in leases] == [share == "uid"] * 2


@covers("max_leases")
def test_max_leases(start, cloud):
    agent = start("access-key", USERS, max_leases=2)
    first = issue(agent)
    issue(agent)
    with pytest.raises(RpcError) as caught:
        issue(agent)
    assert caught.value.code == "limit_reached" and len(cloud.users()) == 2
    agent.call("lease.revoke", lease_id=first["lease_id"])
    agent.wait_lease(first["lease_id"], "revoked")
    issue(agent)


@covers("allow")
def test_allow(start, cloud):
    agent = start("access-key", USERS, allow=["user:12345", "group:12346"])
    with pytest.raises(RpcError) as caught:
        issue(agent)
    assert caught.value.code == "not_allowed" and cloud.users() == {}


def test_every_field_has_a_test():
    text = run([AGENTD, "--print-config"], clean_env()).stdout
    secret = text[text.index("secret: {"):]
    fields = set(re.findall(r"^ +# ([a-z]\w+): [^;]+; default:", secret, re.M))
    assert len(fields) > 30 and fields - COVERED == set() and COVERED <= fields


# what is refused at load


BAD = [
    ("region", "mars-1", "not an AWS region"), ("path", "kms", "path"), ("path", "/a b/", "path"),
    ("role_arn", "arn:aws:iam::123456789012:user/x", "role"), ("role_arn", "arn:aws-cn:iam::123456789012:role/x", "partition"),
    ("permissions_boundary", "arn:aws:iam::12345:policy/x", "policy"), ("groups", ["a b"], "128"),
    ("groups", ",".join(f"g{n}" for n in range(11)), "10"), ("policy_arns", ["policy/x"], "policy"),
    ("policy_documents", '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*"}]}', "Resource"),
    ("policy_documents", "{", "JSON"), ("tags", ["aws:x=y"], "aws:"), ("tags", ["k" * 129 + "=v"], "128"),
    ("tags", ["a=1", "A=2"], "twice"), ("username_template", "kms-{secret}", "{lease}"),
    ("username_template", "kms-{user}-{lease}", "{user}"), ("username_template", "a" * 40 + "{lease}", "64"),
    ("default_ttl", "25h", "above max_ttl (1d)"), ("default_ttl", "4s", "5s"), ("external_id", "x", "external_id"),
    ("secret_access_key", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "secret"), ("method", "assume_role", "assume-role"),
    ("share", "uid", "never shared"), ("session_tags", ["a=b"], "session_tags"), ("ready_timeout", "1h", "5m")]


@pytest.mark.parametrize("field,value,word", BAD, ids=[f"{number}-{row[0]}" for number, row in enumerate(BAD)])
def test_refused_at_load(make_agent, field, value, word):
    """file:line: reason; the line is the field's own."""
    agent = make_agent(start=False)
    fields = settings(agent, "assume-role", USERS)
    fields.pop(field, None)
    agent.secrets = {"it": {**fields, field: value}}
    agent.write_config()
    line = len(fields) + 3
    result = run([AGENTD, "--check", f"{agent.path}/secrets.d/it.conf"], clean_env())
    output = result.stdout + result.stderr
    assert result.returncode != 0
    findings = [text for text in output.splitlines() if f"it.conf:{line}: " in text]
    assert findings and word in findings[0], output
    assert "wJalr" not in output
