# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the integration tests: the look-alike, the agent, and the checks that every test gets for nothing:
no secret anywhere it could be read later, no access key before its fence, no report of a sanitizer."""
import fnmatch
import os
import signal
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "cloud")]

from agent import AGENTD, Agent, has_test_hooks  # noqa: E402
from client import Cloud  # noqa: E402
from moto_cloud import Moto  # noqa: E402

ON_MOTO = os.environ.get("KMS_CLOUD") == "moto"


# A shell without job control gives its background jobs these ignored, and so would they come to every agent.
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config):
    config.addinivalue_line("markers", "hooks: needs a build with --enable-test-hooks")
    config.addinivalue_line("markers", "root: needs root, to act as other users")
    config.addinivalue_line("markers", "slow: takes more than ten seconds")
    if not os.path.exists(AGENTD):
        pytest.exit(f"{AGENTD} is missing: build first, and set KMS_BUILD_DIR to the build directory", 2)


def moto_cannot():
    """(pattern, reason) of moto_cannot.txt."""
    with open(os.path.join(HERE, "moto_cannot.txt"), encoding="utf-8") as file:
        return [line.split(None, 1) for line in file if line.strip() and not line.startswith("#")]


def pytest_collection_modifyitems(items):
    cannot = moto_cannot() if ON_MOTO else []
    for item in items:
        for pattern, reason in cannot:
            if fnmatch.fnmatchcase(item.name, pattern):
                item.add_marker(pytest.mark.skip(reason=f"moto: {reason.strip()}"))
        if item.get_closest_marker("hooks") and not has_test_hooks():
            item.add_marker(pytest.mark.skip(reason="the build has no test hooks"))
        if item.get_closest_marker("root") and os.getuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure comes with the log of its agents and the last calls at the look-alike."""
    report = (yield).get_result()
    if not report.failed:
        return
    for number, agent in enumerate(getattr(item, "kms_agents", [])):
        report.sections.append((f"log of agent {number}", agent.log()[-8000:]))
    cloud = item.funcargs.get("cloud") if hasattr(item, "funcargs") else None
    if cloud is not None:
        try:
            calls = cloud.log()[-40:]
        except OSError as error:
            report.sections.append(("look-alike", repr(error)))
            return
        lines = [f"{entry['seq']} {entry['time']} {entry['action']} {entry['status']} {entry['error_code'] or ''} "
                 f"{entry['params'].get('UserName', '')}" for entry in calls]
        report.sections.append(("calls at the look-alike", "\n".join(lines)))


@pytest.fixture(scope="session")
def running_cloud():
    python = os.environ.get("CLOUD_PYTHON", "/usr/bin/python3")
    with Moto.start() if ON_MOTO else Cloud.start("--metadata-port", "0", python=python) as cloud:
        yield cloud


@pytest.fixture
def cloud(running_cloud):
    """The look-alike, as new. At the end: no access key may have come before its fence."""
    running_cloud.reset()
    yield running_cloud
    assert running_cloud.violations() == []


@pytest.fixture
def make_agent(request, cloud):
    """make_agent(secrets={…}, options={…}, start=True) -> Agent; all are checked and ended afterwards."""
    agents = request.node.kms_agents = []

    def make(start=True, **more):
        agent = Agent(cloud, **more)
        agents.append(agent)
        return agent.start() if start else agent

    yield make
    try:
        errors = []
        for agent in agents:
            try:
                agent.close()
            except AssertionError as error:
                errors.append(str(error))
        assert not errors, "\n".join(errors)
    finally:
        request.addfinalizer(lambda: [agent.remove() for agent in agents])


@pytest.fixture
def agent(make_agent):
    """A running agent with the secrets app (IAM users) and session (temporary credentials)."""
    return make_agent()


@pytest.fixture
def rpc(agent):
    with agent.rpc() as rpc:
        yield rpc
