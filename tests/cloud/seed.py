# SPDX-License-Identifier: Apache-2.0
"""Objects put into the account without signed calls. Idempotent: what exists is replaced in its
policies and tags, and keeps its id and keys."""

import json

from grammar import check_identity_policy, check_trust_policy
from iam_roles import provider_arn
from state import AccessKey, Group, Policy, Role, User

FIELDS = {
    "policies": {"name", "path", "document"},
    "groups": {"name", "path", "inline", "attached", "tags"},
    "users": {
        "name",
        "path",
        "tags",
        "boundary",
        "inline",
        "attached",
        "groups",
        "access_keys",
        "age_s",
    },
    "roles": {
        "name",
        "path",
        "trust",
        "inline",
        "attached",
        "tags",
        "boundary",
        "max_session_duration",
    },
    "oidc": {"issuer", "audiences", "hs256_key"},
}


def text(document):
    return document if isinstance(document, str) else json.dumps(document)


def checked(item, kind):
    unknown = set(item) - FIELDS[kind]
    if unknown:
        raise ValueError(f"unknown fields in {kind}: {sorted(unknown)}")
    return item


def put_policies(account, entity, item):
    """Inline and attached policies, tags, boundary."""
    if "inline" in item:
        documents = {name: text(document) for name, document in item["inline"].items()}
        for document in documents.values():
            check_identity_policy(document, account.partition)
        entity.inline = documents
    if "attached" in item:
        for arn in item["attached"]:
            account.policy(arn)
        entity.attached = list(item["attached"])
    if "tags" in item:
        entity.tags = dict(item["tags"])
    if item.get("boundary"):
        account.policy(item["boundary"])
        entity.boundary = item["boundary"]
    entity.born = float("-inf")  # what is seeded is visible at once


def seed_policy(account, item):
    document = text(item["document"])
    check_identity_policy(document, account.partition)
    policy = Policy(account, item["name"], item.get("path", "/"), document)
    account.policies[policy.arn] = policy
    return policy.arn


def seed_entity(account, table, item, make):
    entity = table.get(item["name"].lower())
    if entity is None:
        entity = table[item["name"].lower()] = make()
    put_policies(account, entity, item)
    return entity


def seed_user(account, item):
    user = seed_entity(
        account, account.users, item, lambda: User(account, item["name"], item.get("path", "/"))
    )
    user.created = account.clock.now() - float(item.get("age_s", 0))
    for name in item.get("groups", []):
        group = account.group(name)
        if group not in user.groups:
            user.groups.append(group)
            group.members.append(user)
    wanted = item.get("access_keys", 0)
    keys = [{}] * (wanted - len(user.keys)) if isinstance(wanted, int) else wanted
    for spec in keys:
        key = user.keys.get(spec.get("access_key_id")) or account.add_key(
            AccessKey(account, user, spec.get("access_key_id"), spec.get("secret_access_key"))
        )
        key.status, key.born = spec.get("status", key.status), float("-inf")
    return {
        "arn": user.arn(account),
        "user_id": user.id,
        "access_keys": [
            {"access_key_id": key.id, "secret_access_key": key.secret} for key in user.keys.values()
        ],
    }


def seed_role(account, item):
    trust = text(item["trust"])
    check_trust_policy(trust)
    role = seed_entity(
        account,
        account.roles,
        item,
        lambda: Role(account, item["name"], item.get("path", "/"), trust),
    )
    role.trust, role.max_session = trust, int(item.get("max_session_duration", role.max_session))
    return role.arn(account)


def seed_issuer(account, item):
    issuer = item["issuer"]
    if not issuer.startswith("https://"):
        raise ValueError("an issuer starts with https://")
    arn = provider_arn(account, issuer)
    account.oidc[arn] = {
        "url": issuer.rstrip("/"),
        "audiences": list(item.get("audiences", ["sts.amazonaws.com"])),
        "thumbprints": ["0" * 40],
        "created": account.clock.now(),
    }
    account.issuers[issuer] = item["hs256_key"]
    account.remember(item["hs256_key"])
    return arn


def seed(account, body):
    unknown = set(body) - set(FIELDS)
    if unknown:
        raise ValueError(f"unknown kinds: {sorted(unknown)}")
    result = {kind: {} for kind in FIELDS}
    for item in body.get("policies", []):
        result["policies"][item["name"]] = seed_policy(account, checked(item, "policies"))
    for item in body.get("groups", []):
        make = (lambda spec: lambda: Group(account, spec["name"], spec.get("path", "/")))(item)
        group = seed_entity(account, account.groups, checked(item, "groups"), make)
        result["groups"][item["name"]] = group.arn(account)
    for item in body.get("users", []):
        result["users"][item["name"]] = seed_user(account, checked(item, "users"))
    for item in body.get("roles", []):
        result["roles"][item["name"]] = seed_role(account, checked(item, "roles"))
    for item in body.get("oidc", []):
        result["oidc"][item["issuer"]] = seed_issuer(account, checked(item, "oidc"))
    return result
