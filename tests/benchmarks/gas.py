"""What each transaction costs, beside the least that it could cost: `make gas`.

Runs the transactions on a chain of its own, writes reports/gas.json, and fails when a limit is passed. With `--check`
it compares with that file instead, and fails when a figure has risen by more than 1 %, or is another one at all:
figures are exact, so such a report is not of these contracts.
"""

from __future__ import annotations

import argparse
import sys

from tests.benchmarks.gas_chain import NoChain, check_port, running_chain
from tests.benchmarks.gas_contracts import Artifact, NotCompiled, compile_contract
from tests.benchmarks.gas_floor import OTHER_CONTRACT, WORD, Floor, Unexplained, check_needs, floor
from tests.benchmarks.gas_limits import LARGEST_RUNTIME_BYTES, Cost, Report, failures
from tests.benchmarks.gas_market import CONTRACTS, Market
from tests.benchmarks.gas_needs import NEEDS, REGISTRY, TOKEN
from tests.benchmarks.gas_report import FIGURES, NAME, UnusableReport, differences, read_report, write_report
from tests.benchmarks.gas_trace import Effect, trace
from tests.benchmarks.gas_transactions import transactions

LIFECYCLE = (
    "submit_deployment",
    "submit_fulfillment",
    "submit_lease",
    "submit_lease_confirmation",
    "close_deployment",
)
SUMS = {
    "lifecycle": LIFECYCLE,
    "lifecycle_settled": (*LIFECYCLE, "confirm_closed"),
    "lifecycle_first_use": tuple(f"{part}_first_use" for part in LIFECYCLE),
}


def measure(artifacts: dict[str, Artifact], port: int) -> Report:
    """Run all transactions.

    Raises:
        Unexplained: one touches what its rules do not need.
    """
    costs, floors = {}, {}
    with running_chain(port) as chain:
        market = Market(chain, artifacts)
        contracts = {market.registry.address: REGISTRY, market.token.address: TOKEN}
        for measured in transactions(market):
            found = trace(chain, measured.receipt)
            check_needs(measured, found, market.names, contracts)
            least = floor(measured.receipt, found)
            floors[measured.operation] = least
            costs[measured.operation] = Cost(
                gas=-(-measured.receipt.gas // measured.leases),
                floor=-(-least.gas // measured.leases),
                warm=-(-(measured.receipt.warm_gas or 0) // measured.leases),
                new_slots=sum(effect is Effect.NEW for effect in found.slots.values()),
            )
    for name, parts in SUMS.items():
        each = [costs[part] for part in parts]
        costs[name] = Cost(
            gas=sum(cost.gas for cost in each),
            floor=sum(cost.floor for cost in each),
            warm=sum(cost.warm for cost in each),
            new_slots=sum(cost.new_slots for cost in each),
        )
    return Report(costs, floors)


# -------------------------------------------------------------------- output


def print_report(report: Report, artifacts: dict[str, Artifact]) -> None:
    print(f"{'transaction':<38}{'gas':>9}{'floor':>9}{'ratio':>7}{'warm':>9}{'new words':>11}")
    for operation, cost in report.costs.items():
        line = f"{operation:<38}{cost.gas:>9,}{cost.floor:>9,}{cost.ratio:>7.3f}{cost.warm:>9,}{cost.new_slots:>11}"
        print(line)
    print("\nThe floors: 21,000, calldata, events, and the words that the rules of docs/protocol.md need.")
    for operation, least in report.floors.items():
        if operation in NEEDS:
            print_floor(operation, least)
    print("\nruntime code, bytes")
    for name, artifact in artifacts.items():
        print(f"  {name:<20}{artifact.runtime_size_bytes:>7,} of {LARGEST_RUNTIME_BYTES:,}")


def print_floor(operation: str, least: Floor) -> None:
    parts = f"calldata {least.calldata:,}, events {least.logs:,}, words {least.words:,}"
    contracts = f", other contracts {least.contracts:,}" if least.contracts else ""
    refund = f", refund -{least.refund:,}" if least.refund else ""
    print(f"\n{operation}: {parts}{contracts}{refund}")
    needs = [need for need in NEEDS[operation] if not need.is_optional]
    for need in needs:
        place = f"{need.contract}: " if need.contract else ""
        print(f"  {need.effect:<8}{WORD[need.effect]:>7,}  {place}{need.word}: {need.rule}")
    for contract in sorted({need.contract for need in needs if need.contract}):
        print(f"  call    {OTHER_CONTRACT:>7,}  {contract}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="of the chain; any free one by default")
    parser.add_argument("--check", action="store_true", help="compare with the committed report, write nothing")
    arguments = parser.parse_args()
    try:
        return run(arguments.port, is_check=arguments.check)
    except (NoChain, NotCompiled, Unexplained, UnusableReport) as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1


def run(port: int, *, is_check: bool) -> int:
    """Measure, and write the report or compare with it; return the exit code.

    Raises:
        NoChain: none can run on this port.
        NotCompiled: a contract.
        Unexplained: a transaction touches what its rules do not need.
        UnusableReport: there is nothing to compare with.
    """
    committed = read_report() if is_check else None
    check_port(port)
    artifacts = {name: compile_contract(name) for name in CONTRACTS}
    report = measure(artifacts, port)
    print_report(report, artifacts)
    passed = failures(report, artifacts)
    if committed is None:
        write_report(report.costs)
    else:
        passed += differences(report.costs, committed)
    for failure in passed:
        print(f"FAILED: {failure}", file=sys.stderr)
    if committed is not None and not passed:
        print(f"\n{len(committed) * len(FIGURES)} figures compared with {NAME}, none differs")
    return 1 if passed else 0


if __name__ == "__main__":
    sys.exit(main())
