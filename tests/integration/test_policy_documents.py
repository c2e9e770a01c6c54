# SPDX-License-Identifier: Apache-2.0
"""Policy documents: the agent refuses at load what AWS refuses as MalformedPolicyDocument, and nothing else. One table
(tests/policy_documents.json: "refused" is in what the agent says) for the agent and for the look-alike."""
import json
import os
import re

import pytest

from agent import AGENTD, clean_env
from cli import run
from errors import AwsError
from grammar import check_identity_policy

PARTITIONS = {"eu-west-1": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov"}
with open(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "policy_documents.json"),
          encoding="utf-8") as table:
    ROWS = json.load(table)


def text(row):
    return row["document"] if isinstance(row["document"], str) else json.dumps(row["document"])


def check(path, body, region="eu-west-1", name="agent.conf"):
    """What --check says about a secret of these options, which stand on line 2."""
    conf = path / name
    conf.write_text(f'agent: {{ }}; secret: {{ it: {{ allow = ["user:0"]; region = "{region}";\n{body} }}; }};\n',
                    encoding="utf-8")
    conf.chmod(0o600)
    result = run([AGENTD, "--check", str(conf)], clean_env())
    assert result.returncode in (0, 1), result.stderr
    return [line for line in (result.stdout + result.stderr).splitlines() if f"{conf}:" in line]


def user(documents):
    return 'access_key_id = "env:A"; secret_access_key = "env:B"; policy_documents = ' + \
        "[" + ", ".join(json.dumps(one) for one in documents) + "];"


def session(one, partition):
    return f'method = "assume-role"; role_arn = "arn:{partition}:iam::123456789012:role/r"; ' \
        f'credential_type = "temporary-credentials"; session_policy_document = {json.dumps(one)};'


@pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])
def test_both_sides_agree(tmp_path, row):
    wanted, partition = row.get("refused"), PARTITIONS[row["region"]]
    try:
        check_identity_policy(text(row), partition)
        refused = None
    except AwsError as error:
        assert error.code == "MalformedPolicyDocument"
        refused = str(error)
    assert (refused is None) == (wanted is None), f"the look-alike: {refused}"
    for option, body in (("policy_documents", user([text(row)])),
                         ("session_policy_document", session(text(row), partition))):
        findings = check(tmp_path, body, row["region"])
        if wanted is None:
            assert findings == []
        else:
            assert len(findings) == 1 and wanted in findings[0], findings
            assert f':2: secret "it": {option}: ' in findings[0]


def test_names_are_unique():
    names = [row["name"] for row in ROWS]
    assert len(names) == len(set(names)) and len(names) > 100


def test_which_document_and_which_statement(tmp_path):
    good = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    bad = json.dumps({"Statement": [good, {**good, "Action": "s3"}]})
    (tmp_path / "two.json").write_text(bad, encoding="utf-8")
    assert check(tmp_path, user([json.dumps({"Statement": good}), bad]))[0].endswith(
        ':2: secret "it": policy_documents: document 2: statement 2: action "s3" lacks the service before it '
        '("s3:GetObject")')
    assert re.search(r':2: secret "it": policy_documents: document 1: @two.json: statement 2: action "s3" lacks',
                     check(tmp_path, user(["@two.json", json.dumps({"Statement": good})]))[0])
    assert ':2: secret "it": policy_documents: @two.json: statement 2: action "s3" lacks' in \
        check(tmp_path, user(["@two.json"]))[0]


def test_an_empty_string_is_no_document(tmp_path):
    """As with the other lists."""
    for value in ('""', '" "', "[]"):
        body = f'access_key_id = "env:A"; secret_access_key = "env:B"; policy_documents = {value};'
        assert check(tmp_path, body) == []
