# SPDX-License-Identifier: Apache-2.0
"""What a holder of a credential does with it at the look-alike, through botocore."""
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

ONE_TRY = Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=10, proxies={})
_session = botocore.session.Session(profile=None)
_session.set_config_variable("config_file", "/dev/null")
_session.set_config_variable("credentials_file", "/dev/null")


def client(cloud, service, credential):
    """credential: an answer of lease.issue, or anything with its key fields."""
    # IAM is a global service: its requests are signed for us-east-1.
    region = "us-east-1" if service == "iam" else "eu-west-1"
    return _session.create_client(service, region_name=region, endpoint_url=cloud.url, config=ONE_TRY,
                                  aws_access_key_id=credential["access_key_id"],
                                  aws_secret_access_key=credential["secret_access_key"],
                                  aws_session_token=credential.get("session_token"))


def identity(cloud, credential):
    """The ARN a credential speaks for, or the error code it gets."""
    try:
        return client(cloud, "sts", credential).get_caller_identity()["Arn"]
    except ClientError as error:
        return error.response["Error"]["Code"]


def allowed(cloud, credential):
    """Whether the credential may do something harmless that needs a permission: "yes" or the error code."""
    try:
        client(cloud, "iam", credential).list_users()
        return "yes"
    except ClientError as error:
        return error.response["Error"]["Code"]
