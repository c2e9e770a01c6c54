# SPDX-License-Identifier: Apache-2.0
"""The whole state of the account as JSON, without secrets."""

from clock import iso


def entity(account, item):
    return {
        "name": item.name,
        "path": item.path,
        "id": item.id,
        "arn": item.arn(account),
        "created": iso(item.created),
        "tags": dict(item.tags),
        "boundary": item.boundary,
        "inline": dict(item.inline),
        "attached": list(item.attached),
    }


def user(account, item, deleted):
    keys = [
        {"id": key.id, "status": key.status, "created": iso(key.created)}
        for key in item.keys.values()
    ]
    keys += [
        {"id": key.id, "status": key.status, "created": iso(key.created), "deleted": True}
        for key in deleted.get(id(item), ())
    ]
    return {
        **entity(account, item),
        "groups": [group.name for group in item.groups],
        "keys": keys,
        "login_profile": item.login_profile is not None,
        "mfa": list(item.mfa),
        "ssh_keys": list(item.ssh_keys),
        "certificates": list(item.certificates),
        "service_credentials": list(item.service_credentials),
        "visible": account.visible(item),
    }


def session(account, item):
    now = account.clock.now()
    return {
        "id": item.id,
        "kind": item.kind,
        "principal": item.subject.arn(account),
        "name": item.name,
        "issued": iso(item.issued),
        "expires": iso(item.expires),
        "expired": now >= item.expires,
        "policy_documents": item.documents,
        "policy_arns": item.policy_arns,
        "tags": item.tags,
        "transitive": item.transitive,
        "mfa": item.mfa,
    }


def snapshot(account):
    deleted = {}
    for key in account.keys.values():
        if key.deleted is not None:
            deleted.setdefault(id(key.user), []).append(key)
    live = {key.id for item in account.users.values() for key in item.keys.values()}
    return {
        "account_id": account.account_id,
        "now": iso(account.clock.now()),
        "users": [user(account, item, deleted) for item in account.users.values()],
        "groups": [
            {**entity(account, item), "members": [member.name for member in item.members]}
            for item in account.groups.values()
        ],
        "roles": [
            {**entity(account, item), "trust": item.trust, "max_session_duration": item.max_session}
            for item in account.roles.values()
        ],
        "policies": [
            {
                "arn": item.arn,
                "name": item.name,
                "path": item.path,
                "document": item.document,
                "default_version": item.default,
                "versions": list(item.versions),
            }
            for item in account.policies.values()
            if ":iam::aws:" not in item.arn
        ],
        "sessions": [session(account, item) for item in account.sessions.values()],
        "deleted_users": account.deleted_users,
        "live_keys": sorted(live),
        "virtual_mfa": list(account.virtual_mfa),
        "oidc_providers": list(account.oidc),
    }
