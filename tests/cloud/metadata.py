# SPDX-License-Identifier: Apache-2.0
"""Where a machine's own credentials come from: the instance metadata service (IMDSv2), the
container endpoint of ECS and that of EKS Pod Identity, on a port of their own. What they hand out
are real sessions of a role of the account.

Sources: EC2 User Guide "Use the Instance Metadata Service", ECS "IAM roles for tasks", botocore
utils.py (InstanceMetadataFetcher, ContainerMetadataFetcher)."""

import base64
import hmac
import json
import secrets

from clock import iso
from httpd import Connection
from state import Session

TOKEN_PATH = "/latest/api/token"
ROLES_PATH = "/latest/meta-data/iam/security-credentials"
TTL_HEADER = "x-aws-ec2-metadata-token-ttl-seconds"
TOKEN_HEADER = "x-aws-ec2-metadata-token"
PLACES = ("token", "roles", "credentials", "container", "*")
KINDS = ("status", "hang", "code", "garbage", "partial")
SETTINGS = {
    "role": None,  # name of the role of the instance profile; None: the instance has none
    "session_s": 21600,  # life of what is handed out; negative: past already
    "version1": False,  # answer requests without a token
    "containers": {},  # path -> {"role": name, "tokens": [...] or None for no Authorization}
}


class Metadata:
    """One listener's application; settings, faults and log are for the control API."""

    def __init__(self, account):
        self.account, self.clock = account, account.clock
        self.connections = set()
        self.reset()

    def reset(self):
        self.settings = {**SETTINGS, "containers": {}}
        self.tokens, self.sessions, self.faults, self.log = {}, {}, [], []

    def new_connection(self):
        return Connection(self)

    # control

    def change(self, body):
        """Sets what is named; rotate: new sessions from the next request on; expire: the sessions
        given out so far end now, although their documents say otherwise; forget_tokens: the tokens
        of version 2 are worth nothing any more (as after a restart of the service)."""
        for name, value in body.items():
            if name in SETTINGS:
                self.settings[name] = value
            elif name == "faults":
                self.faults = [self.checked(fault) for fault in value]
            elif name == "expire" and value:
                for session in self.sessions.values():
                    session.expires = int(self.clock.now()) - 1
                self.sessions = {}
            elif name == "rotate" and value:
                self.sessions = {}
            elif name == "forget_tokens" and value:
                self.tokens = {}
            else:
                raise ValueError(f"unknown field: {name}")
        return self.describe()

    @staticmethod
    def checked(fault):
        if fault.get("at", "*") not in PLACES or fault.get("kind") not in KINDS:
            raise ValueError(f"a fault needs at (of {PLACES}) and kind (of {KINDS})")
        return {"at": "*", "count": 1, **fault}

    def describe(self):
        return {"settings": self.settings, "log": self.log, "faults": self.faults}

    # requests

    def place(self, path):
        if path == TOKEN_PATH:
            return "token"
        if path.rstrip("/") == ROLES_PATH:
            return "roles"
        if path.startswith(ROLES_PATH + "/"):
            return "credentials"
        return "container" if path in self.settings["containers"] else "none"

    def handle(self, conn, request):
        place = self.place(request.path)
        entry = {
            "seq": len(self.log) + 1,
            "method": request.method,
            "path": request.path,
            "place": place,
            "with_token": TOKEN_HEADER in request.headers,
            "with_authorization": "authorization" in request.headers,
            "status": None,
        }
        self.log.append(entry)
        for fault in self.faults:
            if fault["count"] != 0 and fault["at"] in ("*", place):
                fault["count"] -= 1
                if fault["kind"] == "hang":
                    return  # the connection stays open, nothing is said
                self.send(conn, entry, *self.faulty(fault, request, place))
                return
        self.send(conn, entry, *self.answer(request, place))

    def send(self, conn, entry, status, body, headers=()):
        entry["status"] = status
        kind = "application/json" if body[:1] == "{" else "text/plain"
        conn.reply(status, list(headers), body.encode(), kind)

    def faulty(self, fault, request, place):
        if fault["kind"] == "status":
            return int(fault.get("status", 500)), "<html>a fault</html>"
        if fault["kind"] == "code":
            return 200, json.dumps({"Code": fault.get("code", "AssumeRoleUnauthorizedAccess"),
                                    "Message": "EC2 cannot assume the role", "LastUpdated": iso(self.clock.now())})
        if fault["kind"] == "garbage":
            return 200, "{ not JSON"
        status, body, *_ = self.answer(request, place)  # partial: a document without its token
        document = json.loads(body)
        document.pop("Token", None)
        return status, json.dumps(document)

    def answer(self, request, place):
        if place == "token":
            return self.give_token(request)
        if place == "container":
            return self.give_container(request)
        refusal = self.refuse_token(request)
        if refusal is not None:
            return refusal
        role = self.settings["role"]
        if request.method != "GET" or role is None or place == "none":
            return 404, "not found"
        if place == "roles":
            return 200, role
        if request.path[len(ROLES_PATH) + 1 :] != role:
            return 404, "not found"
        return 200, json.dumps(self.document("instance", role, "i-0a1b2c3d4e5f60718", True))

    def give_token(self, request):
        ttl = request.headers.get(TTL_HEADER, "")
        if request.method != "PUT":
            return 405, "not allowed"
        if "x-forwarded-for" in request.headers:
            return 403, "forbidden"
        if not ttl.isdigit() or not 1 <= int(ttl) <= 21600:
            return 400, "bad request"
        token = base64.b64encode(secrets.token_bytes(40)).decode()
        self.account.remember(token)
        self.tokens[token] = self.clock.now() + int(ttl)
        return 200, token, [f"X-Aws-Ec2-Metadata-Token-Ttl-Seconds: {ttl}"]

    def refuse_token(self, request):
        token = request.headers.get(TOKEN_HEADER)
        if token is None:
            return None if self.settings["version1"] else (401, "unauthorized")
        return None if self.tokens.get(token, 0) > self.clock.now() else (401, "unauthorized")

    def give_container(self, request):
        spec = self.settings["containers"][request.path]
        given = request.headers.get("authorization", "").encode()
        tokens = spec.get("tokens")
        if request.method != "GET":
            return 405, "not allowed"
        if tokens is not None and not any(hmac.compare_digest(given, t.encode()) for t in tokens):
            return 401, json.dumps({"code": "AccessDenied", "message": "bad Authorization"})
        document = self.document(request.path, spec["role"], "task-" + "0" * 12, False)
        return 200, json.dumps(document)

    def document(self, owner, name, session_name, instance):
        """What botocore calls the credentials document, of a live session."""
        role, now = self.account.roles.get(name.lower()), int(self.clock.now())
        if role is None:
            return {"Code": "AssumeRoleUnauthorizedAccess", "LastUpdated": iso(now)}
        session = self.sessions.get(owner)
        if session is None:
            session = Session("role", role, now + int(self.settings["session_s"]), now)
            session.name = session_name
            self.sessions[owner] = self.account.add_session(session)
        own = {"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": iso(session.issued)}
        if not instance:
            own = {"RoleArn": role.arn(self.account), "AccountId": self.account.account_id}
        return {
            **own,
            "AccessKeyId": session.id,
            "SecretAccessKey": session.secret,
            "Token": session.token,
            "Expiration": iso(session.expires),
        }
