# SPDX-License-Identifier: Apache-2.0
"""Signed requests by hand, for what SDKs do not let one send; and small conveniences."""

import contextlib
import datetime
import http.client
import json
import re
from urllib.parse import urlencode

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

VERSIONS = {"iam": "2010-05-08", "sts": "2011-06-15"}
ALLOW_ALL = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action, resource="*", **more):
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def trust(principal, action="sts:AssumeRole", **more):
    return document({"Effect": "Allow", "Principal": principal, "Action": action, **more})


@contextlib.contextmanager
def refused(code, status=None, words=None):
    """The call inside must fail with this AWS error."""
    with pytest.raises(ClientError) as caught:
        yield caught
    answer = caught.value.response
    assert answer["Error"]["Code"] == code, answer
    if status is not None:
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == status
    if words is not None:
        assert words in answer["Error"]["Message"], answer["Error"]["Message"]


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        found = re.search(rb"<Code>([^<]*)</Code>", body)
        self.code = found.group(1).decode() if found else None
        found = re.search(rb"<Message>([^<]*)</Message>", body)
        self.message = found.group(1).decode() if found else None


class Raw:
    """Builds one signed request; each part can be bent before it is sent."""

    def __init__(
        self,
        cloud,
        action,
        service="iam",
        keys=None,
        token=None,
        region="us-east-1",
        scope=None,
        body=None,
        when=None,
        method="POST",
        query="",
        extra=None,
        **params,
    ):
        keys = keys or (cloud.management["access_key_id"], cloud.management["secret_access_key"])
        self.cloud, self.method, self.path = cloud, method, "/" + query
        fields = {"Action": action, "Version": VERSIONS[service], **params}
        self.body = urlencode(fields) if body is None else body
        request = AWSRequest(
            method,
            cloud.url + self.path,
            data=self.body.encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded", **(extra or {})},
        )
        signer = SigV4Auth(Credentials(*keys, token), scope or service, region)
        if when is None:
            signer.add_auth(request)
        else:
            sign_at(signer, request, when)
        self.headers = dict(request.headers.items())

    def send(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.cloud.port, timeout=10)
        try:
            connection.request(self.method, self.path, self.body, self.headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()


def sign_at(signer, request, when):
    """SigV4Auth.add_auth() with another time than now (seconds to be added)."""
    stamp = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=when)
    request.context["timestamp"] = stamp.strftime("%Y%m%dT%H%M%SZ")
    signer._modify_request_before_signing(request)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    signer._inject_signature_to_request(request, signer.signature(text, request))


def keys_of(seeded, name):
    """The first key of a seeded user, as boto3 names its parts."""
    key = seeded["users"][name]["access_keys"][0]
    return {"AccessKeyId": key["access_key_id"], "SecretAccessKey": key["secret_access_key"]}


def user_with(cloud, *statements, name="bob", **more):
    """Seeds a user with one inline policy; returns its key."""
    inline = {"p": document(*statements)} if statements else {}
    return keys_of(
        cloud.seed(users=[{"name": name, "inline": inline, "access_keys": 1, **more}]), name
    )
