# SPDX-License-Identifier: Apache-2.0
"""The Python client that PROTOCOL.md shows does what it says there."""
import os
import re

from agent import TOP, clean_env
from cli import run


def test_python_client(agent):
    with open(os.path.join(TOP, "PROTOCOL.md"), encoding="utf-8") as file:
        blocks = re.findall(r"^```python\n(.*?)^```", file.read(), flags=re.M | re.S)
    assert len(blocks) == 1
    assert len(blocks[0].strip().splitlines()) <= 16, "it is meant to be short"
    result = run(["/usr/bin/python3", "-c", blocks[0]], clean_env(KMS_AGENT_SOCKET=agent.socket, KMS_SECRET="app"))
    assert result.returncode == 0, result.stderr
    assert result.stdout
