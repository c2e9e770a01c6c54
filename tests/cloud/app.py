# SPDX-License-Identifier: Apache-2.0
"""The way of a request: fault, rate limit, signature, shape, authorization, execution, answer."""

import asyncio
import re
import time
import uuid
from urllib.parse import unquote_to_bytes

import iam_groups  # noqa: F401  (the modules register their actions)
import iam_keys  # noqa: F401
import iam_logins  # noqa: F401
import iam_policies  # noqa: F401
import iam_roles  # noqa: F401
import iam_simulate  # noqa: F401
import iam_users  # noqa: F401
import sts_web  # noqa: F401
import auth
from actions import IAM, STS, Call
from calllog import CallLog
from control import Control
from errors import AwsError
from faults import Bucket, Faults
from httpd import Connection
from principals import authorize_iam, find_principal
from shapes import Service, xml_text
from watch import Watch

HOST = re.compile(r"(iam|sts)(?:-fips)?(?:\.([a-z0-9-]+))?\.(?:amazonaws|api)\.")
UNSIGNED = {"AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"}


def parse_form(text: str):
    """Pairs of a query or form; '+' and %20 are spaces, what is not UTF-8 is refused."""
    pairs = []
    for part in text.split("&"):
        if not part:
            continue
        name, _, value = part.partition("=")
        if "%" in part or "+" in part:
            try:
                name = unquote_to_bytes(name.replace("+", " ")).decode("utf-8")
                value = unquote_to_bytes(value.replace("+", " ")).decode("utf-8")
            except UnicodeDecodeError:
                raise AwsError(
                    "MalformedQueryString", "The query string is not valid UTF-8.", 400
                ) from None
        pairs.append((name, value))
    return pairs


class App:
    """The look-alike; one of them serves all connections of a process."""

    def __init__(self, account, tls=False):
        self.account, self.clock, self.tls = account, account.clock, tls
        self.services = {"iam": Service("iam"), "sts": Service("sts")}
        self.tables = {"iam": IAM, "sts": STS}
        self.faults, self.watch, self.log = Faults(), Watch(account), CallLog()
        self.buckets = {"iam": Bucket(time.monotonic()), "sts": Bucket(time.monotonic())}
        self.connections = set()
        self.listener = self.metadata = self.metadata_listener = None
        self.control = Control(self)

    def new_connection(self):
        return Connection(self)

    def handle(self, conn, request):
        if request.path.startswith("/_control/"):
            self.control.handle(conn, request)
            return
        if request.method == "GET" and not request.query and request.path == "/":
            conn.reply(302, ["Location: https://aws.amazon.com/iam"], b"")
            return
        call = self.begin(conn, request)
        self.log.arrived(self, call)
        fault = call.fault = self.faults.pick(call)
        if fault is not None:
            call.entry["fault"] = fault.kind
            FaultRun(self, call, fault).start()
            return
        self.send(call, *self.execute(call))

    # reading

    def begin(self, conn, request):
        """A call with service and action told apart; problems are kept for execute()."""
        call = Call()
        call.request, call.conn, call.account = request, conn, self.account
        call.request_id = str(uuid.uuid4())
        call.service, call.action = "iam", ""
        call.user_agent = request.headers.get("user-agent", "")
        peer = conn.transport.get_extra_info("peername")
        call.source_ip = peer[0] if peer else "127.0.0.1"
        try:
            self.read_pairs(call)
        except AwsError as error:
            call.problem = error
        return call

    def read_pairs(self, call):
        request = call.request
        if request.method not in ("POST", "GET") or request.path != "/":
            raise AwsError(
                "InvalidAction",
                f"{request.method} {request.path} is not valid for this web service",
                404,
            )
        text = request.query
        if request.method == "POST":
            text = text + "&" if text else ""
            try:
                text += request.body.decode("ascii")
            except UnicodeDecodeError:
                raise AwsError(
                    "MalformedQueryString", "The form is not ASCII; encode it.", 400
                ) from None
        pairs = parse_form(text)
        action = [value for name, value in pairs if name == "Action"]
        version = [value for name, value in pairs if name == "Version"]
        call.pairs = [pair for pair in pairs if pair[0] not in ("Action", "Version")]
        call.service = self.service_of(request, version)
        if not action:
            raise AwsError("MissingAction", "Could not find Action parameter in the request", 400)
        call.action = action[0]
        service = self.services[call.service]
        call.operation = service.operation(call.action)
        if len(action) > 1 or call.operation is None or version != [service.version]:
            raise AwsError(
                "InvalidAction",
                f"Could not find operation {call.action} for version "
                f"{version[0] if version else 'NO_VERSION_SPECIFIED'}",
                400,
            )

    def service_of(self, request, version):
        host = HOST.match(request.headers.get("host", ""))
        if host:
            return host.group(1)
        for name, service in self.services.items():
            if version == [service.version]:
                return name
        scope = re.search(
            r"Credential=[^/]*/[^/]*/[^/]*/(iam|sts)/", request.headers.get("authorization", "")
        )
        return scope.group(1) if scope else "iam"

    # executing

    def execute(self, call):
        """(status, body); never raises."""
        call.entry["executed"] = True
        try:
            if call.problem is not None:
                raise call.problem
            self.limit_rate(call)
            self.authenticate(call)
            call.params = call.operation.read(call.pairs)
            action = self.tables[call.service].get(call.action)
            if action is None:
                raise AwsError(
                    "NotImplementedHere", f"This look-alike does not do {call.action}", 501
                )
            if call.service == "iam":
                authorize_iam(call, action)
            result = action.run(call)
            body = call.operation.write(result, call.request_id)
            self.log.done(call, 200, None)
            call.entry["applied"] = True
            if call.service == "iam":
                self.watch.after(call)
            return 200, body
        except AwsError as error:
            return self.refuse(call, error)
        except Exception as error:  # a fault of the look-alike itself must be seen as one
            self.log.bug(call, error)
            return self.refuse(call, AwsError("ServiceFailure", f"look-alike: {error!r}", 500))

    def refuse(self, call, error):
        self.log.done(call, error.status, error.code)
        return error.status, self.error_body(call, error)

    def limit_rate(self, call):
        if not self.buckets[call.service].take(time.monotonic()):
            raise AwsError("Throttling", "Rate exceeded", 400)

    def authenticate(self, call):
        headers, account = call.request.headers, self.account
        if call.service == "sts" and call.action in UNSIGNED and "authorization" not in headers:
            return
        claim = call.claim = auth.parse_claim(headers)
        call.entry["access_key_id"], call.region = claim.access_key_id, claim.region
        principal, secret = find_principal(account, claim.access_key_id)
        auth.check_scope(claim, call.service, self.regions(call))
        real, cloud = time.time(), self.clock.now()
        clocks = {"real": [real], "cloud": [cloud], "either": [cloud, real]}[
            account.signature_clock
        ]
        auth.check_date(claim, clocks, account.expired_code)
        auth.check_signature(claim, call.request, secret)
        auth.check_key(claim, principal)
        session = principal.session
        if session is not None and cloud >= session.expires:
            raise AwsError(
                "ExpiredToken", "The security token included in the request is expired", 403
            )
        call.principal = principal
        call.entry["principal_arn"] = principal.arn
        if principal.key is not None:
            principal.key.used = (cloud, call.service, claim.region)

    def regions(self, call):
        host = HOST.match(call.request.headers.get("host", ""))
        if call.service == "iam":
            return self.account.iam_regions
        return (host.group(2),) if host and host.group(2) else None

    # answering

    def error_body(self, call, error, root=None):
        """The two shapes of error XML that AWS front ends send."""
        code, message = xml_text(error.code), xml_text(error.message)
        if (root or call.xml_root) == "Response":
            return (
                '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>'
                f"{code}</Code>"
                f"<Message>{message}</Message></Error></Errors><RequestID>"
                f"{call.request_id}</RequestID>"
                "</Response>"
            ).encode("utf-8")
        kind = "Sender" if error.status < 500 else "Receiver"
        namespace = self.services[call.service].namespace
        return (
            f'<ErrorResponse xmlns="{namespace}">\n  <Error>\n    <Type>{kind}</Type>\n    '
            f"<Code>{code}</Code>\n"
            f"    <Message>{message}</Message>\n  </Error>\n  <RequestId>"
            f"{call.request_id}</RequestId>\n"
            "</ErrorResponse>\n"
        ).encode("utf-8")

    def send(self, call, status, body, content_type="text/xml", date_offset_s=0):
        """date_offset_s: how far the Date is from the look-alike's own time."""
        call.entry["answered"] = True
        headers = ["x-amzn-RequestId: " + call.request_id]
        if date_offset_s:
            headers.append(f"Date: {self.clock.http_date(date_offset_s)}")
        call.conn.reply(status, headers, body, content_type)


class FaultRun:
    """One call that a fault is on."""

    def __init__(self, app, call, fault):
        self.app, self.call, self.fault = app, call, fault

    def start(self):
        getattr(self, self.fault.kind)()

    def later(self, function):
        asyncio.get_running_loop().call_later(
            float(self.fault.spec.get("ms", 1000)) / 1000, function
        )

    def normal(self):
        self.app.send(self.call, *self.app.execute(self.call))

    def own_error(self, default_code, default_message, default_status):
        spec = self.fault.spec
        return AwsError(
            str(spec.get("code", default_code)),
            spec.get("message", default_message),
            int(spec.get("status", default_status)),
        )

    def status(self):
        spec = self.fault.spec
        status = int(spec.get("code", spec.get("status", 503)))
        error = AwsError(
            "ServiceFailure" if status == 500 else "ServiceUnavailable",
            spec.get("message", "The request has failed due to a temporary failure of the server."),
            status,
        )
        body = self.app.refuse(self.call, error)[1]
        self.app.send(self.call, status, body if spec.get("xml", True) else b"")

    def error(self):
        error = self.own_error("Throttling", "Rate exceeded", 400)
        self.app.send(self.call, *self.app.refuse(self.call, error))

    def other_root(self):
        """The call runs; if it fails, or a code is given, the error comes in the other root."""
        self.call.xml_root = self.fault.spec.get("root", "Response")
        if "code" in self.fault.spec:
            self.error()
        else:
            self.normal()

    def date(self):
        """An answer as without the fault, with a Date that is off."""
        offset_s = float(self.fault.spec["offset_s"])
        self.app.send(self.call, *self.app.execute(self.call), date_offset_s=offset_s)

    def garbage_html(self):
        status = int(self.fault.spec.get("status", 502))
        self.app.log.done(self.call, status, None)
        self.app.send(
            self.call,
            status,
            b"<html><head><title>Bad Gateway</title></head><body><center><h1>"
            b"Bad Gateway</h1></center><hr/></body></html>\n",
            "text/html",
        )

    def cut_before(self):
        self.call.conn.cut(self.fault.spec.get("reset", False))

    def cut_after(self):
        self.app.execute(self.call)
        self.cut_before()

    def close_after(self):
        """A full answer, then the connection is closed without notice (as idle ones are)."""
        self.normal()
        self.call.conn.cut(self.fault.spec.get("reset", False))

    def delay(self):
        self.later(self.normal)

    def delay_after(self):
        answer = self.app.execute(self.call)
        self.later(lambda: self.app.send(self.call, *answer))

    def hang_before(self):
        self.app.faults.hanging.append(lambda: None if self.call.conn.closed else self.normal())

    def hang_after(self):
        answer = self.app.execute(self.call)
        self.app.faults.hanging.append(lambda: self.app.send(self.call, *answer))

    def bad_xml(self):
        status, body = self.app.execute(self.call)
        self.app.send(self.call, status, body[: len(body) * 2 // 3])

    def kill(self):
        if not self.fault.before:
            self.app.execute(self.call)
        self.fault.kill()
        self.cut_before()
