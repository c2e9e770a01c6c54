# SPDX-License-Identifier: Apache-2.0
"""What the methods and credential types need at the look-alike and in the configuration: roles, an identity
provider, web identity tokens, secrets."""
import json

METHODS = ("access-key", "assume-role", "irsa")
TYPES = ("iam-user", "temporary-credentials")
COMBINATIONS = [(method, kind) for method in METHODS for kind in TYPES]
ISSUER = "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"
ACCOUNT = "system:serviceaccount:kms:kms-agent"
IRSA_ENV = {"KUBERNETES_AUTO_FETCH_SERVICE_ACCOUNT_TOKEN": "true"}


def document(action="*", resource="*", effect="Allow", **more):
    return {"Version": "2012-10-17",
            "Statement": [{"Effect": effect, "Action": action, "Resource": resource, **more}]}


ALL = document()


def trust(principal, action="sts:AssumeRole", condition=None):
    statement = {"Effect": "Allow", "Principal": principal, "Action": action}
    if condition:
        statement["Condition"] = condition
    return {"Version": "2012-10-17", "Statement": [statement]}


def management_arn(cloud):
    return cloud.management.get("user_arn") or cloud.arn("user/management")


def account_trust(cloud, external_id=None):
    """The role may be assumed (and its session tagged) by the management user, with the external id if one is given."""
    condition = {"StringEquals": {"sts:ExternalId": external_id}} if external_id else None
    return trust({"AWS": management_arn(cloud)}, ["sts:AssumeRole", "sts:TagSession"], condition)


def irsa_trust(cloud):
    issuer = ISSUER.removeprefix("https://")
    return trust({"Federated": cloud.arn(f"oidc-provider/{issuer}")}, "sts:AssumeRoleWithWebIdentity",
                 {"StringEquals": {f"{issuer}:sub": ACCOUNT, f"{issuer}:aud": "sts.amazonaws.com"}})


def seed_role(cloud, name="minter", **more):
    """A role that may do everything, for the management user to assume; returns its ARN."""
    role = {"name": name, "trust": account_trust(cloud), "inline": {"all": ALL}, **more}
    return cloud.seed(roles=[role])["roles"][name]


def seed_irsa(cloud, name="pod", **more):
    """The same for the service account of the tests, with its identity provider."""
    cloud.seed(oidc=[{"issuer": ISSUER, "audiences": ["sts.amazonaws.com"], "hs256_key": "the-key-that-signs-the-tokens-of-these-tests"}])
    return seed_role(cloud, name, trust=irsa_trust(cloud), **more)


def write_token(agent, **claims):
    """The service account's token, as the kubelet writes it; returns the path."""
    token = agent.cloud.web_token(ISSUER, claims.pop("sub", ACCOUNT), **claims)
    return agent.write_file("token", token), token


def settings(agent, method, kind, **more):
    """A secret of a method and type; roles and tokens must be there already (prepare())."""
    cloud = agent.cloud
    base = agent.iam_user() if kind == "iam-user" else agent.session(max_ttl="12h", share="none")
    base["method"] = method
    if method != "access-key":
        base["role_arn"] = cloud.arn("role/minter" if method == "assume-role" else "role/pod")
    if method == "irsa":
        del base["access_key_id"], base["secret_access_key"]
        base["web_identity_token_file"] = f"{agent.path}/token"
    return {**base, **more}


def prepare(agent, secrets):
    """secrets: name -> settings(). Seeds both roles, writes the token and the configuration."""
    seed_role(agent.cloud)
    seed_irsa(agent.cloud)
    write_token(agent)
    agent.extra_env.update(IRSA_ENV)
    agent.secrets = secrets
    agent.write_config()
    return agent


def sent(call, name):
    """A list parameter of a logged call: texts, or dictionaries for Tags and PolicyArns."""
    found = {}
    for key, value in call["params"].items():
        parts = key.split(".")
        if parts[:2] == [name, "member"]:
            if len(parts) == 3:
                found[int(parts[2])] = value
            else:
                found.setdefault(int(parts[2]), {})[parts[3]] = value
    return [found[number] for number in sorted(found)]


def fence_end(user):
    """The date of a user's fence."""
    text = user["inline"]["kms-fence"]
    fence = json.loads(text) if isinstance(text, str) else text
    dates = [statement["Condition"]["DateGreaterThanEquals"]["aws:CurrentTime"]
             for statement in fence["Statement"] if "Condition" in statement]
    assert len(dates) == 1, fence
    return dates[0]
