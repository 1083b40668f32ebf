"""What a transaction may cost at most."""

from __future__ import annotations

import pytest

from tests.benchmarks.gas_limits import LARGEST_MULTIPLES, Cost, Report, failures


def costs_of(**changed: int) -> Report:
    names = {name for pair in LARGEST_MULTIPLES for name in pair[:2]}
    gas = {
        **dict.fromkeys(names, 10_000),
        "lifecycle": 280_000,
        "submit_lease_confirmation_x30": 8_000,
        "submit_lease_confirmation_x30_again": 8_000,
        "submit_stale_lease_without_persist": 50_000,
    }
    gas |= changed
    return Report({name: Cost(gas=each, floor=each, warm=each, new_slots=0) for name, each in gas.items()}, {})


def test_failures__all_at_their_limits__are_none() -> None:
    assert failures(costs_of(submit_fulfillment_below_31=10_100, submit_fulfillment_evicting=14_000), {}) == []


@pytest.mark.parametrize(
    ("operation", "gas"),
    [
        ("lifecycle", 280_001),
        ("submit_lease_confirmation_x30", 8_001),
        ("submit_stale_lease_without_persist", 50_001),
        ("submit_fulfillment_below_31", 10_101),
        ("submit_lease_31_bids", 10_101),
        ("submit_fulfillment_evicting_between", 14_001),
    ],
)
def test_failures__one_above_its_limit__is_named(operation: str, gas: int) -> None:
    (found,) = failures(costs_of(**{operation: gas}), {})

    assert found.startswith(f"{operation}: {gas:,} gas")


@pytest.mark.parametrize(
    ("operation", "gas", "is_failure"),
    [("claim", 1_120, False), ("claim", 1_121, True), ("submit_lease", 1_080, False), ("submit_lease", 1_081, True)],
)
def test_failures__ratio_to_the_floor__is_compared_with_its_limit(operation: str, gas: int, is_failure: bool) -> None:
    report = costs_of()
    report.costs["submit_lease_31_bids"] = Cost(gas=1, floor=1, warm=1, new_slots=0)
    report.costs[operation] = Cost(gas=gas, floor=1_000, warm=1, new_slots=0)

    assert [found.partition(":")[0] for found in failures(report, {})] == [operation] * is_failure
