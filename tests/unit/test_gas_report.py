"""What counts as a rise against the committed gas report."""

from __future__ import annotations

import pytest

from tests.benchmarks.gas import Cost, Report, rises

COMMITTED = {"claim": {"gas": 10_000, "floor": 9_000, "ratio": 1.111, "new_slots": 1}}


@pytest.mark.parametrize(
    ("gas", "new_slots", "is_rise"),
    [(10_000, 1, False), (10_100, 1, False), (10_101, 1, True), (9_000, 0, False), (9_000, 2, True)],
)
def test_rises__around_one_percent__are_those_above(gas: int, new_slots: int, is_rise: bool) -> None:
    found = rises(Report({"claim": Cost(gas, 9_000, new_slots)}, {}), COMMITTED)

    assert len(found) == is_rise


def test_rises__other_operations__are_named() -> None:
    found = rises(Report({"fund": Cost(1, 1, 0)}, {}), COMMITTED)

    assert found == ["claim: only in gas.json", "fund: not in gas.json"]
