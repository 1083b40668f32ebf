"""The figures of docs/gas.md and of the README are those of the committed report."""

from __future__ import annotations

import json
import re

from tests.bytecode import ROOT

COSTS = json.loads((ROOT / "reports" / "gas.json").read_text())
PAGE = (ROOT / "docs" / "gas.md").read_text()
README = " ".join((ROOT / "README.md").read_text().split())
ROW = re.compile(r"^\| `(?P<operation>\w+)` \| (?P<figures>[\d,. |]+) \|$", re.MULTILINE)
PEER = re.compile(
    r"^\| \S.+?, (?:measured|estimated) \| .+? \| (?P<gas>[\d,]+) \| \S+ \| (?P<ratio>[\d.]+) \|", re.MULTILINE
)


def test_page__rows__have_the_figures_of_the_report_and_leave_none_out() -> None:
    rows = {row["operation"]: row["figures"] for row in ROW.finditer(PAGE)}

    assert rows == {
        operation: f"{cost['gas']:,} | {cost['floor']:,} | {cost['ratio']:.3f} | {cost['warm']:,} | {cost['new_slots']}"
        for operation, cost in COSTS.items()
    }


def test_page__others__are_compared_with_a_lifecycle_until_all_are_paid() -> None:
    peers = [(int(row["gas"].replace(",", "")), row["ratio"]) for row in PEER.finditer(PAGE)]

    assert len(peers) == 7
    assert [ratio for _, ratio in peers] == [f"{gas / COSTS['lifecycle_settled']['gas']:.2f}" for gas, _ in peers]


def test_page__figures_in_sentences__are_those_of_the_report() -> None:
    text = " ".join(PAGE.split())
    evicting = COSTS["submit_fulfillment_evicting"]["gas"] / COSTS["submit_fulfillment_below_31"]["gas"]

    assert f"costs {evicting:.2f} times one into a book with room" in text
    assert f"{COSTS['submit_stale_lease']['gas']:,} gas in all" in text
    assert f"and {COSTS['submit_stale_lease_without_persist']['gas']:,} without a new order" in text
    alone, batch = (COSTS[f"submit_lease_confirmation{size}"]["gas"] for size in ("", "_x30"))
    assert f"{alone:,} alone, {batch:,} in a batch of 30" in text
    claim, claims = (COSTS[f"claim{size}"]["gas"] for size in ("", "_x30"))
    assert f"it would be {alone + claim:,} alone and {batch + claims:,} in a batch of 30" in text
    assert f"the effects of our `lifecycle` is {COSTS['lifecycle']['floor']:,}" in text
    job, settled = (round(COSTS[name]["gas"], -3) for name in ("lifecycle", "lifecycle_settled"))
    assert f"takes about {job:,} gas, {settled:,} until all are paid" in README
