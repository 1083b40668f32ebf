"""What transactions may cost."""

from __future__ import annotations

from dataclasses import dataclass

from tests.benchmarks.gas_contracts import Artifact
from tests.benchmarks.gas_floor import Floor

LARGEST_RATIO = 1.12
LARGEST_RATIOS = {
    "submit_lease": 1.08,
    "submit_lease_confirmation": 1.08,
    "close_deployment": 1.08,
    # Vyper copies lists of groups into memory, and makes room for the longest: 3,091 gas
    "update_deployment": 1.19,
    "update_deployment_add_group": 1.16,
    "update_deployment_add_6_groups": 1.14,
    "update_deployment_remove_group": 1.21,
    "submit_deployment_8_groups": 1.13,
    # words that leases of a batch share are read and written again for each of them, at 100 gas
    "claim_x10": 1.14,
    "claim_x30": 1.16,
    "submit_stale_lease_x10": 1.18,
    "submit_stale_lease_x30": 1.20,
    "submit_stale_lease_x30_persist": 1.13,
    "confirm_closed_x10": 1.18,
    "confirm_closed_x30": 1.21,
    "finish_leases_x10": 1.19,
    "finish_leases_x30": 1.22,
    # each bid that the walk passes is read and unpacked
    "submit_fulfillment_wrong_hint_31": 1.13,
    # the permit is decoded, hashed and encoded twice: here and in the token
    "deposit_with_permit": 1.19,
    # texts are checked and copied into the event
    "update_provider": 1.14,
}
LARGEST_GAS = {
    "lifecycle": 280_000,
    "submit_lease_confirmation_x30": 8_000,
    "submit_lease_confirmation_x30_again": 8_000,
    "submit_stale_lease_without_persist": 50_000,
}
# an operation, another one, and how many times as much the first may cost
LARGEST_MULTIPLES = (
    ("submit_fulfillment_below_31", "submit_fulfillment_below_1", 1.01),
    ("submit_fulfillment_behind_31", "submit_fulfillment_behind_1", 1.01),
    ("submit_fulfillment_between_31", "submit_fulfillment_between_10", 1.01),
    ("submit_lease_31_bids", "submit_lease", 1.01),
    ("submit_fulfillment_evicting", "submit_fulfillment_below_31", 1.4),
    ("submit_fulfillment_evicting_between", "submit_fulfillment", 1.4),
)
LARGEST_RUNTIME_BYTES = 24_576  # EIP-170


@dataclass(frozen=True, slots=True)
class Cost:
    """What an operation costs and what it must cost, for each lease of a batch, in whole gas rounded up."""

    gas: int
    floor: int
    warm: int
    """What it costs when a call before it in the same transaction has touched all its words."""
    new_slots: int
    """Words that were zero before, over all leases."""

    @property
    def ratio(self) -> float:
        return round(self.gas / self.floor, 3)


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured."""

    costs: dict[str, Cost]
    floors: dict[str, Floor]


def failures(report: Report, artifacts: dict[str, Artifact]) -> list[str]:
    """Say which limits are passed."""
    found = [
        f"{operation}: {cost.ratio} times the floor, at most {LARGEST_RATIOS.get(operation, LARGEST_RATIO)}"
        for operation, cost in report.costs.items()
        if cost.gas > cost.floor * LARGEST_RATIOS.get(operation, LARGEST_RATIO)
    ]
    found += [
        f"{operation}: {report.costs[operation].gas:,} gas, at most {most} times what {other} costs"
        for operation, other, most in LARGEST_MULTIPLES
        if report.costs[operation].gas > report.costs[other].gas * most
    ]
    found += [
        f"{operation}: {report.costs[operation].gas:,} gas, at most {most:,}"
        for operation, most in LARGEST_GAS.items()
        if report.costs[operation].gas > most
    ]
    found += [
        f"{name}: {artifact.runtime_size_bytes:,} bytes of code, at most {LARGEST_RUNTIME_BYTES:,}"
        for name, artifact in artifacts.items()
        if artifact.runtime_size_bytes > LARGEST_RUNTIME_BYTES
    ]
    return found
