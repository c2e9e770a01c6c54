# SPDX-License-Identifier: Apache-2.0
"""The errors of IAM and STS: wire code, HTTP status, and the wording AWS uses."""


class AwsError(Exception):
    """An answer of AWS other than 200; raised anywhere between parsing and execution."""

    def __init__(self, code: str, message: str, status: int = 400):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def validation(message: str) -> AwsError:
    return AwsError("ValidationError", message, 400)


def no_such(message: str) -> AwsError:
    return AwsError("NoSuchEntity", message, 404)


def exists(message: str) -> AwsError:
    return AwsError("EntityAlreadyExists", message, 409)


def limit(message: str) -> AwsError:
    return AwsError("LimitExceeded", message, 409)


def conflict(message: str) -> AwsError:
    return AwsError("DeleteConflict", message, 409)


def malformed_policy(message: str) -> AwsError:
    return AwsError("MalformedPolicyDocument", message, 400)


def denied(message: str) -> AwsError:
    return AwsError("AccessDenied", message, 403)


def invalid_token(
    message: str = "The security token included in the request is invalid.",
) -> AwsError:
    return AwsError("InvalidClientTokenId", message, 403)
