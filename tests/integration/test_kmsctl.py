# SPDX-License-Identifier: Apache-2.0
"""kmsctl: tables for people, --json with the names of the wire, exit statuses for scripts."""
import json
import os
import pty

import pytest

from agent import KMSCTL
from aws_client import identity
from cli import agent_env, kmsctl, kmsctl_json, run
from trouble import wait_until


def test_status(agent):
    wait_until(lambda: len(agent.call("agent.status")["management"]) == 2, "who the management keys are")
    status = kmsctl_json(agent, "status")
    assert set(status) == set(agent.call("agent.status"))
    assert {one["secret"]: one["ok"] for one in status["management"]} == {"app": True, "session": True}
    result = kmsctl(agent, "status")
    assert result.returncode == 0 and result.stderr == "" and result.stdout


def test_secrets(agent):
    result = kmsctl(agent, "secrets")
    assert "app" in result.stdout and "session" in result.stdout and "iam-user" in result.stdout
    names = [secret["name"] for secret in kmsctl_json(agent, "secrets")["secrets"]]
    assert names == ["app", "session"]


def test_issue_list_show_renew_revoke(agent):
    issued = kmsctl_json(agent, "issue", "app", "--keep")
    assert identity(agent.cloud, issued) == issued["arn"]
    table = kmsctl(agent, "leases").stdout
    assert issued["lease_id"][:8] in table and issued["access_key_id"] in table or issued["lease_id"] in table
    assert issued["secret_access_key"] not in table
    one = kmsctl_json(agent, "lease", issued["lease_id"])
    assert one["state"] == "active" and one["access_key_id"] == issued["access_key_id"]
    assert "secret_access_key" not in one
    renewed = kmsctl_json(agent, "renew", issued["lease_id"])
    assert renewed["expires_at"] >= issued["expires_at"]
    result = kmsctl(agent, "revoke", issued["lease_id"])
    assert result.returncode == 0, result.stderr
    agent.wait_no_users()
    agent.wait_lease(issued["lease_id"], "revoked")  # the user goes before the record says so
    assert kmsctl_json(agent, "lease", issued["lease_id"])["state"] == "revoked"


def test_iam_user_needs_keep(agent):
    """Nothing watches over an unbound IAM user but its TTL, so that has to be said."""
    result = kmsctl(agent, "issue", "app", "--json")
    assert result.returncode != 0 and "--keep" in result.stderr
    assert agent.cloud.users() == {}


def test_secret_on_a_terminal_needs_show(agent):
    def on_terminal(*arguments):
        master, slave = pty.openpty()
        import subprocess
        process = subprocess.Popen([KMSCTL, *arguments], env=agent_env(agent), stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        output = b""
        while True:
            try:
                data = os.read(master, 4096)
            except OSError:
                break
            if not data:
                break
            output += data
        os.close(master)
        return process.wait(30), output.decode()

    status, text = on_terminal("issue", "session", "--json")
    assert status != 0 and "--show" in text
    assert not any(secret in text for secret in agent.cloud.canaries())
    status, text = on_terminal("issue", "session", "--json", "--show")
    assert status == 0 and json.loads(text)["secret_access_key"] in agent.cloud.canaries()


def test_revoke_all(agent):
    for _ in range(3):
        kmsctl_json(agent, "issue", "app", "--keep")
    result = kmsctl(agent, "revoke", "--all", "--secret", "app")
    assert result.returncode == 0, result.stderr
    agent.wait_no_users()


def test_reload(agent):
    agent.secrets["more"] = agent.session()
    agent.write_config()
    result = kmsctl(agent, "reload")
    assert result.returncode == 0, result.stderr
    assert "more" in [secret["name"] for secret in kmsctl_json(agent, "secrets")["secrets"]]
    agent.write_file("secrets.d/more.conf", "secret: { more: { nonsense = 1; }; };\n")
    result = kmsctl(agent, "reload")
    assert result.returncode != 0 and "more.conf:1" in result.stderr


def test_ready(agent, tmp_path):
    assert kmsctl(agent, "ready").returncode == 0
    result = run([KMSCTL, "--socket", str(tmp_path / "none.sock"), "ready"])
    assert result.returncode != 0 and "none.sock" in result.stderr


def test_check(agent):
    env = agent_env(agent)
    env["PATH"] = os.path.dirname(KMSCTL) + ":" + env["PATH"]
    assert kmsctl(agent, "check", agent.config, env=env).returncode == 0
    bad = agent.write_file("bad.conf", "agent: { sokcet = \"/x\"; };\n")
    result = kmsctl(agent, "check", bad, env=env)
    assert result.returncode != 0 and "bad.conf:1" in result.stderr + result.stdout
    assert "socket" in result.stderr + result.stdout


@pytest.mark.parametrize("arguments", [["no-such-verb"], ["lease"], ["lease", "nonsense"], ["revoke"],
                                       ["status", "--no-such-option"], ["issue", "nix", "--keep", "--json"]])
def test_wrong_usage(agent, arguments):
    result = kmsctl(agent, *arguments)
    assert result.returncode != 0 and result.stderr and result.stdout == ""


def test_json_anywhere_on_the_line(agent):
    assert json.loads(kmsctl(agent, "--json", "secrets").stdout) == json.loads(kmsctl(agent, "secrets", "--json").stdout)
