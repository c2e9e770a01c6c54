# SPDX-License-Identifier: Apache-2.0
"""The unit files: what systemd thinks of them, without a running systemd."""
import glob
import os
import re
import shutil

import pytest

from agent import AGENTD, BUILD, TOP
from cli import run

ANALYZE = shutil.which("systemd-analyze")
pytestmark = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is missing: apt-get install systemd")


@pytest.fixture
def units(tmp_path):
    """The built units, with the agent of the build tree, since verify wants ExecStart to exist."""
    for name in ("kms-agent.service", "kms-agent.socket"):
        with open(os.path.join(BUILD, "systemd", name), encoding="utf-8") as file:
            text = re.sub(r"^ExecStart=\S+", f"ExecStart={AGENTD}", file.read(), flags=re.M)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_verify(units):
    result = run([ANALYZE, "verify", str(units / "kms-agent.service"), str(units / "kms-agent.socket")],
                 {"SYSTEMD_UNIT_PATH": f"{units}:", "PATH": os.environ["PATH"]})
    ours = [line for line in result.stderr.splitlines() if "kms-agent" in line]
    assert result.returncode == 0 and ours == []


def test_exposure(units):
    """At most 1.5 (the threshold is ten times the score); a control says that the number is read at all."""
    service = str(units / "kms-agent.service")
    result = run([ANALYZE, "security", "--offline=true", "--threshold=15", service])
    assert result.returncode == 0, result.stdout[-300:]
    assert run([ANALYZE, "security", "--offline=true", "--threshold=5", service]).returncode != 0


def test_no_path_is_left_open(units):
    for name in ("kms-agent.service", "kms-agent.socket"):
        text = (units / name).read_text(encoding="utf-8")
        assert not re.search(r"@\w+@(?!\w)|\$\{prefix\}|NONE/", re.sub(r"@(system-service|privileged|resources|memlock)", "",
                                                                  text))


def test_catalog_explains_every_message_id():
    with open(os.path.join(TOP, "agent", "base", "message_ids.h"), encoding="utf-8") as file:
        ids = set(re.findall(r'"([0-9a-f]{32})"', file.read()))
    with open(os.path.join(TOP, "systemd", "kms-agent.catalog"), encoding="utf-8") as file:
        explained = re.findall(r"^-- ([0-9a-f]{32})$", file.read(), flags=re.M)
    assert len(explained) == len(set(explained))
    assert set(explained) == ids and ids


def test_catalog_says_what_events_send():
    """Each event is sent by something, and the texts use names of fields that there are."""
    with open(os.path.join(TOP, "agent", "base", "message_ids.h"), encoding="utf-8") as file:
        header = file.read()
    sources = ""
    for path in glob.glob(os.path.join(TOP, "agent", "**", "*.c"), recursive=True):
        with open(path, encoding="utf-8") as file:
            sources += file.read()
    for name in re.findall(r"#define (MESSAGE_ID_\w+)", header):
        assert re.search(rf"\b{name}\b", sources), f"nothing sends {name}"
    with open(os.path.join(TOP, "systemd", "kms-agent.catalog"), encoding="utf-8") as file:
        used = set(re.findall(r"@(\w+)@", file.read()))
    assert used and used <= set(re.findall(r'#define FIELD_\w+ "(\w+)"', header))
