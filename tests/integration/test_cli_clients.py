# SPDX-License-Identifier: Apache-2.0
"""Real AWS clients on credentials of the agent: the aws CLI and boto3, by environment and by credential_process."""
import json

from agent import KMS_EXEC
from cli import AWS, agent_env, kms_exec, run


def test_aws_cli_with_an_iam_user(agent):
    result = kms_exec(agent, "-s", "app", "--", AWS, "sts", "get-caller-identity", "--output", "json")
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert ":user/kms/kms-app-" in answer["Arn"] and answer["Account"] == agent.cloud.account_id
    agent.wait_no_users()


def test_aws_cli_with_a_session(agent):
    result = kms_exec(agent, "-s", "session", "--", AWS, "sts", "get-caller-identity", "--output", "json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["Account"] == agent.cloud.account_id


def test_aws_cli_by_credential_process(agent):
    """A profile of ~/.aws/config that calls kms-exec: the way for programs that nobody can wrap."""
    config = agent.write_file("aws-config", "[profile kms]\nregion = eu-west-1\n"
                              f"credential_process = {KMS_EXEC} --socket {agent.socket} -s session "
                              "--format credential-process\n")
    env = agent_env(agent)
    env["AWS_CONFIG_FILE"] = config
    result = run([AWS, "--profile", "kms", "sts", "get-caller-identity", "--output", "json"], env)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["Account"] == agent.cloud.account_id


def test_boto3(agent):
    code = ("import boto3, os\n"
            "print(boto3.client('sts', endpoint_url=os.environ['CLOUD_URL']).get_caller_identity()['Arn'])\n")
    result = kms_exec(agent, "-s", "app", "--", "/usr/bin/python3", "-c", code)
    assert result.returncode == 0, result.stderr
    assert ":user/kms/" in result.stdout


def test_stale_variables_do_not_win(agent):
    env = agent_env(agent, AWS_PROFILE="nope", AWS_SECURITY_TOKEN="stale", AWS_SESSION_TOKEN="stale",
                    AWS_ACCESS_KEY_ID="AKIASTALE", AWS_SECRET_ACCESS_KEY="stale",
                    AWS_CREDENTIAL_EXPIRATION="2001-01-01T00:00:00Z")
    for secret in ("app", "session"):
        result = kms_exec(agent, "-s", secret, "--", AWS, "sts", "get-caller-identity", env=env)
        assert result.returncode == 0, result.stderr
