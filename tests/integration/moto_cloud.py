# SPDX-License-Identifier: Apache-2.0
"""moto as a second opinion: the part of the look-alike's client that moto can serve, so that the same tests run
against both. moto checks signatures and policies by action here (its enforcement is on); what it cannot do is listed
in moto_cannot.txt, test by test.
"""
import contextlib
import http.client
import json
import os
import socket
import subprocess
import time

import botocore.session
from botocore.config import Config

ADMIN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


class Moto:
    def __init__(self, port):
        self.port, self.url, self.account_id = port, f"http://127.0.0.1:{port}", "123456789012"
        self.reset()

    @classmethod
    @contextlib.contextmanager
    def start(cls):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        python = os.environ["MOTO_PYTHON"]
        process = subprocess.Popen([python, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
                                   env={"PATH": os.environ["PATH"], "INITIAL_NO_AUTH_ACTION_COUNT": "1000000000"},
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            end = time.monotonic() + 30
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                assert process.poll() is None and time.monotonic() < end, "moto did not start"
                time.sleep(0.05)
            yield cls(port)
        finally:
            process.terminate()
            process.wait(10)

    def post(self, path, body=b""):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        # With the type of a form moto answers 500 and changes nothing.
        connection.request("POST", path, body, {"Content-Type": "application/octet-stream"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        connection.close()

    def client(self, key):
        session = botocore.session.Session()
        return session.create_client("iam", region_name="us-east-1", endpoint_url=self.url, aws_access_key_id=key[0],
                                     aws_secret_access_key=key[1], config=Config(retries={"max_attempts": 0}))

    def reset(self):
        """An empty account with an administrator, then enforcement on."""
        self.post("/moto-api/reset")
        self.post("/moto-api/reset-auth", b"1000000000")
        first = self.client(("AKIAIOSFODNN7EXAMPLE", "first"))
        first.create_user(UserName="management")
        first.put_user_policy(UserName="management", PolicyName="all", PolicyDocument=json.dumps(ADMIN))
        key = first.create_access_key(UserName="management")["AccessKey"]
        self.management = {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}
        self.enforce(True)
        self.iam = self.client((key["AccessKeyId"], key["SecretAccessKey"]))

    def enforce(self, on):
        """Whether signatures and policies are checked; with that on moto answers 500 to unsigned calls."""
        self.post("/moto-api/reset-auth", b"0" if on else b"1000000000")

    def seed(self, roles=(), oidc=()):
        """Roles; moto takes any web identity token, so it needs no provider."""
        made = {}
        for role in roles:
            answer = self.iam.create_role(RoleName=role["name"], Path=role.get("path", "/"),
                                          AssumeRolePolicyDocument=json.dumps(role["trust"]))
            made[role["name"]] = answer["Role"]["Arn"]
            for name, document in role.get("inline", {}).items():
                self.iam.put_role_policy(RoleName=role["name"], PolicyName=name, PolicyDocument=json.dumps(document))
        return {"roles": made}

    def web_token(self, issuer, sub, **claims):
        return f"{issuer}.{sub}.token"

    def users(self, prefix="/"):
        found = {}
        for user in self.iam.list_users(PathPrefix=prefix)["Users"]:
            name = user["UserName"]
            if name == "management":
                continue
            with contextlib.suppress(self.iam.exceptions.NoSuchEntityException):  # gone meanwhile
                inline = self.iam.list_user_policies(UserName=name)["PolicyNames"]
                found[name] = {
                    "name": name, "path": user["Path"], "arn": user["Arn"],
                    "tags": {tag["Key"]: tag["Value"] for tag in self.iam.list_user_tags(UserName=name)["Tags"]},
                    "inline": {policy: self.iam.get_user_policy(UserName=name, PolicyName=policy)["PolicyDocument"]
                               for policy in inline}}
        return found

    def canaries(self):
        return [self.management["secret_access_key"]]

    def violations(self):
        return []

    def log(self, since=0):
        return []

    def arn(self, rest):
        return f"arn:aws:iam::{self.account_id}:{rest}"
