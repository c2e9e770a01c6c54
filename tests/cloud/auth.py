# SPDX-License-Identifier: Apache-2.0
"""Signature Version 4, checked on the request as it arrived with botocore's own signer
(botocore.auth.SigV4Auth: canonical request, string to sign, signature)."""

import calendar
import hmac
import re
import time
from email.utils import parsedate
from functools import lru_cache

from botocore.auth import SigV4Auth

from clock import basic
from errors import AwsError, invalid_token

SKEW_S = 300
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your "
    "AWS Secret Access Key and signing method. Consult the service documentation for details."
)
HEX64 = re.compile(r"[0-9a-f]{64}\Z")


def mismatch(message: str = MISMATCH) -> AwsError:
    return AwsError("SignatureDoesNotMatch", message, 403)


class Signed:
    """The headers a client says it signed, as SigV4Auth wants to see them."""

    __slots__ = ("names", "headers")

    def __init__(self, names, headers):
        self.names = names
        self.headers = headers

    def __iter__(self):
        return iter(self.names)

    def get_all(self, name):
        return self.headers.get_all(name)


class Raw:
    """A request in the form SigV4Auth reads; headers is empty so that the body is always hashed."""

    __slots__ = ("method", "url", "body", "headers", "signed", "context")
    params = None


class Verifier(SigV4Auth):
    """botocore's signer with one derived key kept, and with the client's SignedHeaders."""

    def __init__(self, secret, date, region, service):
        super().__init__(None, service, region)
        key = self._sign(("AWS4" + secret).encode(), date)
        for part in (region, service, "aws4_request"):
            key = self._sign(key, part)
        self.derived = key

    def headers_to_sign(self, request):
        return request.signed

    def signature(self, string_to_sign, request):
        return self._sign(self.derived, string_to_sign, hex=True)


@lru_cache(maxsize=20000)
def verifier(secret, date, region, service):
    return Verifier(secret, date, region, service)


class Claim:
    """What an Authorization header says, before any of it is believed."""

    __slots__ = (
        "access_key_id",
        "date",
        "region",
        "service",
        "signed_names",
        "signature",
        "timestamp",
        "epoch",
        "token",
    )


def parse_claim(headers) -> Claim:
    """Raises MissingAuthenticationToken or IncompleteSignature, as AWS does."""
    value = headers.get("authorization")
    if value is None:
        raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
    if not value.startswith("AWS4-HMAC-SHA256"):
        raise AwsError(
            "IncompleteSignature", "Unsupported AWS 'algorithm': '%s'. " % value.split(" ")[0], 400
        )
    fields = {}
    for part in value[len("AWS4-HMAC-SHA256") :].split(","):
        name, _, text = part.strip().partition("=")
        fields[name] = text
    missing = [
        name for name in ("Credential", "Signature", "SignedHeaders") if not fields.get(name)
    ]
    raw_date = headers.get("x-amz-date") or headers.get("date")
    problem = "".join(f"Authorization header requires '{name}' parameter. " for name in missing)
    if raw_date is None:
        problem += (
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
        )
    if problem:
        raise AwsError("IncompleteSignature", problem.strip(), 400)
    return _fill_claim(fields, headers, raw_date)


def _fill_claim(fields, headers, raw_date) -> Claim:
    claim = Claim()
    scope = fields["Credential"].split("/")
    if len(scope) != 5:
        raise AwsError(
            "IncompleteSignature",
            "Credential must have exactly 5 slash-delimited elements, e.g. "
            "keyid/date/region/service/term, got '%s'" % fields["Credential"],
            400,
        )
    claim.access_key_id, claim.date, claim.region, claim.service = scope[:4]
    if scope[4] != "aws4_request":
        raise mismatch(
            "Credential should be scoped with a valid terminator: 'aws4_request', not '%s'."
            % scope[4]
        )
    claim.signed_names = fields["SignedHeaders"].split(";")
    claim.signature = fields["Signature"]
    claim.token = headers.get("x-amz-security-token")
    dates = headers.get_all("x-amz-date") or headers.get_all("date")
    claim.epoch = _parse_date(dates[0]) if len(dates) == 1 else None
    if claim.epoch is None:
        raise AwsError(
            "IncompleteSignature",
            "Date must be in ISO-8601 'basic format'. Got '%s'. See "
            "http://en.wikipedia.org/wiki/ISO_8601" % ",".join(dates),
            400,
        )
    claim.timestamp = basic(claim.epoch)
    return claim


def _parse_date(text):
    try:
        return calendar.timegm(time.strptime(text, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        parsed = parsedate(text)
        return calendar.timegm(parsed) if parsed else None


def check_scope(claim, service, regions):
    """regions: those the endpoint takes, or None for any."""
    if regions is not None and claim.region not in regions:
        raise mismatch("Credential should be scoped to a valid region, not '%s'. " % claim.region)
    if claim.service != service:
        raise mismatch("Credential should be scoped to correct service: '%s'. " % service)
    if claim.timestamp[:8] != claim.date:
        raise mismatch(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
            "HTTP: '%s' != '%s', from '%s'." % (claim.date, claim.timestamp[:8], claim.timestamp)
        )


def check_date(claim, clocks, expired_code):
    """clocks: epochs of which one must be within five minutes."""
    if any(abs(claim.epoch - now) <= SKEW_S for now in clocks):
        return
    now = clocks[0]
    status = 400 if expired_code == "RequestExpired" else 403
    if claim.epoch < now:
        raise AwsError(
            expired_code,
            "Signature expired: %s is now earlier than %s (%s - 5 min.)"
            % (claim.timestamp, basic(now - SKEW_S), basic(now)),
            status,
        )
    raise AwsError(
        expired_code,
        "Signature not yet current: %s is still later than %s (%s + 5 min.)"
        % (claim.timestamp, basic(now + SKEW_S), basic(now)),
        status,
    )


def check_signature(claim, request, secret):
    """The signature over the bytes that came; every header that decides must be signed."""
    headers, names = request.headers, claim.signed_names
    if "host" not in names:
        raise mismatch("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    for name in ("x-amz-date", "x-amz-security-token"):
        if name in headers and name not in names:
            raise mismatch("'%s' must be a 'SignedHeader' in the AWS Authorization." % name)
    if any(name not in headers for name in names) or names != sorted(set(names)):
        raise mismatch()
    raw = Raw()
    raw.method, raw.body, raw.headers = request.method, request.body, ()
    raw.url = "http://" + headers.get("host", "") + request.target
    raw.signed = Signed(names, headers)
    raw.context = {"timestamp": claim.timestamp}
    signer = verifier(secret, claim.date, claim.region, claim.service)
    wanted = signer.signature(signer.string_to_sign(raw, signer.canonical_request(raw)), raw)
    if not HEX64.match(claim.signature) or not hmac.compare_digest(wanted, claim.signature):
        raise mismatch()


def check_key(claim, principal):
    """The token of a session must be the one that was issued with the key."""
    session = principal.session
    if session is None:
        if claim.token is not None:
            raise invalid_token()
    elif claim.token is None or not hmac.compare_digest(
        claim.token.encode(), session.token.encode()
    ):
        raise invalid_token()
