# SPDX-License-Identifier: Apache-2.0
"""What people run into: each gets one clear sentence in bounded time, and nothing is left behind."""
import os
import resource
import signal
import subprocess
import time

import pytest

from agent import AGENTD, KMS_EXEC, KMSCTL, clean_env
from cli import kms_exec, kmsctl
from methods import prepare, settings
from rpc import Rpc, RpcError


def test_connection_cap_says_why(make_agent):
    agent = make_agent(options={"max_connections_per_uid": 4})
    held = [Rpc(agent.socket) for _ in range(4)]
    result = kms_exec(agent, "-s", "app", "--", "true")
    assert result.returncode == 125
    assert "too many connections" in result.stderr and "max_connections_per_uid" in result.stderr
    for rpc in held:
        rpc.close()


def test_check_reads_the_drop_ins(agent):
    path = agent.write_file("secrets.d/zz.conf", 'secret: { zz: { metod = "access-key"; }; };\n')
    result = subprocess.run([AGENTD, "--check", agent.config], env=clean_env(), capture_output=True, text=True,
                            check=False)
    assert result.returncode == 1
    assert f"{path}:1:" in result.stderr and 'did you mean "method"' in result.stderr
    os.unlink(path)


def test_empty_configuration_is_no_configuration(agent):
    """An editor that truncates before it writes must not move the agent to the defaults."""
    with open(agent.config, encoding="utf-8") as file:
        text = file.read()
    agent.write_file("agent.conf", "")
    with pytest.raises(RpcError) as caught:
        agent.call("agent.reload")
    assert caught.value.code == "config_invalid" and "no agent section" in caught.value.message
    agent.write_file("agent.conf", text)
    assert agent.call("lease.issue", secret="app")["ready"] is False, "the old configuration is in force"


def test_reload_names_what_it_does_not_change(agent):
    agent.options["socket"] = agent.socket + "-other"
    agent.write_config()
    answer = agent.call("agent.reload")
    assert any("socket: takes effect when the agent starts again" in warning for warning in answer["warnings"])


@pytest.mark.parametrize("program", ["kms-exec", "kmsctl"])
def test_reader_that_went_away_leaves_no_user(agent, program):
    command = {"kms-exec": [KMS_EXEC, "--socket", agent.socket, "-s", "app", "--keep", "--format", "json"],
               "kmsctl": [KMSCTL, "--socket", agent.socket, "issue", "app", "--keep", "--json"]}[program]
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run(command, env=clean_env(), stdout=writer, stderr=subprocess.PIPE, text=True, check=False,
                             timeout=60)
    os.close(writer)
    assert process.returncode > 0 and "standard output" in process.stderr
    agent.wait_no_users()
    assert len(agent.cloud.calls("CreateUser")) == 1, "the test is about a lease that was made"


def test_ready_does_not_wait_for_a_stopped_agent(agent):
    agent.signal(signal.SIGSTOP)
    start = time.monotonic()
    try:
        assert kmsctl(agent, "ready").returncode == 1
    finally:
        agent.signal(signal.SIGCONT)
    assert time.monotonic() - start < 20


def test_few_descriptors(agent):
    result = subprocess.run([KMS_EXEC, "--socket", agent.socket, "-s", "app", "--", "true"], env=clean_env(),
                            capture_output=True, text=True, check=False,
                            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8)))
    assert result.returncode == 125 and "ulimit -n" in result.stderr


@pytest.mark.slow
def test_short_budget_finishes_what_it_began(make_agent):
    """More mints than iam_rate allows in time: some get their lease, the rest the agent's own sentence, and no call
    was spent on a mint that nobody received."""
    agent = make_agent(options={"iam_rate": 2.0})
    with Rpc(agent.socket, timeout_s=90) as one, Rpc(agent.socket, timeout_s=90) as two, \
            Rpc(agent.socket, timeout_s=90) as three, Rpc(agent.socket, timeout_s=90) as four:
        connections = [one, two, three, four]
        ids = [(rpc, rpc.send("lease.issue", {"secret": "app"})) for _ in range(16) for rpc in connections]
        got, errors = [], []
        for rpc, msgid in ids:
            try:
                got.append(rpc.wait(msgid))
            except RpcError as error:
                errors.append(error)
    assert got and errors
    assert all(error.code == "busy" and "iam_rate" in error.message for error in errors), errors[0]
    made = [call for call in agent.cloud.calls("CreateUser") if call["applied"]]
    assert len(made) <= len(got) + 2, "mints that had begun were not finished"


@pytest.mark.hooks
def test_time_that_runs_out_between_tries_tells_what_aws_said(agent, cloud):
    """A suspended host: the wait for the next try ends after the deadline of the request."""
    cloud.fault("GetSessionToken", "status", code=503, count=-1)
    client = agent.rpc()
    request = client.send("lease.issue", {"secret": "session"})
    cloud.wait_for_call("GetSessionToken", count=3, timeout_s=10)
    agent.pass_time(120)
    with pytest.raises(RpcError) as error:
        client.wait(request)
    assert error.value.code == "aws_unavailable" and "ServiceUnavailable" in error.value.message


SENTENCES = [("app", "CreateUser", "could not create the IAM user: "),
             ("app", "PutUserPolicy", "could not fence the IAM user: "),
             ("app", "AddUserToGroup", "could not add the IAM user to its groups: "),
             ("app", "AttachUserPolicy", "could not attach the managed policies to the IAM user: "),
             ("app", "CreateAccessKey", "could not create the access key: "),
             ("session", "GetSessionToken", "could not get a session: "),
             ("role", "AssumeRole", "could not assume arn:aws:iam::")]


@pytest.fixture
def broad(make_agent, cloud):
    """An agent whose secrets make every kind of call."""
    cloud.seed(groups=[{"name": "readers"}])
    agent = make_agent(start=False)
    prepare(agent, {"app": agent.iam_user(groups=["readers"], policy_arns=["arn:aws:iam::aws:policy/ReadOnlyAccess"]),
                    "session": agent.session(), "role": settings(agent, "assume-role", "iam-user")})
    return agent.start()


@pytest.mark.parametrize("secret,action,sentence", SENTENCES, ids=[action for _, action, _ in SENTENCES])
def test_errors_are_sentences(secret, action, sentence, broad, cloud):
    """Not the names of the agent's steps: what could not be done, then the call and AWS's reason."""
    cloud.wait_for_call("GetCallerIdentity", count=3)
    cloud.fault(action, "error", code="AccessDenied", message="no", status=403, count=-1)
    broad.restart()  # no session of the role is kept
    with pytest.raises(RpcError) as caught:
        broad.call("lease.issue", secret=secret)
    cloud.clear_faults()
    assert caught.value.message.startswith(sentence), caught.value.message
    assert caught.value.message.endswith(f"{action}: AccessDenied: no"), caught.value.message
    assert f'secret "{secret}": {sentence}' in broad.log()


def test_a_reason_that_is_a_sentence_stands_alone(make_agent):
    agent = make_agent()
    agent.secrets["app"]["max_leases"] = 1
    agent.write_config()
    agent.reload()
    agent.call("lease.issue", secret="app")
    with pytest.raises(RpcError) as caught:
        agent.call("lease.issue", secret="app")
    assert caught.value.code == "limit_reached" and caught.value.message.startswith("secret "), caught.value.message
