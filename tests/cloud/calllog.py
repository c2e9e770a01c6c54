# SPDX-License-Identifier: Apache-2.0
"""The ordered log of calls that tests read. No secret ever enters it."""

import sys
import time
import traceback

from clock import iso_ms

HIDDEN = {
    "Password",
    "WebIdentityToken",
    "SAMLAssertion",
    "TokenCode",
    "AuthenticationCode1",
    "AuthenticationCode2",
    "OldPassword",
    "NewPassword",
    "PrivateKey",
}
KEEP = 300_000  # entries; the oldest half is dropped above that


class CallLog:
    def __init__(self):
        self.entries = []  # with consecutive numbers
        self.seq = 0

    def clear(self):
        self.entries = []

    def arrived(self, app, call):
        """An entry is made on arrival, so that calls that hang are seen as well."""
        self.seq += 1
        params = {
            name: "***" if name.split(".")[0] in HIDDEN else value for name, value in call.pairs
        }
        call.entry = {
            "seq": self.seq,
            "time": app.clock.now(),
            "wall": time.time(),
            "service": call.service,
            "action": call.action,
            "params": params,
            "access_key_id": None,
            "principal_arn": None,
            "user_agent": call.user_agent,
            "status": None,
            "error_code": None,
            "request_id": call.request_id,
            "applied": False,
            "executed": False,
            "answered": False,
            "fault": None,
            "connection": call.conn.number,
            "retried_same_connection": call.conn.served > 0,
        }
        self.entries.append(call.entry)
        if len(self.entries) > KEEP:
            del self.entries[: KEEP // 2]

    def done(self, call, status, code):
        call.entry["status"], call.entry["error_code"] = status, code

    def bug(self, call, error):
        print(f"look-alike: {call.service}:{call.action}: {error!r}", file=sys.stderr)
        traceback.print_exc()

    def since(self, seq, action=None):
        """Entries after seq, times as text."""
        start = max(0, len(self.entries) - max(0, self.seq - seq))
        return [
            {**entry, "time": iso_ms(entry["time"]), "wall": iso_ms(entry["wall"])}
            for entry in self.entries[start:]
            if action in (None, entry["action"])
        ]
