# SPDX-License-Identifier: Apache-2.0
"""Partitions and endpoints against botocore's own endpoint data, whatever version of it is installed.

Sources: botocore data/partitions.json, data/endpoints.json, data/{iam,sts}/*/endpoint-rule-set-1.json."""
import json
import os
import subprocess

import botocore
import pytest
from botocore.endpoint_provider import EndpointProvider
from botocore.loaders import Loader

from agent import BUILD

PROGRAM = os.path.join(BUILD, "tests", "unit", "test_partition")
DATA = os.path.join(os.path.dirname(botocore.__file__), "data")


def load(name: str) -> list[dict]:
    with open(os.path.join(DATA, name), encoding="utf-8") as file:
        return json.load(file)["partitions"]


def ours(regions: list[str]) -> dict[str, list[str]]:
    """region -> [partition, IAM URL, IAM region, STS URL, STS region], or ["-"]."""
    output = subprocess.run([PROGRAM, *regions], capture_output=True, text=True, check=True).stdout
    return {line.split()[0]: line.split()[1:] for line in output.splitlines()}


def expected(partition: dict, service: str, region: str) -> tuple[str, str]:
    """Host and signing region as botocore's resolver finds them: a partition endpoint, a row, or the template."""
    rows = partition["services"].get(service, {})
    if rows.get("isRegionalized") is False:
        row = rows["endpoints"][rows["partitionEndpoint"]]
    else:
        row = rows.get("endpoints", {}).get(region, {})
    template = partition["defaults"]["hostname"].format(service=service, region=region,
                                                        dnsSuffix=partition["dnsSuffix"])
    return row.get("hostname", template), row.get("credentialScope", {}).get("region", region)


def regions_of(partition: dict) -> list[str]:
    return [region for region in partition["regions"] if not region.endswith("-global")]


@pytest.mark.parametrize("service", ["iam", "sts"])
def test_endpoints(service: str) -> None:
    for partition in load("endpoints.json"):
        regions = regions_of(partition)
        for region, found in ours(regions).items():
            host, signing = expected(partition, service, region)
            url, signed = found[1:3] if service == "iam" else found[3:5]
            assert (url, signed) == (f"https://{host}", signing), region


@pytest.mark.parametrize("service", ["iam", "sts"])
def test_rule_sets(service: str) -> None:
    """The rules that SDKs go by today, where endpoints.json has no row of its own."""
    loader = Loader()
    rules = EndpointProvider(loader.load_service_model(service, "endpoint-rule-set-1"), loader.load_data("partitions"))
    more = {"UseGlobalEndpoint": False} if service == "sts" else {}
    checked = 0
    for partition in load("partitions.json"):
        for region, found in ours(regions_of(partition)).items():
            endpoint = rules.resolve_endpoint(Region=region, UseFIPS=False, UseDualStack=False, **more)
            schemes = endpoint.properties.get("authSchemes") or [{}]
            url, signed = found[1:3] if service == "iam" else found[3:5]
            assert (url, signed) == (endpoint.url, schemes[0].get("signingRegion", region)), region
            checked += 1
    assert checked > 20


def test_partitions() -> None:
    checked = 0
    for partition in load("partitions.json"):
        for region, found in ours(regions_of(partition)).items():
            assert found[0] == partition["id"], region
            checked += 1
    assert checked > 20


def test_not_a_region() -> None:
    assert set(map(tuple, ours(["aws-global", "mars-east-1", "us-east"]).values())) == {("-",)}
