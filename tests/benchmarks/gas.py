"""What each transaction costs, beside the least that it could cost: `make gas`.

Runs the transactions on a chain of its own, writes reports/gas.json, and fails when a limit is passed. With `--check`
it compares with that file instead, and fails when a figure has risen by more than 1 %.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass

from tests.benchmarks.gas_chain import ROOT, running_chain
from tests.benchmarks.gas_contracts import Artifact, compile_contract
from tests.benchmarks.gas_floor import OTHER_CONTRACT, WORD, Floor, Unexplained, check_needs, floor
from tests.benchmarks.gas_market import CONTRACTS, Market
from tests.benchmarks.gas_needs import NEEDS, REGISTRY
from tests.benchmarks.gas_trace import Effect, trace
from tests.benchmarks.gas_transactions import transactions

REPORT = ROOT / "reports" / "gas.json"

LARGEST_RATIO = 1.25
LARGEST_RISE_PERCENT = 1
LARGEST_GAS = {
    "lifecycle": 320_000,
    "submit_lease_confirmation_x30": 9_000,
    "submit_lease_confirmation_x30_again": 9_000,
}
LARGEST_RUNTIME_BYTES = 24_576  # EIP-170

LIFECYCLE = (
    "submit_deployment",
    "submit_fulfillment",
    "submit_lease",
    "submit_lease_confirmation",
    "close_deployment",
)
SUMS = {"lifecycle": LIFECYCLE, "lifecycle_settled": (*LIFECYCLE, "confirm_closed")}


@dataclass(frozen=True, slots=True)
class Cost:
    """What an operation costs and what it must cost, for each lease of a batch, in whole gas rounded up."""

    gas: int
    floor: int
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


def measure(artifacts: dict[str, Artifact], port: int) -> Report:
    """Run all transactions.

    Raises:
        Unexplained: one touches what its rules do not need.
    """
    costs, floors = {}, {}
    with running_chain(port) as chain:
        market = Market(chain, artifacts)
        names = {market.registry.address: REGISTRY}
        for measured in transactions(market):
            needs = NEEDS[measured.operation]
            check_needs(measured, trace(chain, measured.receipt, market.exchange.address), needs, names)
            least = floor(measured.receipt, needs, measured.leases)
            floors[measured.operation] = least
            costs[measured.operation] = Cost(
                gas=-(-measured.receipt.gas // measured.leases),
                floor=-(-least.gas // measured.leases),
                new_slots=sum(need.times(measured.leases) for need in needs if need.effect is Effect.NEW),
            )
    for name, parts in SUMS.items():
        each = [costs[part] for part in parts]
        costs[name] = Cost(
            sum(cost.gas for cost in each), sum(cost.floor for cost in each), sum(cost.new_slots for cost in each)
        )
    return Report(costs, floors)


def failures(report: Report, artifacts: dict[str, Artifact]) -> list[str]:
    """Say which limits are passed."""
    found = [
        f"{operation}: {cost.ratio} times the floor, at most {LARGEST_RATIO}"
        for operation, cost in report.costs.items()
        if cost.gas > cost.floor * LARGEST_RATIO
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


def rises(report: Report, committed: dict[str, dict[str, float]]) -> list[str]:
    """Say which figures are above those of a report that was written before, and which the report lacks."""
    found = [f"{operation}: not in {REPORT.name}" for operation in report.costs.keys() - committed.keys()]
    found += [f"{operation}: only in {REPORT.name}" for operation in committed.keys() - report.costs.keys()]
    for operation in report.costs.keys() & committed.keys():
        cost, before = report.costs[operation], committed[operation]
        if cost.gas * 100 > before["gas"] * (100 + LARGEST_RISE_PERCENT) or cost.new_slots > before["new_slots"]:
            found.append(
                f"{operation}: {cost.gas:,} gas and {cost.new_slots} new words, {before['gas']:,} and "
                f"{before['new_slots']} in {REPORT.name}: make it cheaper, or run `make gas` and commit the file"
            )
    return sorted(found)


# -------------------------------------------------------------------- output


def print_report(report: Report, artifacts: dict[str, Artifact]) -> None:
    print(f"{'transaction':<38}{'gas':>9}{'floor':>9}{'ratio':>7}{'new words':>11}")
    for operation, cost in report.costs.items():
        print(f"{operation:<38}{cost.gas:>9,}{cost.floor:>9,}{cost.ratio:>7.3f}{cost.new_slots:>11}")
    print("\nThe floors: 21,000, calldata, events, and the words that the rules of docs/protocol.md need.")
    for operation, least in report.floors.items():
        print_floor(operation, least)
    print("\nruntime code, bytes")
    for name, artifact in artifacts.items():
        print(f"  {name:<20}{artifact.runtime_size_bytes:>7,} of {LARGEST_RUNTIME_BYTES:,}")


def print_floor(operation: str, least: Floor) -> None:
    parts = f"calldata {least.calldata:,}, events {least.logs:,}, words {least.words:,}"
    contracts = f", other contracts {least.contracts:,}" if least.contracts else ""
    refund = f", refund -{least.refund:,}" if least.refund else ""
    print(f"\n{operation}: {parts}{contracts}{refund}")
    for need in NEEDS[operation]:
        each = " of each lease" if need.is_per_lease else ""
        place = f"{need.contract}: " if need.contract else ""
        print(f"  {need.effect:<8}{WORD[need.effect]:>7,}  {place}{need.word}{each}: {need.rule}")
    for contract in sorted({need.contract for need in NEEDS[operation] if need.contract}):
        print(f"  call    {OTHER_CONTRACT:>7,}  {contract}")


def write_report(report: Report) -> None:
    values = {
        operation: {"gas": cost.gas, "floor": cost.floor, "ratio": cost.ratio, "new_slots": cost.new_slots}
        for operation, cost in report.costs.items()
    }
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(values, indent=2) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="of the chain; any free one by default")
    parser.add_argument("--check", action="store_true", help="compare with the committed report, write nothing")
    arguments = parser.parse_args()
    artifacts = {name: compile_contract(name) for name in CONTRACTS}
    try:
        report = measure(artifacts, arguments.port)
    except Unexplained as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    print_report(report, artifacts)
    passed = failures(report, artifacts)
    if arguments.check:
        passed += rises(report, json.loads(REPORT.read_text()))
    else:
        write_report(report)
    for failure in passed:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if passed else 0


if __name__ == "__main__":
    sys.exit(main())
