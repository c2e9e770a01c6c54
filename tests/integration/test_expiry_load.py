# SPDX-License-Identifier: Apache-2.0
"""Small versions of the mass-expiry campaign (tests/campaign/expiry.py): the promises at a size that fits a check."""
import os
import subprocess

import pytest

from agent import TOP, clean_env

CAMPAIGN = os.path.join(TOP, "tests", "campaign", "expiry.py")


def campaign(*arguments, timeout_s=110):
    env = clean_env(KMS_BUILD_DIR=os.environ.get("KMS_BUILD_DIR"))
    result = subprocess.run(["/usr/bin/python3", CAMPAIGN, *arguments], capture_output=True, text=True, check=False,
                            timeout=timeout_s, env=env)
    print(result.stdout)
    return result


@pytest.mark.slow
def test_expiries_spread(cloud):
    """200 leases of 5 to 60 s; times are judged in the campaign, for a check shares its processors. None early, none
    left."""
    out = campaign("spread", "--leases", "200", "--report-only")
    assert out.returncode == 0, out.stderr
    assert "early: 0 " in out.stdout and "not dead: 0" in out.stdout


@pytest.mark.hooks
@pytest.mark.slow
def test_expiries_at_once(cloud):
    """100 due in the same second at 10 calls a second: phase one of all in some ten seconds."""
    out = campaign("burst", "--leases", "100", "--report-only")
    assert out.returncode == 0, out.stderr
    last_s = float(out.stdout.split("last key dead after ")[1].split(" s")[0])
    assert last_s <= 20, out.stdout


@pytest.mark.slow
def test_renewal_against_revocation(cloud):
    out = campaign("race", "--rounds", "300")
    assert out.returncode == 0, out.stdout + out.stderr
