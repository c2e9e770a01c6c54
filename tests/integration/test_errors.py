# SPDX-License-Identifier: Apache-2.0
"""One clear error each, and the agent goes on."""
import glob
import json
import os
import struct
import subprocess

import msgpack
import pytest

from agent import AGENTD, clean_env
from cli import run
from rpc import RpcError

HERE = os.path.dirname(os.path.abspath(__file__))
STRANGER = 12345


def as_stranger(agent, method, params):
    """One request by a user that no rule names; returns {"error": …} or {"result": …}."""
    with open(os.path.join(HERE, "rpc.py"), encoding="utf-8") as file:
        code = file.read()
    code += f"""
import json
with Rpc({agent.socket!r}) as rpc:
    try:
        print(json.dumps({{"result": rpc.call({method!r}, **{params!r})}}))
    except RpcError as error:
        print(json.dumps({{"error": error.error}}))
"""
    result = subprocess.run(["/usr/bin/setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups",
                             "/usr/bin/python3", "-c", code], env=clean_env(), cwd="/", capture_output=True,
                            text=True, timeout=30, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def still_serves(agent):
    assert agent.alive()
    assert agent.call("agent.status")


@pytest.mark.root
@pytest.mark.parametrize("secret", ["app", "session", "no-such-secret"])
def test_stranger_gets_nothing(agent, secret):
    answer = as_stranger(agent, "lease.issue", {"secret": secret})
    assert answer["error"]["code"] == "not_allowed"
    assert agent.cloud.users() == {} and agent.cloud.calls("GetSessionToken") == []
    still_serves(agent)


@pytest.mark.root
def test_denial_does_not_tell_what_exists(agent):
    """A configured secret and one that is not look alike to somebody without a right to either."""
    errors = [as_stranger(agent, "lease.issue", {"secret": name})["error"] for name in ("app", "nix")]
    assert errors[0]["message"].replace("app", "nix") == errors[1]["message"]


@pytest.mark.root
def test_lease_id_is_no_authority(agent):
    lease = agent.call("lease.issue", secret="app")
    for method in ("lease.get", "lease.renew", "lease.revoke"):
        answer = as_stranger(agent, method, {"lease_id": lease["lease_id"]})
        never = as_stranger(agent, method, {"lease_id": "01890000-0000-7000-8000-000000000000"})
        assert answer["error"]["code"] == never["error"]["code"] == "no_such_lease"
    assert as_stranger(agent, "lease.list", {})["result"]["leases"] == []
    assert agent.call("lease.get", lease_id=lease["lease_id"])["state"] == "active"


@pytest.mark.root
def test_admin_methods_are_for_admins(agent):
    assert as_stranger(agent, "agent.reload", {})["error"]["code"] == "not_allowed"
    assert "result" in as_stranger(agent, "agent.status", {})


def test_unknown_method(agent, rpc):
    with pytest.raises(RpcError) as caught:
        rpc.call("lease.isue", secret="app")
    assert caught.value.code == "unknown_method"
    assert rpc.call("agent.status"), "the connection goes on"


@pytest.mark.parametrize("method,params", [
    ("lease.issue", {"secret": "app", "tll_s": 60}), ("lease.get", {"lease": "x"}), ("lease.list", {"limt": 1}),
    ("agent.status", {"verbose": True})])
def test_unknown_parameter(agent, rpc, method, params):
    with pytest.raises(RpcError) as caught:
        rpc.call(method, **params)
    assert caught.value.code == "invalid_request"
    wrong = [name for name in params if name != "secret"][0]
    assert wrong in caught.value.message
    assert rpc.call("agent.status")
    assert agent.cloud.users() == {}


@pytest.mark.parametrize("params", [
    {"secret": 7}, {"secret": "app", "ttl_s": "60"}, {"secret": "app", "ttl_s": -1}, {"secret": "app", "ttl_s": 0},
    {"secret": "app", "ttl_s": 1 << 62}, {"secret": "app", "bind": 1}, {}, {"secret": ""}, {"secret": "a" * 4096}])
def test_bad_parameter(agent, rpc, params):
    with pytest.raises(RpcError) as caught:
        rpc.call("lease.issue", **params)
    assert caught.value.code in ("invalid_request", "invalid_ttl", "not_allowed")
    assert rpc.call("agent.status")
    assert agent.cloud.users() == {}


def test_truncated_message(agent):
    whole = msgpack.packb([0, 1, "agent.status", []])
    with agent.rpc() as rpc:
        rpc.send_bytes(whole[:-3])
        assert rpc.closed_within(8), "a message must be complete within 5 s"
    still_serves(agent)


def test_message_in_small_pieces(agent):
    with agent.rpc() as rpc:
        for byte in msgpack.packb([0, 1, "agent.status", []]):
            rpc.send_bytes(bytes([byte]))
        assert rpc.receive()[0] == 1


@pytest.mark.parametrize("name,data", [
    ("string", b"\x94\x00\x07\xdb" + struct.pack(">I", 1 << 20)),
    ("array", b"\x94\x00\x07\xa1x\xdd" + struct.pack(">I", 0xffffffff)),
    ("map", b"\x94\x00\x07\xa1x\x91\xdf" + struct.pack(">I", 0xffffffff)),
    ("sum", b"\x94\x00\x07\xa1x\x91\xde\x00\x20" + b"".join(
        bytes([0xa3]) + f"k{n:02}".encode() + b"\xda\x0f\xff" + b"v" * 4095 for n in range(32)))])
def test_oversized_message(agent, name, data):
    """Sizes are judged from headers, so nobody has to send the bytes to be refused."""
    with agent.rpc() as rpc:
        try:
            rpc.send_bytes(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            msgid, error, _ = rpc.receive()
            assert msgid == 7 and error["code"] in ("too_large", "invalid_request")
        except ConnectionResetError:
            assert name == "sum", "bytes that were under way when the agent closed"
        assert rpc.closed_within(3)
    still_serves(agent)


@pytest.mark.parametrize("data", [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x93\x00\x01\xa1x", b"\xc1", b"{}\n", b"\x00" * 64,
    b"\x94\x00\x01\xac" + b"agent.status" + b"\x91\x81\xa1a\xcb" + b"\0" * 8,
    b"\x94\x00\x01\xac" + b"agent.status" + b"\x91\x82\xa1a\x01\xa1a\x02",
    b"\x94\x00\x01\xa2\xff\xfe\x90", b"\x94" * 64])
def test_malformed_message(agent, data):
    with agent.rpc() as rpc:
        rpc.send_bytes(data)
        assert rpc.closed_within(3)
    still_serves(agent)


def test_seventeenth_request_is_busy(agent):
    agent.cloud.fault(action="CreateUser", kind="delay", ms=1500, count=16)
    with agent.rpc() as rpc:
        ids = [rpc.send("lease.issue", {"secret": "app"}) for _ in range(17)]
        answers = {}
        while len(answers) < 17:
            msgid, error, result = rpc.receive()
            answers[msgid] = (error, result)
    assert answers[ids[16]][0]["code"] == "busy"
    assert all(answers[msgid][0] is None for msgid in ids[:16])


def check(agent):
    """kms-agentd --check of all its files: the exit status and what it says."""
    files = [agent.config, *sorted(glob.glob(f"{agent.path}/secrets.d/*.conf"))]
    result = run([AGENTD, "--check", *files], clean_env(CREDENTIALS_DIRECTORY=f"{agent.path}/credentials"))
    return result.returncode, result.stdout + result.stderr


def test_config_with_a_typo(make_agent):
    agent = make_agent(start=False)
    agent.secrets["app"]["defualt_ttl"] = "1h"
    agent.write_config()
    status, text = check(agent)
    assert status != 0 and "app.conf:" in text and "defualt_ttl" in text and "default_ttl" in text
    agent.start(wait=False)
    assert agent.wait() != 0
    assert "defualt_ttl" in agent.log() and "did you mean" in agent.log()


def test_good_config_checks(make_agent):
    status, text = check(make_agent(start=False))
    assert status == 0, text


def test_reload_of_a_typo_keeps_the_old_configuration(agent, rpc):
    good = open(f"{agent.path}/secrets.d/app.conf", encoding="utf-8").read()
    agent.write_file("secrets.d/app.conf", good.replace("max_ttl", "mx_ttl"))
    agent.reload()
    assert "mx_ttl" in agent.log()
    assert rpc.call("lease.issue", secret="app")["granted_ttl_s"] == 3600
    with pytest.raises(RpcError) as caught:
        rpc.call("agent.reload")
    assert caught.value.code == "config_invalid" and "app.conf:" in caught.value.message
    agent.write_file("secrets.d/app.conf", good)
    rpc.call("agent.reload")


@pytest.mark.root
def test_config_that_others_can_write(make_agent):
    agent = make_agent(start=False)
    os.chmod(f"{agent.path}/secrets.d/app.conf", 0o666)
    status, text = check(agent)
    assert status != 0 and "app.conf" in text and "writ" in text


def test_second_agent_ends(agent):
    result = run([AGENTD, "--config", agent.config], clean_env(CREDENTIALS_DIRECTORY=f"{agent.path}/credentials"),
                 timeout_s=10)
    assert result.returncode != 0 and agent.state in result.stderr
    still_serves(agent)


def test_denied_by_aws_names_the_action(agent, rpc):
    agent.cloud.policy({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["sts:*"], "Resource": "*"}]})
    with pytest.raises(RpcError) as caught:
        rpc.call("lease.issue", secret="app")
    assert caught.value.code == "aws_denied" and caught.value.error["aws_code"] == "AccessDenied"
    assert "CreateUser" in caught.value.message
    assert agent.cloud.users() == {}
