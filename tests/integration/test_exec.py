# SPDX-License-Identifier: Apache-2.0
"""kms-exec: the command gets the credential, keeps its PID, its descriptors, its exit status and its signals, and
the credential ends with it."""
import json
import os
import signal
import socket
import subprocess
import time

import pytest

from agent import KMS_EXEC
from aws_client import identity
from cli import agent_env, kms_exec, kms_exec_start, run

PRINT_ENV = ["/usr/bin/env", "-0"]
# Names that would make an SDK use another credential than the one of the lease (or none).
REMOVED = ["AWS_SECURITY_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE",
           "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
           "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
           "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME"]


def environment(output):
    """Name and value pairs, in order, duplicates kept."""
    return [tuple(entry.split("=", 1)) for entry in output.split("\0") if entry]


def test_environment_of_an_iam_user(agent):
    result = kms_exec(agent, "-s", "app", "--", *PRINT_ENV)
    assert result.returncode == 0 and result.stderr == "", "silent on success"
    env = dict(environment(result.stdout))
    assert env["AWS_ACCESS_KEY_ID"].startswith("AKIA")
    assert "AWS_SESSION_TOKEN" not in env and "AWS_CREDENTIAL_EXPIRATION" not in env
    assert env["AWS_REGION"] == env["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert env["AWS_ACCOUNT_ID"] == agent.cloud.account_id
    assert env["AWS_EC2_METADATA_DISABLED"] == "true" and env["KMS_LEASE_ID"]


def test_environment_of_a_session(agent):
    result = kms_exec(agent, "-s", "session", "--", *PRINT_ENV)
    env = dict(environment(result.stdout))
    assert result.returncode == 0, result.stderr
    assert env["AWS_ACCESS_KEY_ID"].startswith("ASIA") and env["AWS_SESSION_TOKEN"]
    assert env["AWS_CREDENTIAL_EXPIRATION"] == env["AWS_SESSION_EXPIRATION"]
    credential = {"access_key_id": env["AWS_ACCESS_KEY_ID"], "secret_access_key": env["AWS_SECRET_ACCESS_KEY"],
                  "session_token": env["AWS_SESSION_TOKEN"]}
    assert identity(agent.cloud, credential).startswith("arn:aws:")


def test_environment_hygiene_with_duplicates(agent):
    """The old values are gone, every copy of them; all else is untouched. Duplicates need execve by hand."""
    given = [f"{name}=stale-{number}" for name in (*REMOVED, "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION",
                                                   "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION",
                                                   "AWS_DEFAULT_REGION", "AWS_ACCOUNT_ID", "KMS_LEASE_ID")
             for number in (1, 2)]
    given += ["KEPT=one", "AWS_PAGER=", "AWS_CA_BUNDLE=/kept", f"KMS_AGENT_SOCKET={agent.socket}", "PATH=/usr/bin:/bin"]
    code = ("import ctypes, sys, json\n"
            "env, argv = json.loads(sys.argv[1]), [word.encode() for word in sys.argv[2:]]\n"
            "def array(words): return (ctypes.c_char_p * (len(words) + 1))(*words, None)\n"
            "ctypes.CDLL(None).execve(argv[0], array(argv), array([entry.encode() for entry in env]))\n")

    result = run(["/usr/bin/python3", "-c", code, json.dumps(given), KMS_EXEC, "-s", "app", "--", *PRINT_ENV])
    assert result.returncode == 0, result.stderr
    pairs = environment(result.stdout)
    assert "stale" not in result.stdout
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), "no name twice"
    assert not set(names) & set(REMOVED)
    assert ("KEPT", "one") in pairs and ("AWS_PAGER", "") in pairs and ("AWS_CA_BUNDLE", "/kept") in pairs


def test_pid_is_kept(agent):
    process = kms_exec_start(agent, "-s", "app", "--", "/bin/sh", "-c", "echo $$")
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert int(output) == process.pid


@pytest.mark.parametrize("code", [0, 1, 7, 125, 255])
def test_exit_status_of_the_command(agent, code):
    assert kms_exec(agent, "-s", "app", "--", "/bin/sh", "-c", f"exit {code}").returncode == code


def test_command_not_found(agent):
    result = kms_exec(agent, "-s", "app", "--", "no-such-command")
    assert result.returncode == 127 and "no-such-command" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    agent.wait_no_users()


def test_command_not_executable(agent):
    path = agent.write_file("plain.txt", "text\n")
    result = kms_exec(agent, "-s", "app", "--", path)
    assert result.returncode == 126 and path in result.stderr
    agent.wait_no_users()


def test_agent_not_running(tmp_path):
    result = run([KMS_EXEC, "--socket", str(tmp_path / "none.sock"), "-s", "app", "--", "true"])
    assert result.returncode == 125
    assert "none.sock" in result.stderr and len(result.stderr.splitlines()) <= 2


@pytest.mark.parametrize("arguments", [["--no-such-option"], [], ["-t", "nonsense", "--", "true"],
                                       ["-s", "nix", "--", "true"]])
def test_own_failure(agent, arguments):
    result = kms_exec(agent, *arguments)
    assert result.returncode == 125 and result.stderr
    assert agent.cloud.users() == {}


def test_secret_from_the_environment(agent):
    result = kms_exec(agent, "--", *PRINT_ENV, env=agent_env(agent, KMS_SECRET="app"))
    assert result.returncode == 0, result.stderr
    result = kms_exec(agent, "--", "true")
    assert result.returncode == 125, "two secrets, and none is named"
    assert "app" in result.stderr and "session" in result.stderr


def test_only_secret_needs_no_name(make_agent):
    agent = make_agent(start=False)
    del agent.secrets["session"]
    agent.write_config()
    agent.start()
    assert kms_exec(agent, "true").returncode == 0


def test_user_lives_while_the_command_runs_and_is_gone_after(agent):
    process = kms_exec_start(agent, "-s", "app", "--", "/bin/sh", "-c", "echo ready; read line", stdin=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    users = agent.cloud.users()
    leases = agent.leases()
    process.communicate("line\n", 30)
    assert process.returncode == 0
    assert len(users) == 1 and len(leases) == 1 and leases[0]["bound"] is True
    agent.wait_no_users()
    agent.wait_lease(leases[0]["lease_id"], "revoked")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_signals_reach_the_command(agent, number):
    # A test run in the background of a shell without job control ignores SIGINT, and kms-exec would pass that on.
    process = kms_exec_start(agent, "-s", "app", "--", "/bin/sh", "-c", "echo ready; exec sleep 60",
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert process.wait(10) == -number
    process.communicate()
    agent.wait_no_users()


def test_keep_leaves_the_lease(agent):
    result = kms_exec(agent, "-s", "app", "--keep", "-t", "600", "--", "/bin/sh", "-c", "echo $KMS_LEASE_ID")
    assert result.returncode == 0, result.stderr
    time.sleep(1)
    lease = agent.call("lease.get", lease_id=result.stdout.strip())
    assert lease["state"] == "active" and lease["bound"] is False
    assert len(agent.cloud.users()) == 1


def test_child_that_lives_on_does_not_keep_the_lease(agent):
    result = kms_exec(agent, "-s", "app", "--", "/bin/sh", "-c", "sleep 20 >/dev/null 2>&1 </dev/null &")
    assert result.returncode == 0
    agent.wait_no_users()


def test_bound_lease_is_renewed_while_the_command_runs(agent):
    """TTL 70 s: renewed with half of it to spare, so the end moves within 40 s."""
    process = kms_exec_start(agent, "-s", "app", "-t", "70", "--", "/bin/sh", "-c", "echo ready; exec sleep 90")
    assert process.stdout.readline() == "ready\n"
    first = agent.leases()[0]["expires_at"]
    end = time.monotonic() + 50
    while agent.leases()[0]["expires_at"] == first and time.monotonic() < end:
        time.sleep(0.5)
    renewed = agent.leases()[0]["expires_at"]
    agent.wait_log("lease renewed, its process lives")  # comes after the record
    process.kill()
    process.communicate()
    assert renewed > first
    assert agent.log().count("lease renewed, its process lives") == 1
    agent.wait_no_users()


def test_script_without_interpreter_line(agent):
    path = agent.write_file("script", "echo \"$AWS_REGION $1\"\n")
    os.chmod(path, 0o700)
    result = kms_exec(agent, "-s", "app", "--", path, "word")
    assert result.returncode == 0 and result.stdout == "eu-west-1 word\n", result.stderr


def test_relative_names_and_path(agent):
    os.mkdir(f"{agent.path}/bin")
    path = agent.write_file("bin/tool", "#!/bin/sh\necho found\n")
    os.chmod(path, 0o700)
    env = agent_env(agent)
    env["PATH"] = f"/nonexistent:{agent.path}/bin:/usr/bin:/bin"
    assert kms_exec(agent, "-s", "app", "--", "tool", env=env).stdout == "found\n"
    assert kms_exec(agent, "-s", "app", "--", "./tool", cwd=f"{agent.path}/bin").stdout == "found\n"


def run_raw(agent, setup, command):
    """kms-exec behind a shell that prepares descriptors; the shell's own descriptors stay out of it."""
    return run(["/bin/bash", "-c", f'{setup} exec "$0" "$@"' if not setup.startswith("exec") else f'{setup}; exec "$0" "$@"',
                KMS_EXEC, "-s", "app", "--", *command], agent_env(agent))


def test_descriptors_pass_through(agent):
    path = agent.write_file("passed", "hello\n")
    result = run_raw(agent, f"exec 7<{path}", ["/bin/sh", "-c", "cat <&7; ls /proc/self/fd | sort -n | tr '\\n' ' '"])
    assert result.returncode == 0, result.stderr
    text, fds = result.stdout.splitlines()
    assert text == "hello"
    # 3 is what ls opened for itself; nothing of kms-exec is left.
    assert fds.split() in (["0", "1", "2", "3", "7"], ["0", "1", "2", "7", "8"]), fds


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_descriptors(agent, closed):
    """A descriptor that the caller closed must not become the agent's socket: errors would go there."""
    marker = f"{agent.path}/marker"
    result = run_raw(agent, f"exec {closed}", ["/bin/sh", "-c", f"ls -l /proc/$$/fd >{marker}"])
    assert result.returncode == 0
    with open(marker, encoding="utf-8") as file:
        assert "socket:" not in file.read()
    result = run_raw(agent, f"exec {closed}", ["no-such-command"])
    assert result.returncode == 127


def test_socket_activation_passes_through(agent):
    """LISTEN_PID names a PID and descriptors start at 3: both only work after a real execve without a leak at 3."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{agent.path}/passed.sock")
    listener.listen()
    code = ("import os, socket\n"
            "assert os.environ['LISTEN_PID'] == str(os.getpid()), os.environ['LISTEN_PID']\n"
            "print(socket.socket(fileno=3).getsockname())\n")

    def prepare():
        os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)

    env = agent_env(agent, LISTEN_FDS="1", LISTEN_FDNAMES="web")
    result = subprocess.run(["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$0" "$@"', KMS_EXEC, "-s", "app", "--",
                             "/usr/bin/python3", "-c", code], env=env, preexec_fn=prepare, close_fds=False,
                            capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == f"{agent.path}/passed.sock"


def test_ignored_signals_and_mask_pass_through(agent):
    def prepare():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])

    result = kms_exec(agent, "-s", "app", "--", "/bin/grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status",
                      preexec_fn=prepare, restore_signals=False)
    values = {line.split(":")[0]: int(line.split()[1], 16) for line in result.stdout.splitlines()}
    assert values["SigBlk"] & 1 << (signal.SIGUSR1 - 1)
    assert values["SigIgn"] & 1 << (signal.SIGHUP - 1)


def test_formats(agent):

    result = kms_exec(agent, "-s", "session", "--format", "credential-process")
    answer = json.loads(result.stdout)
    assert answer["Version"] == 1 and set(answer) >= {"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}
    assert result.stderr == ""
    assert json.loads(kms_exec(agent, "-s", "session", "--format", "json").stdout)["access_key_id"].startswith("ASIA")
    refused = kms_exec(agent, "-s", "app", "--format", "json")
    assert refused.returncode == 125 and "--keep" in refused.stderr
    assert agent.cloud.users() == {}


def test_no_secret_in_arguments(agent):
    process = kms_exec_start(agent, "-s", "app", "--", "/bin/sh", "-c", "echo ready; exec sleep 5")
    assert process.stdout.readline() == "ready\n"
    end, arguments = time.monotonic() + 5, b""
    while not arguments.startswith(b"sleep") and time.monotonic() < end:  # the shell execs after its line
        with open(f"/proc/{process.pid}/cmdline", "rb") as file:
            arguments = file.read()
    process.kill()
    process.communicate()
    assert arguments.startswith(b"sleep") and not any(s.encode() in arguments for s in agent.cloud.canaries())
