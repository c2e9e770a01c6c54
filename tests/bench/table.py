# SPDX-License-Identifier: Apache-2.0
"""Results as rows, and the one table of them."""
import statistics


class Row:
    """One figure against its limit. values: one of each round; the median is judged, the range is the spread."""

    def __init__(self, target, what, values, limit, at_least=False, unit="×", detail=""):
        self.target, self.what, self.limit, self.at_least, self.unit = target, what, limit, at_least, unit
        self.values, self.detail = values, detail

    @property
    def value(self):
        return statistics.median(self.values)

    @property
    def met(self):
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def cells(self):
        if self.values is None:
            return [str(self.target), self.what, "-", "-", "-", "not measured", self.detail]
        limit = f"{'≥' if self.at_least else '≤'} {self.limit:g}{self.unit}"
        spread = f"{min(self.values):.2f}–{max(self.values):.2f}" if len(self.values) > 1 else "-"
        return [str(self.target), self.what, f"{self.value:.2f}{self.unit}", spread, limit,
                "met" if self.met else "MISSED", self.detail]


def not_measured(target, what, why):
    return Row(target, what, None, 0, detail=why)


def microseconds(ns):
    return f"{ns / 1000:.1f} µs" if ns < 1e6 else f"{ns / 1e6:.1f} ms"


def show(rows):
    head = ["target", "what", "measured", "spread", "limit", "", "p50 of the last round: measured / floor"]
    lines = [head] + [row.cells() for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for number, line in enumerate(lines):
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))
