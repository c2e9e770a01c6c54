# SPDX-License-Identifier: Apache-2.0
"""The cloud's clock: the real one plus an offset that tests set."""

import time
from email.utils import formatdate


class Clock:
    """Seconds since the epoch as the cloud sees them, and their text forms."""

    def __init__(self):
        self.offset_s = 0.0
        self._date = (0, "")

    def now(self) -> float:
        return time.time() + self.offset_s

    def http_date(self, offset_s: float = 0) -> str:
        second = int(self.now() + offset_s)
        if self._date[0] != second:
            self._date = (second, formatdate(second, usegmt=True))
        return self._date[1]


def iso(epoch: float) -> str:
    """AWS writes dates to the second, UTC, with a Z."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))


def iso_ms(epoch: float) -> str:
    whole = int(epoch)
    return (
        time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
        + f".{int((epoch - whole) * 1000):03d}Z"
    )


def basic(epoch: float) -> str:
    """The ISO 8601 basic form of X-Amz-Date."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(epoch))
