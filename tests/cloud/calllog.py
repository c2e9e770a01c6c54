# SPDX-License-Identifier: Apache-2.0
"""The ordered log of calls that tests read. No secret ever enters it."""
import sys
import time
import traceback
from collections import deque

from clock import iso_ms

HIDDEN = {"Password", "WebIdentityToken", "SAMLAssertion", "TokenCode", "AuthenticationCode1", "AuthenticationCode2",
          "OldPassword", "NewPassword", "PrivateKey"}
KEEP = 400_000


class CallLog:
    def __init__(self):
        self.entries = deque(maxlen=KEEP)
        self.seq = 0

    def clear(self):
        self.entries.clear()

    def arrived(self, app, call):
        """An entry is made on arrival, so that calls that hang are seen as well."""
        self.seq += 1
        params = {name: "***" if name.split(".")[0] in HIDDEN else value for name, value in call.pairs}
        call.entry = {
            "seq": self.seq, "time": app.clock.now(), "wall": time.time(), "service": call.service,
            "action": call.action, "params": params, "access_key_id": None, "principal_arn": None,
            "user_agent": call.user_agent, "status": None, "error_code": None, "request_id": call.request_id,
            "applied": False, "executed": False, "answered": False, "fault": None, "connection": call.conn.number,
            "retried_same_connection": call.conn.served > 0}
        self.entries.append(call.entry)

    def done(self, call, status, code):
        call.entry["status"], call.entry["error_code"] = status, code

    def bug(self, call, error):
        print(f"look-alike: {call.service}:{call.action}: {error!r}", file=sys.stderr)
        traceback.print_exc()

    def since(self, seq, action=None):
        """Entries after seq, times as text."""
        result = []
        for entry in self.entries:
            if entry["seq"] > seq and action in (None, entry["action"]):
                result.append({**entry, "time": iso_ms(entry["time"]), "wall": iso_ms(entry["wall"])})
        return result
