"""What the reports of `make bench-tunnels` and `make bench-manifests` have to say, and what counts as a failure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.benchmarks import manifests, tunnels

TUNNELS: dict[str, Any] = {
    "tunnel_to_proxy": {"gbit_up": 0.9, "gbit_down": 0.9, "p50_microseconds": 0.9, "p99_microseconds": 0.9},
    "one_more_seconds": 1.0,
    "live": {"connections": 100, "broken": 0},
}
MANIFESTS = {"ratio": 6.0, "sent_by_tenant": 2.1}


def test_failures__everything_just_as_promised__none() -> None:
    assert tunnels.failures(TUNNELS) == []
    assert manifests.failures(MANIFESTS) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        *(({"tunnel_to_proxy": TUNNELS["tunnel_to_proxy"] | {key: 0.89}}, key) for key in TUNNELS["tunnel_to_proxy"]),
        ({"one_more_seconds": 1.01}, "one more"),
        ({"live": {"connections": 100, "broken": 1}}, "broke"),
        ({"live": {"connections": 99, "broken": 0}}, "broke"),
    ],
)
def test_failures__one_figure_of_tunnels_is_worse__is_named(change: dict[str, Any], named: str) -> None:
    (failure,) = tunnels.failures(TUNNELS | change)

    assert named in failure


@pytest.mark.parametrize("change", [{"ratio": 6.01}, {"sent_by_tenant": 2.11}])
def test_failures__one_figure_of_manifests_is_worse__is_named(change: dict[str, float]) -> None:
    (failure,) = manifests.failures(MANIFESTS | change)

    assert failure.startswith(next(iter(change)))


def test_reports__as_they_are_committed__keep_what_is_promised() -> None:
    assert tunnels.failures(json.loads(tunnels.REPORT.read_text(encoding="ascii"))) == []
    report = json.loads(manifests.REPORT.read_text(encoding="ascii"))
    assert manifests.failures(report) == []
    assert (report["agents"], report["manifest_bytes"] >= 1_000_000) == (20, True)
