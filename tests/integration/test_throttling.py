# SPDX-License-Identifier: Apache-2.0
"""AWS throttles: half of all calls, or all beyond half of our rate. Nothing is done twice for it, waits are spread, and
what must die goes before what is made."""
import statistics
import time
from datetime import datetime

from rpc import RpcError
from trouble import wait_until

LEASES = 12


def moment(call):
    return datetime.fromisoformat(call["wall"].replace("Z", "+00:00")).timestamp()


def iam_calls(cloud, since=0):
    return [call for call in cloud.log(since) if call["action"] != "GetCallerIdentity"]


def issue_and_revoke(agent, cloud, count):
    """The calls it took."""
    mark = cloud.mark()
    with agent.rpc(timeout_s=180) as rpc:
        asked = [rpc.send("lease.issue", {"secret": "app"}) for _ in range(count)]
        leases = [rpc.wait(number) for number in asked]
        asked = [rpc.send("lease.revoke", {"lease_id": lease["lease_id"]}) for lease in leases]
        for number in asked:
            try:
                rpc.wait(number)
            except RpcError as error:  # the agent goes on with it
                assert error.code == "aws_throttled", error
    agent.wait_no_users(120)
    return iam_calls(cloud, mark)


def test_half_of_all_calls(agent, cloud):
    """Every call that AWS carries out is needed, and the attempts are 1.2 times the least at most: twice as many as
    succeed."""
    least = len(issue_and_revoke(agent, cloud, LEASES))
    cloud.fault("*", "error", code="Throttling", status=400, message="Rate exceeded", service="iam", count=-1,
                probability=0.5, seed=29)
    made = issue_and_revoke(agent, cloud, LEASES)
    done = [call for call in made if call["error_code"] != "Throttling"]
    print(f"{least} calls without throttling; with it {len(made)}, {len(done)} of them carried out")
    assert len(made) > 1.5 * least, "it did not throttle"
    assert len(done) <= 1.05 * least, "what was done is done again"
    assert len(made) <= 1.2 * 2 * least
    # Full jitter: the first retries of calls that were throttled once are spread over their range.
    waits = []
    for first, second in zip(made, made[1:]):
        same = [call for call in made if call["params"] == first["params"] and call["action"] == first["action"]]
        if first is same[0] and first["error_code"] == "Throttling" and len(same) > 1:
            waits.append(moment(same[1]) - moment(first))
    assert len(waits) >= 10
    assert statistics.pstdev(waits) > 0.04 and max(waits) - min(waits) > 0.15, sorted(waits)


def test_all_beyond_half_of_our_rate(make_agent, cloud):
    """The rate goes down to what AWS takes: few calls are wasted."""
    agent = make_agent(options={"iam_rate": 40.0})
    cloud.throttle(rate=20, burst=20)
    made = issue_and_revoke(agent, cloud, LEASES)
    refused = sum(call["error_code"] == "Throttling" for call in made)
    took = moment(made[-1]) - moment(made[0])
    print(f"{len(made)} calls in {took:.1f} s, {refused} of them throttled")
    assert refused >= 1, "it did not throttle"
    assert len(made) <= 1.2 * (len(made) - refused)
    assert (len(made) - refused) / took >= 8, "AWS takes 20 a second"


def test_revocations_before_mints(agent, cloud):
    """Ten calls a second for mints and revocations that come together: keys die first, and
    while there is clean-up mints have half of the calls at most."""
    held = [agent.call("lease.issue", secret="app") for _ in range(15)]
    agent.options["iam_rate"] = 10.0
    agent.write_config()
    agent.reload()
    time.sleep(1.2)
    mark = cloud.mark()
    with agent.rpc(timeout_s=120) as minting, agent.rpc(timeout_s=120) as rpc:
        for _ in range(12):
            minting.send("lease.issue", {"secret": "app"})
        for lease in held:
            rpc.send("lease.revoke", {"lease_id": lease["lease_id"]})
        keys = {lease["access_key_id"] for lease in held}
        wait_until(lambda: keys <= {call["params"]["AccessKeyId"] for call in cloud.calls("DeleteAccessKey")
                                    if call["error_code"] is None}, "all keys are dead", 60)
        names = {lease["username"] for lease in held}
        wait_until(lambda: len(names & set(cloud.users())) <= 3, "cleaned up", 110)
    log = iam_calls(cloud, mark)
    ours = [call["params"].get("UserName") in names for call in log]
    last_key = max(index for index, call in enumerate(log) if call["action"] == "DeleteAccessKey"
                   and call["error_code"] is None and call["params"]["AccessKeyId"] in keys)
    first_key = next(index for index, call in enumerate(log) if call["action"] == "DeleteAccessKey")
    phase_one, rest = ours[first_key:last_key + 1], ours[last_key + 1:]
    print(f"phase one: {phase_one.count(False)} of {len(phase_one)} calls are of mints; "
          f"after it {rest.count(False)} of {len(rest)}")
    assert phase_one.count(False) <= 0.5 * len(phase_one), "a burst is for all, then keys go first"
    assert rest.count(False) <= 0.55 * len(rest), "mints and clean-up share"
    assert rest.count(True) > 20
