# SPDX-License-Identifier: Apache-2.0
"""Many clients at once: no answer is lost, doubled or mixed up."""
import os
import threading

import pytest

CLIENTS = 64
BIG = 100_000


def crowd(agent, secret, each, **params):
    """CLIENTS threads with a connection each issue `each` leases, pipelined four deep; returns all answers."""
    answers, errors, lock = [], [], threading.Lock()

    def client(number):
        try:
            got = []
            with agent.rpc(timeout_s=300) as rpc:
                pending = []
                for index in range(each):
                    pending.append((index, rpc.send("lease.issue", {"secret": secret, **params(number, index)})))
                    if len(pending) == 4:
                        index, msgid = pending.pop(0)
                        got.append((number, index, rpc.wait(msgid)))
                got += [(number, index, rpc.wait(msgid)) for index, msgid in pending]
            with lock:
                answers.extend(got)
        except Exception as error:  # reported by the main thread
            with lock:
                errors.append(f"client {number}: {error!r}")

    params = params["params"]
    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(600)
    assert not errors, errors[:5]
    return answers


@pytest.fixture
def roomy(make_agent):
    return make_agent(options={"max_leases_per_uid": BIG, "mint_rate_per_uid": float(BIG), "iam_rate": float(BIG),
                               "sts_rate": float(BIG), "max_connections_per_uid": 256})


@pytest.mark.slow
def test_64_clients_100_sessions_each(roomy):
    """The TTL is the request's mark: an answer that went to another request would show another one."""
    roomy.stop()
    roomy.secrets["session"].update(share="none", max_leases=BIG)
    roomy.write_config()
    roomy.start()

    def mark(number, index):
        return {"ttl_s": 900 + number * 100 + index}

    answers = crowd(roomy, "session", 100, params=mark)
    assert len(answers) == CLIENTS * 100
    for number, index, lease in answers:
        assert lease["requested_ttl_s"] == 900 + number * 100 + index, "an answer of another request"
    for field in ("lease_id", "access_key_id", "session_token"):
        assert len({lease[field] for _, _, lease in answers}) == len(answers), f"{field} twice"
    assert len(roomy.cloud.calls("GetSessionToken")) == len(answers)


@pytest.mark.slow
def test_64_clients_iam_users(roomy, cloud):
    roomy.stop()
    roomy.secrets["app"].update(max_leases=BIG)
    roomy.write_config()
    roomy.start()
    cloud.quotas(users=10_000)
    each = int(os.environ.get("KMS_CROWD", "8"))  # 100 takes a minute or more
    answers = crowd(roomy, "app", each, params=lambda number, index: {"ttl_s": 600 + number * 10 + index})
    assert len(answers) == CLIENTS * each
    users = cloud.users()
    assert {lease["username"] for _, _, lease in answers} == set(users)
    for number, index, lease in answers:
        assert lease["requested_ttl_s"] == 600 + number * 10 + index
        assert [key["id"] for key in users[lease["username"]]["keys"]] == [lease["access_key_id"]]
        assert users[lease["username"]]["tags"]["kms-lease-id"] == lease["lease_id"]
    with roomy.rpc(timeout_s=120) as rpc:
        while rpc.call("lease.revoke", secret="app", all=True).get("more"):
            pass
    roomy.wait_no_users(120)
