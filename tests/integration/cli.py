# SPDX-License-Identifier: Apache-2.0
"""Runs the command-line programs of the build under test."""
import json
import os
import subprocess

from agent import KMS_EXEC, KMSCTL, TOP, clean_env

AWS = os.path.join(TOP, "tests", "cloud", "aws")
AWS_CLI = "/usr/bin/aws" if os.path.exists("/usr/bin/aws") else "aws"


def run(arguments, env=None, timeout_s=60, **more):
    """Returns the CompletedProcess, output as text."""
    return subprocess.run(arguments, env=clean_env() if env is None else env, timeout=timeout_s,
                          stdin=more.pop("stdin", subprocess.DEVNULL), capture_output=True, text=True, check=False,
                          **more)


def agent_env(agent, **more):
    """The environment of a client of this agent; the aws helper finds the look-alike."""
    return clean_env(KMS_AGENT_SOCKET=agent.socket, CLOUD_URL=agent.cloud.url, AWS_CLI=AWS_CLI, AWS_PAGER="",
                     AWS_CONFIG_FILE="/dev/null", AWS_SHARED_CREDENTIALS_FILE="/dev/null", **more)


def kms_exec(agent, *arguments, env=None, **more):
    return run([KMS_EXEC, *arguments], agent_env(agent) if env is None else env, **more)


def kms_exec_start(agent, *arguments, env=None, **more):
    """The same, running: a Popen."""
    return subprocess.Popen([KMS_EXEC, *arguments], env=agent_env(agent) if env is None else env,
                            stdin=more.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, **more)


def kmsctl(agent, *arguments, env=None, **more):
    return run([KMSCTL, *arguments], agent_env(agent) if env is None else env, **more)


def kmsctl_json(agent, *arguments):
    result = kmsctl(agent, *arguments, "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)
