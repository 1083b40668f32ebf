"""What the report of `make bench` has to say, and what counts as a failure in it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.benchmarks.speed import REPORT, failures, table

GOOD: dict[str, Any] = {
    "events_to_decision": {"ours": 200_000, "web3": 4_000, "unit": "events/s", "ratio": 50.0},
    "facilitator_loop": {"ours": 3_000, "web3": 100, "unit": "orders/s", "ratio": 30.0},
    "submission": {"ours": 2_000, "web3": 100.0, "unit": "transactions/s", "ratio": 20.0, "lost": 0},
    "scale": {"agent": {"size": 1_000, "ratio": {"requests": 1.0, "function_calls": 1.5}, "blocks_until_done": 3}},
    "latency": {"p95_milliseconds": 100.0, "most_blocks_after_the_first_possible_one": 0},
    "memory": {"kilobytes_per_1000_blocks": 1_024.0},
    "start": {"engine": 200.0, "ours": 240.0, "ratio": 1.2},
}


def test_failures__everything_just_as_promised__none() -> None:
    assert failures(GOOD) == []
    assert failures({}) == []


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("events_to_decision", {"ratio": 49.9}),
        ("facilitator_loop", {"ratio": 29.9}),
        ("submission", {"ratio": 19.9}),
        ("submission", {"lost": 1}),
        ("scale", {"agent": {"size": 1, "ratio": {"function_calls": 1.51}}}),
        ("scale", {"agent": {"size": 1, "ratio": {}, "blocks_until_done": 4}}),
        ("latency", {"p95_milliseconds": 100.1}),
        ("latency", {"most_blocks_after_the_first_possible_one": 1}),
        ("memory", {"kilobytes_per_1000_blocks": 1_025.0}),
        ("start", {"ratio": 1.21}),
    ],
)
def test_failures__one_figure_is_worse__is_named(part: str, change: dict[str, Any]) -> None:
    (failure,) = failures(GOOD | {part: GOOD[part] | change})

    assert part in failure or "agent" in failure


def test_table__any_parts__has_a_line_for_each() -> None:
    assert sum(line.startswith(tuple(GOOD)) or "agent" in line for line in table(GOOD)) >= len(GOOD)
    assert len(table({})) == 1


def test_report__as_it_is_committed__keeps_what_is_promised() -> None:
    assert failures(json.loads(REPORT.read_text(encoding="ascii"))) == []
