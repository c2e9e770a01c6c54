# SPDX-License-Identifier: Apache-2.0
"""Client libraries that Debian does not have: the current boto3 (.venv, as ./check makes it) and the JavaScript SDK
(.node). Made once, whoever comes first; a reason instead when that cannot be."""
import contextlib
import fcntl
import filecmp
import os
import shutil
import subprocess

from agent import TOP

VENV, NODE = os.path.join(TOP, ".venv"), os.path.join(TOP, ".node")


@contextlib.contextmanager
def alone(path):
    with open(path + ".lock", "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def same(one, other):
    return os.path.exists(other) and filecmp.cmp(one, other, shallow=False)


def install(command, directory, wanted, stamp):
    """Runs an installer; the stamp says for which list of packages it went well."""
    result = subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=300, check=False)
    if result.returncode != 0:
        return f"{command[0]} could not install: {result.stderr.strip()[-200:]}"
    shutil.copy(wanted, stamp)
    return None


def current_boto3():
    """(python, reason)."""
    wanted, stamp = os.path.join(TOP, "tests", "requirements.txt"), os.path.join(VENV, "requirements.txt")
    python = os.path.join(VENV, "bin", "python")
    with alone(VENV):
        if same(wanted, stamp):
            return python, None
        shutil.rmtree(VENV, ignore_errors=True)
        made = subprocess.run(["/usr/bin/python3", "-m", "venv", VENV], capture_output=True, text=True, check=False)
        if made.returncode != 0:
            return None, f"no venv: {made.stderr.strip()[-200:]}"
        command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", wanted]
        return python, install(command, TOP, wanted, stamp)


def node_sdk():
    """(directory with node_modules and the scripts of tests/node, reason)."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None, "no node or npm here (Debian: apt-get install nodejs npm)"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").partition(".")[0]) < 18:
        return None, f"node {version.strip()} is too old for the SDK"
    source = os.path.join(TOP, "tests", "node")
    wanted, stamp = os.path.join(source, "package-lock.json"), os.path.join(NODE, "installed.json")
    os.makedirs(NODE, exist_ok=True)
    with alone(NODE):
        for name in ("package.json", "package-lock.json", "whoami.mjs"):
            if not same(os.path.join(source, name), os.path.join(NODE, name)):
                shutil.copy(os.path.join(source, name), NODE)
        if same(wanted, stamp):
            return NODE, None
        command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        return NODE, install(command, NODE, wanted, stamp)
