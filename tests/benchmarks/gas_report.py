"""The committed report, reports/gas.json: how it is written, read, and compared with what was measured.

The same contracts give the same figures, so a report in which any figure differs is not of these contracts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

from tests.benchmarks.gas_chain import ROOT
from tests.benchmarks.gas_limits import Cost

REPORT = ROOT / "reports" / "gas.json"
NAME = REPORT.relative_to(ROOT)
LARGEST_RISE_PERCENT = 1

FIGURES = {"gas": "gas", "floor": "floor", "warm": "warm", "new_slots": "new words"}
"""Of a cost -> how they are called."""


class UnusableReport(Exception):
    """The committed report is missing or not in its form; the message is one line that says what to do."""


def write_report(costs: Mapping[str, Cost]) -> None:
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps({operation: _written(cost) for operation, cost in costs.items()}, indent=2) + "\n")


def read_report() -> dict[str, Cost]:
    """Return the costs in the committed report.

    Raises:
        UnusableReport: it is not there, or not what `write_report` writes.
    """
    try:
        return _costs(REPORT.read_text(encoding="utf-8"))
    except OSError as error:
        fault = error.strerror or str(error)
    except ValueError as error:
        fault = str(error)
    raise UnusableReport(f"{NAME}: {fault[:1].lower()}{fault[1:]}: run make gas")


def differences(measured: Mapping[str, Cost], committed: Mapping[str, Cost]) -> list[str]:
    """Say where the figures are not those of a report that was written before, one line for each operation."""
    found = [
        f"{operation}: not in {NAME}: run make gas and commit the file"
        for operation in measured.keys() - committed.keys()
    ]
    found += [
        f"{operation}: only in {NAME}: run make gas and commit the file"
        for operation in committed.keys() - measured.keys()
    ]
    for operation in measured.keys() & committed.keys():
        found += _difference(operation, measured[operation], committed[operation])
    return sorted(found)


def _difference(operation: str, cost: Cost, before: Cost) -> list[str]:
    now, then = asdict(cost), asdict(before)
    others = [name for name in FIGURES if now[name] != then[name]]
    if not others:
        return []
    figures = " and ".join(f"{now[name]:,} {FIGURES[name]}" for name in others)
    report = " and ".join(f"{then[name]:,}" for name in others)
    is_rise = cost.gas * 100 > before.gas * (100 + LARGEST_RISE_PERCENT)
    rule = f"risen by more than {LARGEST_RISE_PERCENT} %: make it cheaper, or" if is_rise else "not what was measured:"
    return [f"{operation}: {figures}, {report} in {NAME}: {rule} run make gas and commit the file"]


def _costs(text: str) -> dict[str, Cost]:
    if not text.strip():
        raise ValueError("it is empty")
    try:
        operations = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON, line {error.lineno}: {error.msg}") from None
    if not isinstance(operations, dict) or not operations:
        raise ValueError("no object of operations and their costs")
    return {operation: _cost(operation, values) for operation, values in operations.items()}


def _cost(operation: str, values: object) -> Cost:
    if not isinstance(values, dict):
        raise ValueError(f"{operation} is no object of figures")
    for name in FIGURES:
        if type(values.get(name)) is not int or values[name] < 0:
            raise ValueError(f"{operation} has no whole number as {name}")
    if not values["floor"]:
        raise ValueError(f"{operation} has no floor")
    cost = Cost(**{name: values[name] for name in FIGURES})
    if values != _written(cost):
        raise ValueError(f"{operation} has other keys or another ratio than its figures give")
    return cost


def _written(cost: Cost) -> dict[str, float]:
    return {**asdict(cost), "ratio": cost.ratio}
