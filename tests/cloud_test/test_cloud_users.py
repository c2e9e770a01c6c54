# SPDX-License-Identifier: Apache-2.0
"""Users, tags, keys, groups: names, limits, pages, ids."""

import re

import pytest

from cloud_helpers import document, allow, keys_of, refused, user_with


def test_create_and_get(cloud, iam):
    made = iam.create_user(UserName="Bob", Path="/kms/", Tags=[{"Key": "a", "Value": "b"}])["User"]
    assert made["Arn"] == cloud.arn("user/kms/Bob") and re.fullmatch(
        r"AIDA[A-Z0-9]{17}", made["UserId"]
    )
    got = iam.get_user(UserName="Bob")["User"]
    assert got == made and got["Tags"] == [{"Key": "a", "Value": "b"}]
    assert got["CreateDate"].microsecond == 0
    assert "Tags" not in iam.list_users(PathPrefix="/kms/")["Users"][0]


def test_names_are_unique_without_case(cloud, iam):
    iam.create_user(UserName="Bob")
    with refused("EntityAlreadyExists", 409, "User with name bob already exists."):
        iam.create_user(UserName="bob", Path="/other/")
    with refused("NoSuchEntity", 404, "The user with name bob cannot be found."):
        iam.get_user(UserName="bob")
    iam.create_group(GroupName="Dev")
    with refused("EntityAlreadyExists", 409):
        iam.create_group(GroupName="DEV")


def test_failed_create_leaves_nothing(cloud, iam):
    tags = [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]
    with refused("InvalidInput", 400, "Duplicate tag keys"):
        iam.create_user(UserName="bob", Tags=tags)
    with refused("NoSuchEntity", 404):
        iam.create_user(UserName="bob", PermissionsBoundary=cloud.arn("policy/none"))
    with refused("InvalidInput", 400):
        iam.create_user(UserName="bob", Tags=[{"Key": "aws:x", "Value": "1"}])
    assert cloud.users() == {}


def test_tags(cloud, iam):
    iam.create_user(UserName="bob", Tags=[{"Key": f"k{n}", "Value": "v"} for n in range(49)])
    iam.tag_user(UserName="bob", Tags=[{"Key": "K1", "Value": "new"}, {"Key": "last", "Value": ""}])
    with refused("LimitExceeded", 409):
        iam.tag_user(UserName="bob", Tags=[{"Key": "more", "Value": ""}])
    iam.untag_user(UserName="bob", TagKeys=["k1", "k2"])
    first = iam.list_user_tags(UserName="bob", MaxItems=40)
    rest = iam.list_user_tags(UserName="bob", MaxItems=40, Marker=first["Marker"])
    assert (
        first["IsTruncated"] and not rest["IsTruncated"] and len(first["Tags"] + rest["Tags"]) == 48
    )


def test_update_user(cloud, iam):
    iam.create_user(UserName="bob")
    iam.create_user(UserName="eve")
    with refused("EntityAlreadyExists", 409):
        iam.update_user(UserName="bob", NewUserName="EVE")
    iam.update_user(UserName="bob", NewUserName="Bob2", NewPath="/n/")
    assert iam.get_user(UserName="Bob2")["User"]["Path"] == "/n/"


def test_keys_limit_and_ids(cloud, iam):
    iam.create_user(UserName="bob")
    keys = [iam.create_access_key(UserName="bob")["AccessKey"] for _ in range(2)]
    assert all(re.fullmatch(r"AKIA[A-Z0-9]{16}", key["AccessKeyId"]) for key in keys)
    assert all(re.fullmatch(r"[A-Za-z0-9/+]{40}", key["SecretAccessKey"]) for key in keys)
    with refused("LimitExceeded", 409, "Cannot exceed quota for AccessKeysPerUser: 2"):
        iam.create_access_key(UserName="bob")
    listed = iam.list_access_keys(UserName="bob")["AccessKeyMetadata"]
    assert {key["AccessKeyId"] for key in listed} == {key["AccessKeyId"] for key in keys}
    assert "SecretAccessKey" not in listed[0]
    with refused("NoSuchEntity", 404):
        iam.delete_access_key(UserName="kms-management", AccessKeyId=keys[0]["AccessKeyId"])


def test_last_used(cloud, iam, aws):
    keys = user_with(cloud)
    ident = keys["AccessKeyId"]
    assert (
        iam.get_access_key_last_used(AccessKeyId=ident)["AccessKeyLastUsed"]["ServiceName"] == "N/A"
    )
    aws.client("sts", keys, region="eu-west-1").get_caller_identity()
    used = iam.get_access_key_last_used(AccessKeyId=ident)
    assert used["UserName"] == "bob" and used["AccessKeyLastUsed"]["Region"] == "eu-west-1"


def test_own_user_without_a_name(cloud, aws):
    keys = user_with(cloud, allow("iam:*"))
    client = aws.client("iam", keys)
    assert client.get_user()["User"]["UserName"] == "bob"
    assert client.list_access_keys()["AccessKeyMetadata"][0]["AccessKeyId"] == keys["AccessKeyId"]


def test_users_per_account(cloud, iam):
    cloud.quotas(users=2)
    iam.create_user(UserName="a")
    with refused("LimitExceeded", 409, "UsersPerAccount: 2"):
        iam.create_user(UserName="b")


def test_groups(cloud, iam):
    iam.create_user(UserName="bob")
    for number in range(11):
        iam.create_group(GroupName=f"g{number}", Path="/x/")
    for number in range(10):
        iam.add_user_to_group(GroupName=f"g{number}", UserName="bob")
    iam.add_user_to_group(GroupName="g0", UserName="bob")
    with refused("LimitExceeded", 409, "Cannot exceed quota for GroupsPerUser: 10"):
        iam.add_user_to_group(GroupName="g10", UserName="bob")
    with refused("NoSuchEntity", 404, "The group with name none cannot be found."):
        iam.add_user_to_group(GroupName="none", UserName="bob")
    assert len(iam.list_groups_for_user(UserName="bob")["Groups"]) == 10
    assert iam.get_group(GroupName="g1")["Users"][0]["UserName"] == "bob"
    with refused("DeleteConflict", 409, "must remove users from group first"):
        iam.delete_group(GroupName="g1")
    iam.remove_user_from_group(GroupName="g1", UserName="bob")
    iam.delete_group(GroupName="g1")
    assert len(iam.list_groups(PathPrefix="/x/")["Groups"]) == 10


def test_pages(cloud, iam):
    cloud.seed(users=[{"name": f"u{number:03}", "path": "/p/"} for number in range(250)])
    for size in (100, 7, 250, 1000):
        names, marker, pages = [], {}, 0
        while True:
            page = iam.list_users(PathPrefix="/p/", MaxItems=size, **marker)
            names += [user["UserName"] for user in page["Users"]]
            pages += 1
            if not page["IsTruncated"]:
                break
            marker = {"Marker": page["Marker"]}
        assert names == [f"u{number:03}" for number in range(250)] and pages == -(-250 // size)
    assert len(iam.list_users()["Users"]) == 100
    with refused("ValidationError", 400, "Invalid Marker"):
        iam.list_users(Marker="!")


def test_a_page_survives_deletions(cloud, iam):
    cloud.seed(users=[{"name": f"u{number}", "path": "/p/"} for number in range(4)])
    first = iam.list_users(PathPrefix="/p/", MaxItems=2)
    iam.delete_user(UserName="u1")
    iam.delete_user(UserName="u0")
    rest = iam.list_users(PathPrefix="/p/", Marker=first["Marker"])
    assert [user["UserName"] for user in rest["Users"]] == ["u2", "u3"]


@pytest.mark.parametrize(
    "operation,answer",
    [
        ("list_user_policies", "PolicyNames"),
        ("list_attached_user_policies", "AttachedPolicies"),
        ("list_access_keys", "AccessKeyMetadata"),
        ("list_groups_for_user", "Groups"),
    ],
)
def test_every_list_pages(cloud, iam, operation, answer):
    cloud.seed(
        groups=[{"name": "g1"}, {"name": "g2"}],
        users=[
            {
                "name": "bob",
                "access_keys": 2,
                "groups": ["g1", "g2"],
                "inline": {"a": document(allow("s3:*")), "b": document(allow("s3:*"))},
                "attached": [
                    "arn:aws:iam::aws:policy/ReadOnlyAccess",
                    "arn:aws:iam::aws:policy/PowerUserAccess",
                ],
            }
        ],
    )
    call = getattr(iam, operation)
    first = call(UserName="bob", MaxItems=1)
    assert first["IsTruncated"] and len(first[answer]) == 1
    second = call(UserName="bob", MaxItems=1, Marker=first["Marker"])
    assert not second["IsTruncated"] and "Marker" not in second and second[answer] != first[answer]


def test_temporarily_unmodifiable(cloud, iam):
    cloud.lag(unmodifiable_s=60)
    iam.create_user(UserName="bob")
    iam.delete_user(UserName="bob")
    iam.create_user(UserName="bob")
    with refused("EntityTemporarilyUnmodifiable", 409):
        iam.delete_user(UserName="bob")
    iam.create_user(UserName="eve")
    iam.delete_user(UserName="eve")


def test_a_key_dies_with_its_user(cloud, iam, aws):
    keys = keys_of(cloud.seed(users=[{"name": "bob", "access_keys": 1}]), "bob")
    session = aws.client("sts", keys).get_session_token()["Credentials"]
    iam.delete_access_key(UserName="bob", AccessKeyId=keys["AccessKeyId"])
    aws.client("sts", session).get_caller_identity()
    iam.delete_user(UserName="bob")
    with refused("InvalidClientTokenId", 403):
        aws.client("sts", session).get_caller_identity()
    assert cloud.state()["deleted_users"][0]["name"] == "bob"
