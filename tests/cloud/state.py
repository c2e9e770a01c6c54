# SPDX-License-Identifier: Apache-2.0
"""The account: what IAM and STS remember."""

import base64
import os
import secrets
import time

from clock import Clock, iso
from errors import no_such
from managed import aws_managed

UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def new_id(prefix: str, length: int) -> str:
    return prefix + "".join([UPPER[byte & 31] for byte in os.urandom(length)])


def new_secret() -> str:
    return base64.b64encode(secrets.token_bytes(30)).decode()


def new_token() -> str:
    """As long and as looking as a session token of AWS."""
    return (
        "IQoJb3JpZ2luX2Vj"
        + base64.b64encode(secrets.token_bytes(720 + secrets.randbelow(90))).decode()
    )


class Entity:
    """A user, a group or a role: a name with a path, an id, tags and policies."""

    def __init__(self, account, kind, prefix, name, path):
        self.kind, self.name, self.path = kind, name, path
        self.id = new_id(prefix, 17)
        self.created = account.clock.now()
        self.born = account.lag_now()
        self.tags = {}
        self.inline = {}
        self.attached = []
        self.boundary = None
        self.gone = False

    def arn(self, account):
        return account.arn(f"{self.kind}{self.path}{self.name}")


class User(Entity):
    def __init__(self, account, name, path):
        super().__init__(account, "user", "AIDA", name, path)
        self.groups = []
        self.keys = {}
        self.login_profile = None
        self.mfa = {}
        self.ssh_keys = {}
        self.certificates = {}
        self.service_credentials = {}
        self.unmodifiable_until = 0.0


class Group(Entity):
    def __init__(self, account, name, path):
        super().__init__(account, "group", "AGPA", name, path)
        self.members = []


class Role(Entity):
    def __init__(self, account, name, path, trust):
        super().__init__(account, "role", "AROA", name, path)
        self.trust = trust
        self.max_session = 3600
        self.description = None


class AccessKey:
    def __init__(self, account, user, key_id=None, secret=None):
        self.id = key_id or new_id("AKIA", 16)
        self.secret = secret or new_secret()
        self.user = user
        self.status = "Active"
        self.created = account.clock.now()
        self.born = account.lag_now()
        self.deleted = None
        self.used = None


class Session:
    """Temporary credentials. kind: role, user (GetSessionToken) or federated."""

    def __init__(self, kind, subject, expires, issued):
        self.kind, self.subject = kind, subject
        self.id = new_id("ASIA", 16)
        self.secret, self.token = new_secret(), new_token()
        self.expires, self.issued = expires, issued
        self.name = None
        self.documents = None  # the session policy's documents; None when there is none
        self.policy_arns = []
        self.tags, self.transitive = {}, []
        self.mfa = False
        self.facts = {}


class Policy:
    def __init__(self, account, name, path, document, arn=None):
        self.name, self.path = name, path
        self.arn = arn or account.arn(f"policy{path}{name}")
        self.id = new_id("ANPA", 17)
        self.created = account.clock.now() if account else 1423000000.0
        self.versions = {"v1": (document, self.created)}
        self.default = "v1"
        self.description = None
        self.tags = {}

    @property
    def document(self):
        return self.versions[self.default][0]


class Account:
    """Everything of one AWS account; reset() puts it back to the management user alone."""

    def __init__(self, account_id="123456789012", partition="aws"):
        self.clock = Clock()
        self.account_id, self.partition = account_id, partition
        self.iam_regions = {
            "aws": ("us-east-1",),
            "aws-cn": ("cn-north-1",),
            "aws-us-gov": ("us-gov-west-1",),
        }.get(partition, ("us-east-1",))
        self.canaries = {}
        self.management_key = (new_id("AKIA", 16), new_secret())
        self.reset()

    def reset(self):
        self.clock.offset_s = 0.0
        self.signature_clock, self.expired_code = "either", "SignatureDoesNotMatch"
        self.lag = {
            "users_s": 0.0,
            "keys_s": 0.0,
            "deleted_keys_s": 0.0,
            "key_lists_s": 0.0,
            "unmodifiable_s": 0.0,
            "clock": "real",
            "authorization": "fresh",
        }
        self.quotas = {
            "users": 5000,
            "keys": 2,
            "groups_per_user": 10,
            "attached": 10,
            "tags": 50,
            "user_policy": 2048,
            "group_policy": 5120,
            "role_policy": 10240,
            "managed_policy": 6144,
            "certificates": 2,
            "ssh_keys": 5,
            "mfa": 8,
            "service_credentials": 2,
            "versions": 5,
        }
        self.users, self.groups, self.roles = {}, {}, {}
        self.policies = {p.arn: p for p in aws_managed(self.partition, Policy)}
        self.keys, self.sessions = {}, {}
        self.virtual_mfa, self.oidc = {}, {}
        self.issuers = {}
        self.deleted_users, self.user_names_gone = [], {}
        self.add_management()

    def add_management(self):
        user = User(self, "kms-management", "/")
        user.inline["management"] = (
            '{"Version":"2012-10-17","Statement":'
            '[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
        )
        self.users[user.name.lower()] = user
        user.born = float("-inf")
        self.add_key(AccessKey(self, user, *self.management_key)).born = float("-inf")
        self.management = user

    def arn(self, rest, service="iam"):
        return f"arn:{self.partition}:{service}::{self.account_id}:{rest}"

    def lag_now(self):
        return (
            self.clock.now()
            if getattr(self, "lag", {}).get("clock") == "cloud"
            else time.monotonic()
        )

    def remember(self, secret):
        self.canaries[secret] = None

    def add_key(self, key):
        key.user.keys[key.id] = key
        self.keys[key.id] = key
        self.remember(key.secret)
        return key

    def add_session(self, session):
        self.sessions[session.id] = session
        self.remember(session.secret)
        self.remember(session.token)
        return session

    # look-ups: names are unique without regard to case, found with it

    def any_user(self, name):
        """The user, seen or not yet seen by readers; None when there is none."""
        user = self.users.get(name.lower())
        return user if user is not None and user.name == name else None

    def visible(self, entity):
        return not self.lag["users_s"] or self.lag_now() >= entity.born + self.lag["users_s"]

    def user(self, name):
        user = self.any_user(name)
        if user is None or not self.visible(user):
            raise no_such(f"The user with name {name} cannot be found.")
        return user

    def group(self, name):
        group = self.groups.get(name.lower())
        if group is None or group.name != name:
            raise no_such(f"The group with name {name} cannot be found.")
        return group

    def role(self, name):
        role = self.roles.get(name.lower())
        if role is None or role.name != name:
            raise no_such(f"The role with name {name} cannot be found.")
        return role

    def policy(self, arn):
        policy = self.policies.get(arn)
        if policy is None:
            raise no_such(f"Policy {arn} was not found.")
        return policy

    def key_usable(self, key):
        """Deleted and inactive keys may work on for a while, new ones may not work yet."""
        if key.deleted is not None:
            return self.lag_now() < key.deleted + self.lag["deleted_keys_s"]
        if key.status != "Active" or key.user.gone:
            return False
        return not self.lag["keys_s"] or self.lag_now() >= key.born + self.lag["keys_s"]

    def listed_keys(self, user):
        wait = self.lag["key_lists_s"]
        now = self.lag_now() if wait else 0
        return [key for key in user.keys.values() if not wait or now >= key.born + wait]

    def remove_user(self, user):
        user.gone = True
        del self.users[user.name.lower()]
        self.user_names_gone[user.name.lower()] = self.lag_now()
        self.deleted_users.append(
            {
                "name": user.name,
                "id": user.id,
                "path": user.path,
                "tags": dict(user.tags),
                "created": iso(user.created),
                "deleted": iso(self.clock.now()),
            }
        )
