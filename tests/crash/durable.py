# SPDX-License-Identifier: Apache-2.0
"""A client never gets a secret that is not durable: in the system calls of the agent, between CreateAccessKey's answer
and the first byte of the reply, the store's data were synced and its new root was written with O_DSYNC."""
import tempfile
import time

import straced
from points import Failed, discard, make_agent, start

RECORDS_MAX = 3


def mints(record, store_tids):
    """Of each reply that holds a key: (when CreateAccessKey was answered, what the store did, when the reply began)."""
    calls = sorted((call for tid, calls in record.items() for call in calls), key=lambda call: call.begin)
    store = sorted((call for tid in store_tids for call in record.get(tid, [])), key=lambda call: call.begin)
    answered = None
    for call in calls:
        if call.name == "recvfrom" and "CreateAccessKeyResponse" in call.arguments:
            answered = call.end
        elif call.name in ("write", "writev", "sendto", "sendmsg") and "lease_id" in call.arguments and \
                "TCP" not in call.arguments and answered is not None:
            yield answered, [c for c in store if answered <= c.begin and c.end <= call.begin], call.begin
            answered = None


def record_mints(agent, count):
    """The system calls of that many mints, by thread, and the store's threads."""
    roles = straced.threads(agent.pid)
    with tempfile.TemporaryDirectory() as scratch:
        with straced.recording([tid for tids in roles.values() for tid in tids], f"{scratch}/t"):
            for _ in range(count):
                agent.call("lease.issue", secret="quick")
            time.sleep(0.3)
        return straced.read_record(f"{scratch}/t"), roles["store"]


def count_orderly(record, store_tids):
    """How many mints of a record are in order; raises Failed for one that is not."""
    seen = 0
    for answered, work, began in mints(record, store_tids):
        synced = [c.end for c in work if c.name in ("fdatasync", "fsync") and not c.failed]
        if not synced or not any(c.name.startswith("pwrite") and c.begin >= min(synced) for c in work):
            raise Failed(f"a reply began {began - answered:.6f} s after CreateAccessKey; meanwhile the store did "
                         f"{[c.name for c in work]}")
        seen += 1
    return seen


def check_mints(cloud, count):
    """How many mints were seen to be in order; raises Failed for one that was not, or was not seen. On a busy host a
    record may lack a call (a thread that began while strace attached): it is made anew, twice at most."""
    agent = make_agent(cloud)
    try:
        start(agent)
        for _ in range(RECORDS_MAX):
            seen = count_orderly(*record_mints(agent, count))
            if seen == count:
                return seen
        raise Failed(f"{count} mints, but {seen} are in the record")
    finally:
        agent.stop()
        discard(agent)
