# SPDX-License-Identifier: Apache-2.0
"""The clients people have, on issued credentials, for real calls: the aws CLI, boto3 as Debian has it and the current
one, the JavaScript SDK v3; by kms-exec and by credential_process."""
import functools
import json
import os
import shutil

import pytest

from agent import KMS_EXEC
from cli import AWS, agent_env, kms_exec, run
from methods import document, prepare, settings
from toolbox import current_boto3, node_sdk

BOTO3 = """
import boto3, json, os
session = boto3.session.Session()
url = os.environ["CLOUD_URL"]
identity = session.client("sts", endpoint_url=url).get_caller_identity()
users = session.client("iam", endpoint_url=url, region_name="us-east-1").list_users()["Users"]
print(json.dumps({"arn": identity["Arn"], "account": identity["Account"], "region": session.region_name,
                  "users": [user["UserName"] for user in users]}))
"""
AWS_CLI = ('identity=$("$0" sts get-caller-identity --output json) && users=$("$0" --region us-east-1 iam list-users '
           '--output json) && printf "[%s,%s]" "$identity" "$users"')
current = functools.lru_cache(None)(current_boto3)
javascript = functools.lru_cache(None)(node_sdk)


def command_of(sdk):
    """The command that makes the calls; skips with the reason why there is none."""
    if sdk == "aws-cli":
        return ["/bin/sh", "-c", AWS_CLI, AWS]
    if sdk == "boto3":
        return ["/usr/bin/python3", "-c", BOTO3]
    where, reason = current() if sdk == "boto3-current" else javascript()
    if reason:
        pytest.skip(reason)
    if sdk == "boto3-current":
        return [where, "-c", BOTO3]
    return [shutil.which("node"), os.path.join(where, "whoami.mjs")]


def outcome(sdk, result):
    assert result.returncode == 0, result.stderr[-3000:]
    answer = json.loads(result.stdout)
    if sdk == "aws-cli":
        identity, users = answer
        return {"arn": identity["Arn"], "account": identity["Account"],
                "users": [user["UserName"] for user in users["Users"]]}
    return answer


@pytest.fixture
def box(make_agent, cloud):
    """A running agent with "user", an IAM user that may list users, and "session", of a role that may do all."""
    agent = make_agent(start=False)
    prepare(agent, {"user": agent.iam_user(policy_documents=[json.dumps(document("iam:ListUsers"))]),
                    "session": settings(agent, "assume-role", "temporary-credentials")})
    return agent.start()


def env_of(agent):
    """That of a workstation: a HOME without ~/.aws, no metadata service to ask."""
    return {**agent_env(agent), "HOME": agent.path, "PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true"}


SDKS = ["aws-cli", "boto3", "boto3-current", "javascript"]


@pytest.mark.parametrize("secret", ["user", "session"])
@pytest.mark.parametrize("sdk", SDKS)
def test_by_kms_exec(box, cloud, sdk, secret):
    """Stale settings of other kinds of credentials stand around and do not win."""
    command = command_of(sdk)
    env = {**env_of(box), "AWS_PROFILE": "no-such-profile", "AWS_SESSION_TOKEN": "stale", "AWS_REGION": "us-west-2",
           "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "stale"}
    found = outcome(sdk, kms_exec(box, "-s", secret, "--", *command, env=env))
    kind = ":user/kms/kms-user-" if secret == "user" else ":assumed-role/minter/kms-session-"
    assert kind in found["arn"] and found["account"] == cloud.account_id
    assert "kms-management" in found["users"]
    assert found.get("region", "eu-west-1") == "eu-west-1"
    if sdk == "javascript":
        assert (found["expiration"] is None) == (secret == "user")
    box.wait_no_users()


@pytest.mark.parametrize("secret", ["user", "session"])
@pytest.mark.parametrize("sdk", SDKS)
def test_by_credential_process(box, cloud, sdk, secret):
    command = command_of(sdk)
    keep = "--keep " if secret == "user" else ""
    config = box.write_file("aws-config", "[profile kms]\nregion = eu-west-1\n"
                            f"credential_process = {KMS_EXEC} {keep}--socket {box.socket} -s {secret} "
                            "--format credential-process\n")
    env = {**env_of(box), "AWS_CONFIG_FILE": config, "AWS_PROFILE": "kms", "AWS_SDK_LOAD_CONFIG": "1"}
    found = outcome(sdk, run(command, env))
    kind = ":user/kms/kms-user-" if secret == "user" else ":assumed-role/minter/kms-session-"
    assert kind in found["arn"] and "kms-management" in found["users"]
    box.call("lease.revoke", secret=secret, all=True)
    box.wait_no_users()
