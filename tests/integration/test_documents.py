# SPDX-License-Identifier: Apache-2.0
"""The manual pages and the README name what the programs have: options, verbs, variables, pages, statuses."""
import os
import re

import pytest

from agent import AGENTD, KMS_EXEC, KMSCTL, TOP, clean_env
from cli import run

PAGES = {"kms-agentd.8": AGENTD, "kms-exec.1": KMS_EXEC, "kmsctl.1": KMSCTL}


def read(*path):
    with open(os.path.join(TOP, *path), encoding="utf-8") as file:
        return file.read()


def words(page):
    """The page without its macros: "Fl Fl check" is --check."""
    return re.sub(r"\bFl +-(?=\w)", "--", re.sub(r"\bFl +Fl +", "--", read("man", page)))


def help_of(program):
    result = run([program, "--help"], clean_env())
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("page", PAGES)
def test_options(page):
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", help_of(PAGES[page])))
    assert len(options) > 4
    assert sorted(name for name in options if not re.search(rf"{name}(?![\w-])", words(page))) == []


def test_verbs():
    verbs = re.findall(r"^  ([a-z][a-z-]+) ", help_of(KMSCTL), re.M)
    assert "rotate-root" in verbs and len(verbs) > 15
    page, readme = read("man", "kmsctl.1"), read("README.md")
    assert [verb for verb in verbs if not re.search(rf"^\.It Cm {verb}\b(?!-)", page, re.M)] == []
    operator = re.search(r"\*\*As an operator\.\*\*(.*?)\n\n", readme, re.S).group(1)
    assert [verb for verb in verbs if not re.search(rf"`(kmsctl )?{verb}[` ]", operator)] == []


def test_variables_of_the_agent():
    """Each that the agent's own sources name."""
    names = set(re.findall(r'^ +\{"([A-Z][A-Z0-9_]+)", &e->', read("agent", "sources", "environment.c"), re.M))
    names |= set(re.findall(r'is_true\("([A-Z0-9_]+)"\)', read("agent", "sources", "environment.c")))
    names |= {"LISTEN_FDS", "NOTIFY_SOCKET", "WATCHDOG_USEC", "JOURNAL_STREAM"}
    assert len(names) > 15 and "CREDENTIALS_DIRECTORY" in names
    page = read("man", "kms-agentd.8")
    assert sorted(name for name in names if not re.search(rf"\b{name}\b", page)) == []


def test_pages_that_are_named_are_there_and_installed():
    makefile, pages = read("Makefile.am"), os.listdir(os.path.join(TOP, "man"))
    assert [page for page in pages if f"man/{page}" not in makefile] == []
    texts = [read("man", page) for page in pages] + [help_of(program) for program in PAGES.values()]
    named = {name for text in texts for name in
             re.findall(r"^\.Xr (km\S+ \d)", text, re.M) + re.findall(r"^\.BR (km\S+ \(\d)\)", text, re.M)
             + re.findall(r"\b(km[a-z.-]+\(\d)\)", text)}
    assert len(named) > 4
    assert sorted(name for name in {re.sub(r"[ (]+", ".", name) for name in named} if name not in pages) == []


def test_statuses_and_streams_of_check(tmp_path):
    """What kms-agentd(8) says of --check: 0, 1 or 2, and findings on standard error."""
    file = tmp_path / "agent.conf"
    file.write_text("agent: { };\n")
    result = run([AGENTD, "--check", str(file)], clean_env())
    assert (result.returncode, result.stdout, result.stderr) == (0, "configuration ok\n", "")
    file.write_text("agent: { sokket = \"/x\"; };\n")
    result = run([AGENTD, "--check", str(file)], clean_env())
    assert result.returncode == 1 and result.stdout == "" and result.stderr.startswith(f"{file}:1: ")
    assert run([AGENTD, "--config", str(file), "--print-config"], clean_env()).returncode == 1
    assert run([AGENTD, "--chek"], clean_env()).returncode == 2
    assert run([AGENTD, str(file)], clean_env()).returncode == 2
