# SPDX-License-Identifier: Apache-2.0
"""The policies of AWS itself that are known here; ReadOnlyAccess is shortened to services that
tests meet."""

import json


def _document(*statements):
    return json.dumps(
        {"Version": "2012-10-17", "Statement": list(statements)}, separators=(",", ":")
    )


DOCUMENTS = {
    "AdministratorAccess": _document({"Effect": "Allow", "Action": "*", "Resource": "*"}),
    "IAMFullAccess": _document(
        {"Effect": "Allow", "Action": ["iam:*", "organizations:DescribeAccount"], "Resource": "*"}
    ),
    "IAMReadOnlyAccess": _document(
        {
            "Effect": "Allow",
            "Resource": "*",
            "Action": [
                "iam:GenerateCredentialReport",
                "iam:GenerateServiceLastAccessedDetails",
                "iam:Get*",
                "iam:List*",
                "iam:SimulateCustomPolicy",
                "iam:SimulatePrincipalPolicy",
            ],
        }
    ),
    "PowerUserAccess": _document(
        {
            "Effect": "Allow",
            "NotAction": ["iam:*", "organizations:*", "account:*"],
            "Resource": "*",
        },
        {
            "Effect": "Allow",
            "Resource": "*",
            "Action": [
                "iam:CreateServiceLinkedRole",
                "iam:DeleteServiceLinkedRole",
                "iam:ListRoles",
                "organizations:DescribeOrganization",
            ],
        },
    ),
    "ReadOnlyAccess": _document(
        {
            "Effect": "Allow",
            "Resource": "*",
            "Action": [
                "ec2:Describe*",
                "ec2:Get*",
                "iam:Generate*",
                "iam:Get*",
                "iam:List*",
                "iam:Simulate*",
                "logs:Describe*",
                "logs:Get*",
                "s3:Get*",
                "s3:List*",
                "sts:GetAccessKeyInfo",
                "sts:GetCallerIdentity",
                "sts:GetSessionToken",
            ],
        }
    ),
    "AmazonS3ReadOnlyAccess": _document(
        {"Effect": "Allow", "Action": ["s3:Get*", "s3:List*", "s3:Describe*"], "Resource": "*"}
    ),
}


def aws_managed(partition, policy_class):
    for name, document in DOCUMENTS.items():
        yield policy_class(None, name, "/", document, arn=f"arn:{partition}:iam::aws:policy/{name}")
