# SPDX-License-Identifier: Apache-2.0
"""Faults: each kind, what was applied, and what the client saw."""

import http.client
import subprocess
import threading
import time
from email.utils import parsedate_to_datetime

import pytest
from botocore.exceptions import ClientError

from cloud_helpers import Raw, document, allow, refused

GONE = (ConnectionError, http.client.HTTPException)


def create(cloud, name="bob"):
    return Raw(cloud, "CreateUser", UserName=name).send()


def test_nth_and_count(cloud):
    cloud.fault("CreateUser", "error", nth=2, count=2)
    assert [create(cloud, f"u{n}").status for n in range(4)] == [200, 400, 400, 200]
    assert list(cloud.users()) == ["u0", "u3"]
    assert [(fault["seen"], fault["fired"]) for fault in cloud.faults()] == [(4, 2)]
    assert [call["applied"] for call in cloud.calls("CreateUser")] == [True, False, False, True]


def test_other_actions_are_not_hit_and_clear(cloud):
    cloud.fault("CreateUser", "error", count=-1)
    assert Raw(cloud, "GetUser").send().status == 200
    assert create(cloud).code == "Throttling" and create(cloud).message == "Rate exceeded"
    cloud.clear_faults()
    assert create(cloud).status == 200


def test_two_faults_of_one_action_fire_one_after_the_other(cloud):
    cloud.fault("CreateUser", "status", code=500)
    cloud.fault("CreateUser", "status", code=503)
    assert [create(cloud).status for _ in range(3)] == [500, 503, 200]


@pytest.mark.parametrize("code", [500, 503])
def test_status(cloud, code):
    cloud.fault("*", "status", code=code)
    answer = create(cloud)
    assert answer.status == code and answer.code and cloud.users() == {}
    cloud.fault("*", "status", code=code, xml=False)
    assert (create(cloud).status, create(cloud).status) == (code, 200)


def test_error_of_choice(cloud, iam):
    cloud.fault("CreateUser", "error", code="ConcurrentModification", message="again", status=409)
    with refused("ConcurrentModification", 409, "again"):
        iam.create_user(UserName="bob")


@pytest.mark.parametrize("reset", [False, True])
def test_cut_before_and_after(cloud, reset):
    cloud.fault("CreateUser", "cut_before", reset=reset)
    with pytest.raises(GONE):
        create(cloud)
    assert cloud.users() == {}
    cloud.fault("CreateUser", "cut_after", reset=reset)
    with pytest.raises(GONE):
        create(cloud)
    assert list(cloud.users()) == ["bob"]
    assert [(call["applied"], call["answered"]) for call in cloud.calls("CreateUser")] == [
        (False, False),
        (True, False),
    ]


@pytest.mark.parametrize("kind", ["delay", "delay_after"])
def test_delay(cloud, kind):
    cloud.fault("CreateUser", kind, ms=300)
    result = []
    thread = threading.Thread(target=lambda: result.append(create(cloud)))
    start = time.monotonic()
    thread.start()
    cloud.wait_for_call("CreateUser")
    assert (list(cloud.users()) == ["bob"]) == (kind == "delay_after")
    thread.join()
    assert result[0].status == 200 and time.monotonic() - start >= 0.3


@pytest.mark.parametrize("kind", ["hang_before", "hang_after"])
def test_hang_until_released(cloud, kind):
    cloud.fault("CreateUser", kind)
    result = []
    thread = threading.Thread(target=lambda: result.append(create(cloud)))
    thread.start()
    cloud.wait_for_call("CreateUser")
    time.sleep(0.1)
    assert result == [] and (list(cloud.users()) == ["bob"]) == (kind == "hang_after")
    assert cloud.request("GET", "faults")["hanging"] == 1
    cloud.clear_faults()
    thread.join(5)
    assert result[0].status == 200 and list(cloud.users()) == ["bob"]


def test_a_call_that_hung_before_is_not_applied_once_its_client_is_gone(cloud):
    cloud.fault("CreateUser", "hang_before")
    request = Raw(cloud, "CreateUser", UserName="bob")
    connection = http.client.HTTPConnection("127.0.0.1", cloud.port)
    connection.request("POST", "/", request.body, request.headers)
    cloud.wait_for_call("CreateUser")
    connection.close()
    time.sleep(0.1)
    cloud.clear_faults()
    assert cloud.users() == {}


def test_answer_then_close(cloud):
    cloud.fault("GetUser", "close_after")
    request = Raw(cloud, "GetUser")
    connection = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=5)
    connection.request("POST", "/", request.body, request.headers)
    answer = connection.getresponse()
    assert answer.status == 200 and answer.read() and answer.headers["Connection"] is None
    assert connection.sock.recv(1) == b""
    connection.close()


@pytest.mark.parametrize("when", ["before", "after"])
def test_kill(cloud, when):
    with subprocess.Popen(["sleep", "60"]) as victim:
        cloud.fault("CreateUser", "kill", pid=victim.pid, when=when)
        with pytest.raises(GONE):
            create(cloud)
        assert victim.wait(5) == -9
    assert (list(cloud.users()) == ["bob"]) == (when == "after")


def test_kill_by_pid_file(cloud, tmp_path):
    with subprocess.Popen(["sleep", "60"]) as victim:
        (tmp_path / "pid").write_text(f"{victim.pid}\n")
        cloud.fault("CreateUser", "kill", pid_file=str(tmp_path / "pid"), signal=15)
        with pytest.raises(GONE):
            create(cloud)
        assert victim.wait(5) == -15


def test_bad_xml_and_html(cloud):
    cloud.fault("CreateUser", "bad_xml")
    answer = create(cloud)
    assert (
        answer.status == 200
        and not answer.body.rstrip().endswith(b">")
        and list(cloud.users()) == ["bob"]
    )
    cloud.fault("GetUser", "garbage_html")
    answer = Raw(cloud, "GetUser").send()
    assert answer.status == 502 and answer.body.startswith(b"<html>")


def test_date_that_is_off(cloud):
    cloud.fault("GetUser", "date", offset_s=-7200, count=1)
    dates = [
        parsedate_to_datetime(Raw(cloud, "GetUser", UserName="none").send().headers["Date"])
        for _ in range(2)
    ]
    assert 7195 < (dates[1] - dates[0]).total_seconds() < 7205


def test_other_root(cloud, iam):
    cloud.fault("*", "other_root", count=2)
    answer = Raw(cloud, "GetUser", UserName="none").send()
    assert (
        answer.status == 404
        and b"<Response><Errors><Error><Code>NoSuchEntity</Code>" in answer.body
    )
    with refused("NoSuchEntity", 404):
        iam.get_user(UserName="none")
    answer = Raw(cloud, "GetUser", UserName="none").send()
    assert b'<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">' in answer.body
    answer = Raw(cloud, "GetSessionToken", "sts", DurationSeconds="1").send()
    assert b'<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">' in answer.body


def test_match_and_service(cloud, sts):
    cloud.fault("CreateUser", "error", match={"UserName": "eve"}, count=-1)
    cloud.fault("*", "error", service="sts", code="IDPCommunicationError")
    assert create(cloud, "bob").status == 200 and create(cloud, "eve").status == 400
    with pytest.raises(ClientError):
        sts.get_caller_identity()


def test_probability_is_seeded(cloud):
    def run():
        cloud.fault("GetUser", "error", probability=0.5, count=-1, seed=7)
        statuses = [Raw(cloud, "GetUser").send().status for _ in range(40)]
        cloud.clear_faults()
        return statuses

    first = run()
    assert first == run() and 5 < first.count(400) < 35


def test_wrong_fault_is_refused(cloud):
    from client import CloudError

    for spec in (
        {"kind": "nonsense"},
        {"kind": "kill"},
        {"kind": "kill", "pid": 1},
        {"kind": "error", "nht": 2},
    ):
        with pytest.raises(CloudError):
            cloud.request("POST", "faults", {"faults": [spec]})


def test_away(cloud):
    port = cloud.port
    cloud.away(0.4)
    time.sleep(0.1)
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.1", port, timeout=5).connect()
    time.sleep(0.6)
    assert Raw(cloud, "GetUser").send().status == 200


def test_pause_is_a_black_hole(cloud):
    cloud.pause()
    try:
        request = Raw(cloud, "GetUser")
        connection = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=0.3)
        connection.request("POST", "/", request.body, request.headers)
        with pytest.raises(TimeoutError):
            connection.getresponse()
    finally:
        cloud.resume()
    assert Raw(cloud, "GetUser").send().status == 200


def test_throttle(cloud):
    cloud.throttle(rate=0.001, burst=3)
    answers = [Raw(cloud, "GetUser").send() for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 200, 400, 400]
    assert answers[4].code == "Throttling"
    assert Raw(cloud, "GetCallerIdentity", "sts").send().status == 200
    cloud.throttle(None)
    assert Raw(cloud, "GetUser").send().status == 200


def test_lag_of_users(cloud, iam):
    cloud.lag(users_s=30)
    iam.create_user(UserName="bob", Path="/p/")
    text = document(allow("s3:*"))
    for call in (
        lambda: iam.get_user(UserName="bob"),
        lambda: iam.create_access_key(UserName="bob"),
        lambda: iam.put_user_policy(UserName="bob", PolicyName="p", PolicyDocument=text),
        lambda: iam.delete_user(UserName="bob"),
    ):
        with refused("NoSuchEntity", 404):
            call()
    assert iam.list_users(PathPrefix="/p/")["Users"] == []
    with refused("EntityAlreadyExists", 409):
        iam.create_user(UserName="bob")
    cloud.lag(users_s=0)
    iam.get_user(UserName="bob")


def test_lag_ends_by_itself(cloud, iam):
    cloud.lag(users_s=0.3)
    iam.create_user(UserName="bob")
    with refused("NoSuchEntity", 404):
        iam.get_user(UserName="bob")
    time.sleep(0.35)
    iam.get_user(UserName="bob")
    cloud.lag(users_s=300, clock="cloud")
    iam.create_user(UserName="eve")
    with refused("NoSuchEntity", 404):
        iam.get_user(UserName="eve")
    cloud.clock(301)
    iam.get_user(UserName="eve")


def test_lag_of_keys(cloud, iam, aws):
    cloud.lag(keys_s=30, deleted_keys_s=30, key_lists_s=30)
    iam.create_user(UserName="bob")
    key = iam.create_access_key(UserName="bob")["AccessKey"]
    client = aws.client("sts", key)
    with refused("InvalidClientTokenId", 403):
        client.get_caller_identity()
    assert iam.list_access_keys(UserName="bob")["AccessKeyMetadata"] == []
    cloud.lag(keys_s=0, key_lists_s=0)
    client.get_caller_identity()
    assert len(iam.list_access_keys(UserName="bob")["AccessKeyMetadata"]) == 1
    iam.delete_access_key(UserName="bob", AccessKeyId=key["AccessKeyId"])
    client.get_caller_identity()
    cloud.lag(deleted_keys_s=0)
    with refused("InvalidClientTokenId", 403):
        client.get_caller_identity()
