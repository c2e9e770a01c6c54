# SPDX-License-Identifier: Apache-2.0
"""agent.metrics and kmsctl metrics."""
import re

import metrics
from cli import kmsctl, kmsctl_json

LINE = re.compile(r'^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? -?[0-9]+(\.[0-9]+)?)$')


def test_counts(agent, cloud):
    lease = agent.call("lease.issue", secret="app")
    agent.call("lease.issue", secret="session")
    agent.call("lease.renew", lease_id=lease["lease_id"], ttl_s=7200)
    values = metrics.read(agent)
    assert values[("kms_leases", "active")] == 2
    assert values[("kms_mints_total", "app")] == 1 and values[("kms_mints_total", "session")] == 1
    assert values[("kms_renewals_total", "app")] == 1
    assert values["kms_leases_overdue"] == 0 and values["kms_leases_stuck"] == 0
    assert values["kms_connections"] >= 1 and values["kms_secrets"] == 2
    assert values["kms_issuing_allowed"] == 1
    assert values[("kms_aws_calls_total", "CreateUser", "ok")] == 1
    assert values[("kms_budget_calls_per_second", cloud.account_id, "iam")] == 500
    agent.call("lease.revoke", lease_id=lease["lease_id"])
    agent.wait_lease(lease["lease_id"], "revoked")
    values = metrics.read(agent)
    assert values[("kms_revocations_total", "client", "app")] == 1
    calls = [call for call in cloud.log() if call["service"] == "iam"]
    assert values[("kms_aws_latency_milliseconds_count", "iam")] == len(calls)
    assert values[("kms_aws_latency_milliseconds_bucket", "+Inf", "iam")] == len(calls)
    assert values[("kms_aws_latency_milliseconds_bucket", "10", "iam")] <= len(calls)


def test_failures_are_counted_by_code(agent, cloud):
    cloud.fault("CreateUser", "error", code="LimitExceeded", status=409, message="Cannot exceed quota")
    try:
        agent.call("lease.issue", secret="app")
        raise AssertionError("a quota is no reason to succeed")
    except Exception as error:  # RpcError
        assert getattr(error, "code", None) == "aws_limit", error
    cloud.fault("CreateUser", "error", code="Throttling", status=400)
    agent.call("lease.issue", secret="app")
    values = metrics.read(agent)
    assert values[("kms_mint_failures_total", "LimitExceeded", "app")] == 1
    assert values[("kms_aws_calls_total", "CreateUser", "LimitExceeded")] == 1
    assert values[("kms_aws_calls_total", "CreateUser", "Throttling")] == 1
    assert values[("kms_aws_throttles_total", "iam")] == 1


def test_prometheus_text(agent):
    agent.call("lease.issue", secret="app")
    result = kmsctl(agent, "metrics")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    for line in lines:
        assert LINE.match(line), line
    assert 'kms_mints_total{secret="app"} 1' in lines
    assert any(line.startswith('kms_budget_calls_per_second{service="iam",account="') and line.endswith(" 500.000")
               for line in lines)
    # Each sample belongs to the family before it, as the format demands.
    family = None
    for line in lines:
        if line.startswith("# TYPE "):
            family = line.split()[2]
        elif not line.startswith("#"):
            assert re.match(r"[a-z_]+", line).group().startswith(family), line
    assert {"name", "type", "help", "samples"} <= set(kmsctl_json(agent, "metrics")["metrics"][0])
