# SPDX-License-Identifier: Apache-2.0
"""Starts the look-alike for a test and speaks its control API. Standard library only."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
AWS = os.path.join(HERE, "aws")


class CloudError(Exception):
    """The control API refused a request."""


class Cloud:
    """A running look-alike."""

    def __init__(self, info, process=None):
        self.info, self.process = info, process
        self.url, self.port, self.pid = info["url"], info["port"], info["pid"]
        self.account_id, self.management = info["account_id"], info["management"]
        self.metadata_url = info.get("metadata_url")
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @classmethod
    @contextlib.contextmanager
    def start(cls, *arguments, directory=None, python="/usr/bin/python3", timeout_s=15):
        """with Cloud.start() as cloud: … ; ends the process at the end."""
        with tempfile.TemporaryDirectory(prefix="kms-cloud-", dir=directory) as scratch:
            info = os.path.join(scratch, "info.json")
            process = subprocess.Popen(
                [
                    python,
                    os.path.join(HERE, "cloud.py"),
                    "--info",
                    info,
                    "--parent-death",
                    *arguments,
                ],
                stdin=subprocess.DEVNULL,
            )
            try:
                yield cls(wait_for_info(info, process, timeout_s), process)
            finally:
                process.terminate()
                process.send_signal(signal.SIGCONT)
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    @classmethod
    def attach(cls, info_file):
        """A look-alike that something else started."""
        with open(info_file, encoding="utf-8") as file:
            return cls(json.load(file))

    def request(self, method, name, body=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(
            f"{self.url}/_control/{name}",
            data=data,
            method=method,
            headers={"Content-Type": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise CloudError(
                f"{method} {name}: {error.code} {error.read().decode(errors='replace')}"
            ) from None

    # what happened, what is there

    def log(self, since=0):
        return self.request("GET", f"log?since={since}")["calls"]

    def mark(self):
        """The number of the last call so far, for log(since=…)."""
        return self.request("GET", f"log?since={1 << 60}")["seq"]

    def calls(self, action=None, since=0):
        """The logged calls, of one action if it is named."""
        return self.request("GET", f"log?since={since}" + (f"&action={action}" if action else ""))[
            "calls"
        ]

    def wait_for_call(self, action, count=1, since=0, timeout_s=10.0):
        """Waits until an action was called so many times; returns those calls."""
        end = time.monotonic() + timeout_s
        while True:
            calls = self.calls(action, since)
            if len(calls) >= count:
                return calls
            if time.monotonic() > end:
                raise TimeoutError(f"{action} was called {len(calls)} times, not {count}")
            time.sleep(0.02)

    def state(self):
        return self.request("GET", "state")

    def users(self, prefix="/", management=False):
        """The users by name; the management user only when asked for."""
        own = self.management["user_arn"]
        return {
            user["name"]: user
            for user in self.state()["users"]
            if user["path"].startswith(prefix) and (management or user["arn"] != own)
        }

    def canaries(self):
        return self.request("GET", "canaries")["secrets"]

    def violations(self):
        return self.request("GET", "violations")["violations"]

    # trouble and time

    def fault(self, action="*", kind="error", **more):
        """Adds one fault; returns its id."""
        return self.request(
            "POST", "faults", {"faults": [{"action": action, "kind": kind, **more}]}
        )["ids"][0]

    def faults(self):
        return self.request("GET", "faults")["faults"]

    def clear_faults(self):
        self.request("DELETE", "faults")

    def clock(self, offset_s):
        return self.request("POST", "clock", {"offset_s": offset_s})

    def signature_clock(self, mode, **more):
        self.request("POST", "signature_clock", {"mode": mode, **more})

    def lag(self, **settings):
        return self.request("POST", "lag", settings)

    def throttle(self, rate=None, burst=None, service="iam"):
        self.request("POST", "throttle", {"rate": rate, "burst": burst, "service": service})

    def quotas(self, **settings):
        return self.request("POST", "quotas", settings)

    def pause(self):
        """The cloud stops answering, connections still open: a black hole."""
        os.kill(self.pid, signal.SIGSTOP)

    def away(self, seconds):
        """Every connection is reset and new ones are refused, the control API too, for a while."""
        self.request("POST", "away", {"seconds": seconds})

    def resume(self):
        os.kill(self.pid, signal.SIGCONT)

    # the machine's own credentials (--metadata-port)

    def metadata(self, **settings):
        """role, session_s, version1, containers, faults, rotate, expire, forget_tokens."""
        return self.request("POST", "metadata", settings)

    def metadata_log(self, place=None):
        """The requests at the metadata services: method, path, place, with_token, status…"""
        log = self.request("GET", "metadata")["log"]
        return [entry for entry in log if place in (None, entry["place"])]

    # the account

    def seed(self, **objects):
        """users, groups, roles, policies, oidc: lists of objects; returns ARNs and keys."""
        return self.request("POST", "seed", objects)

    def policy(self, *documents, user="management"):
        """Replaces the policies of a user."""
        self.request("POST", "policy", {"user": user, "documents": list(documents)})

    def web_token(self, issuer, sub, **more):
        return self.request("POST", "web_token", {"issuer": issuer, "sub": sub, **more})["token"]

    def reset(self):
        self.request("POST", "reset", {})

    def arn(self, rest):
        return f"arn:aws:iam::{self.account_id}:{rest}"

    def env(
        self, access_key_id=None, secret_access_key=None, session_token=None, region="us-east-1"
    ):
        """The environment of an AWS client; by default with the management key. CLOUD_URL is for
        the script named aws beside this file."""
        keys = self.management
        result = {
            "AWS_ACCESS_KEY_ID": access_key_id or keys["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": secret_access_key or keys["secret_access_key"],
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_PAGER": "",
            "AWS_MAX_ATTEMPTS": "1",
            "NO_PROXY": "127.0.0.1",
            "CLOUD_URL": self.url,
        }
        if session_token:
            result["AWS_SESSION_TOKEN"] = session_token
        return result


def wait_for_info(path, process, timeout_s):
    end = time.monotonic() + timeout_s
    while not os.path.exists(path):
        if process.poll() is not None:
            raise CloudError(f"the look-alike ended with {process.returncode}")
        if time.monotonic() > end:
            process.kill()
            raise CloudError("the look-alike did not start")
        time.sleep(0.01)
    with open(path, encoding="utf-8") as file:
        return json.load(file)
