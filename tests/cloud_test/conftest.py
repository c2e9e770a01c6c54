# SPDX-License-Identifier: Apache-2.0
"""One look-alike for the whole run, reset before each test; boto3 clients as its judges."""

import logging
import os
import sys

import boto3
import pytest
from botocore.config import Config

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cloud"))

from client import Cloud  # noqa: E402

logging.getLogger("botocore").setLevel(logging.WARNING)
ONE_TRY = Config(
    parameter_validation=False, retries={"max_attempts": 0}, read_timeout=10, connect_timeout=5
)


class Aws:
    """boto3 clients of one look-alike, by credentials."""

    def __init__(self, cloud):
        self.cloud = cloud
        self.session = boto3.session.Session()
        self.made = {}

    def client(self, service, keys=None, region="us-east-1"):
        """keys: the Credentials of STS, the AccessKey of IAM, or None for the management key."""
        keys = keys or {
            "AccessKeyId": self.cloud.management["access_key_id"],
            "SecretAccessKey": self.cloud.management["secret_access_key"],
        }
        ident = (service, keys["AccessKeyId"], keys.get("SessionToken"), region)
        if ident not in self.made:
            self.made[ident] = self.session.client(
                service,
                region_name=region,
                endpoint_url=self.cloud.url,
                config=ONE_TRY,
                aws_access_key_id=keys["AccessKeyId"],
                aws_secret_access_key=keys["SecretAccessKey"],
                aws_session_token=keys.get("SessionToken"),
            )
        return self.made[ident]


@pytest.fixture(scope="session")
def running():
    with Cloud.start(python=os.environ.get("CLOUD_PYTHON", "/usr/bin/python3")) as cloud:
        yield cloud


@pytest.fixture(scope="session")
def aws(running):
    return Aws(running)


@pytest.fixture
def cloud(running):
    running.reset()
    yield running
    assert not [
        call
        for call in running.log()
        if (call["error_code"] or "") == "ServiceFailure" and not call["fault"]
    ]


@pytest.fixture
def iam(cloud, aws):
    return aws.client("iam")


@pytest.fixture
def sts(cloud, aws):
    return aws.client("sts")
