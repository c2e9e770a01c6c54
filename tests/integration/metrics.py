# SPDX-License-Identifier: Apache-2.0
"""Reads agent.metrics as {(name, labels…): value}."""


def read(agent):
    """{name or (name, label values in order of their names…): value}; histograms by name + suffix."""
    values = {}
    for family in agent.call("agent.metrics")["metrics"]:
        for sample in family["samples"]:
            labels = [sample["labels"][name] for name in sorted(sample["labels"])]
            name = family["name"] + sample.get("suffix", "")
            values[(name, *labels) if labels else name] = sample["value"] / family.get("divisor", 1)
    return values
