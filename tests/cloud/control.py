# SPDX-License-Identifier: Apache-2.0
"""The control API under /_control/: JSON, unsigned, from loopback only (see README.md)."""

import json
import time
from urllib.parse import parse_qs

from clock import iso_ms
from grammar import check_identity_policy
from errors import AwsError
from seed import seed
from snapshot import snapshot
from sts_web import make_jwt


def known(body, *names):
    unknown = set(body) - set(names)
    if unknown:
        raise ValueError(f"unknown fields: {sorted(unknown)}")
    return body


class Control:
    def __init__(self, app):
        self.app, self.account = app, app.account

    def handle(self, conn, request):
        peer = conn.transport.get_extra_info("peername")
        if not peer or peer[0] not in ("127.0.0.1", "::1"):
            conn.reply(403, [], b"{}", "application/json")
            return
        name = request.path[len("/_control/") :]
        function = getattr(self, f"{request.method.lower()}_{name}", None)
        if function is None:
            self.answer(conn, 404, {"error": f"no {request.method} {request.path}"})
            return
        try:
            if request.method == "POST":
                result = function(json.loads(request.body or b"{}"))
            else:
                result = function(
                    {name: values[-1] for name, values in parse_qs(request.query).items()}
                )
        except (ValueError, KeyError, TypeError, AttributeError, AwsError) as error:
            self.answer(conn, 400, {"error": f"{type(error).__name__}: {error}"})
            return
        self.answer(conn, 200, result if result is not None else {})

    @staticmethod
    def answer(conn, status, value):
        conn.reply(
            status, [], json.dumps(value, ensure_ascii=False).encode("utf-8"), "application/json"
        )

    # what happened, what is there

    def get_log(self, query):
        return {
            "calls": self.app.log.since(int(query.get("since", 0)), query.get("action")),
            "seq": self.app.log.seq,
        }

    def delete_log(self, query):
        self.app.log.clear()

    def get_state(self, query):
        return snapshot(self.account)

    def get_canaries(self, query):
        return {"secrets": list(self.account.canaries)}

    def get_violations(self, query):
        return {"violations": self.app.watch.found}

    def delete_violations(self, query):
        self.app.watch.found = []

    # clocks

    def post_clock(self, body):
        known(body, "offset_s")
        self.account.clock.offset_s = float(body["offset_s"])
        return self.get_clock({})

    def get_clock(self, query):
        clock = self.account.clock
        return {
            "offset_s": clock.offset_s,
            "now": iso_ms(clock.now()),
            "signature_clock": self.account.signature_clock,
        }

    def post_signature_clock(self, body):
        known(body, "mode", "expired_code")
        if body.get("mode", "either") not in ("real", "cloud", "either"):
            raise ValueError("mode must be real, cloud or either")
        if body.get("expired_code", "SignatureDoesNotMatch") not in (
            "SignatureDoesNotMatch",
            "RequestExpired",
        ):
            raise ValueError("expired_code must be SignatureDoesNotMatch or RequestExpired")
        self.account.signature_clock = body.get("mode", self.account.signature_clock)
        self.account.expired_code = body.get("expired_code", self.account.expired_code)

    # trouble

    def post_faults(self, body):
        return {"ids": self.app.faults.add(known(body, "faults")["faults"])}

    def get_faults(self, query):
        return {
            "faults": [fault.describe() for fault in self.app.faults.list],
            "hanging": len(self.app.faults.hanging),
        }

    def delete_faults(self, query):
        self.app.faults.clear()

    def post_lag(self, body):
        known(body, *self.account.lag)
        for name, value in body.items():
            if name == "clock" and value not in ("real", "cloud"):
                raise ValueError("clock must be real or cloud")
            if name == "authorization" and value not in ("fresh", "lagged"):
                raise ValueError("authorization must be fresh or lagged")
            self.account.lag[name] = value if isinstance(value, str) else float(value)
        return self.account.lag

    def get_lag(self, query):
        return self.account.lag

    def post_away(self, body):
        """Connections are refused for a while."""
        known(body, "seconds")
        self.app.listener.away(float(body["seconds"]))

    def post_throttle(self, body):
        known(body, "rate", "burst", "service")
        self.app.buckets[body.get("service", "iam")].set(
            body.get("rate"), body.get("burst"), time.monotonic()
        )

    def post_quotas(self, body):
        known(body, *self.account.quotas)
        self.account.quotas.update({name: int(value) for name, value in body.items()})
        return self.account.quotas

    # the machine's own credentials

    def post_metadata(self, body):
        return self.metadata().change(body)

    def get_metadata(self, query):
        return self.metadata().describe()

    def metadata(self):
        if self.app.metadata is None:
            raise ValueError("the look-alike was started without --metadata-port")
        return self.app.metadata

    # the account

    def post_seed(self, body):
        return seed(self.account, body)

    def post_policy(self, body):
        known(body, "user", "documents")
        name = body.get("user", "management")
        user = self.account.management if name == "management" else self.account.any_user(name)
        documents = [
            text if isinstance(text, str) else json.dumps(text) for text in body["documents"]
        ]
        for text in documents:
            check_identity_policy(text, self.account.partition)
        user.inline = {f"policy-{number}": text for number, text in enumerate(documents, 1)}
        user.attached = []

    def post_web_token(self, body):
        """A signed token of a seeded issuer."""
        known(body, "issuer", "sub", "aud", "ttl_s", "claims")
        key = self.account.issuers[body["issuer"]]
        now = int(self.account.clock.now())
        claims = {
            "iss": body["issuer"],
            "sub": body["sub"],
            "aud": body.get("aud", "sts.amazonaws.com"),
            "iat": now,
            "nbf": now,
            "exp": now + int(body.get("ttl_s", 3600)),
            **body.get("claims", {}),
        }
        token = make_jwt(claims, key)
        self.account.remember(token)
        return {"token": token, "claims": claims}

    def post_reset(self, body):
        """Back to the management user alone; its key and the list of canaries stay."""
        self.app.faults.clear()
        for bucket in self.app.buckets.values():
            bucket.set(None, None, time.monotonic())
        self.account.reset()
        if self.app.metadata is not None:
            self.app.metadata.reset()
        self.app.watch.found = []
        self.app.log.clear()
