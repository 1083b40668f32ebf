"""How fast the daemons are, each figure beside a web3.py baseline of the same session: `make bench`.

Prints a table, writes reports/speed.json, and fails when a figure is not what is promised. Figures of time depend on
the machine, ratios much less. `--only NAME` measures one part, and leaves the others in the report as they were.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from tests.benchmarks import (
    speed_cli,
    speed_decisions,
    speed_latency,
    speed_memory,
    speed_scale,
    speed_start,
    speed_submission,
)
from tests.benchmarks.speed_decisions import baseline
from tests.bytecode import ROOT

REPORT = ROOT / "reports" / "speed.json"
LEAST_RATIOS = {"events_to_decision": 50, "facilitator_loop": 30, "submission": 20}
MOST_GROWTH = 1.5
"""Of a cycle's cost when ten times as much is there."""
MOST_BLOCKS = 3
MOST_P95_MILLISECONDS = 100
MOST_KILOBYTES = 1_024
MOST_START_RATIO = 1.2
"""Of a workload's start through the agent to the same requests made to the engine by hand."""


async def decisions() -> dict[str, Any]:
    with baseline() as other:
        return await speed_decisions.measure(other)


async def submission() -> dict[str, Any]:
    with baseline() as other:
        return {"submission": await speed_submission.measure(other)}


async def scale() -> dict[str, Any]:
    return {"scale": await speed_scale.measure()}


async def latency() -> dict[str, Any]:
    return {"latency": await speed_latency.measure()}


async def memory() -> dict[str, Any]:
    return {"memory": await speed_memory.measure()}


async def start() -> dict[str, Any]:
    return {"start": await speed_start.measure()}


async def cli() -> dict[str, Any]:
    return {"cli": await speed_cli.measure()}


PARTS: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {
    each.__name__: each for each in (decisions, submission, scale, latency, memory, start, cli)
}


def table(report: dict[str, Any]) -> list[str]:
    """Return what is printed."""
    lines = [f"{'beside web3.py':<24}{'ours':>10}{'web3':>10}  {'unit':<16}{'ratio':>8}"]
    for name in LEAST_RATIOS:
        if name in report:
            row = report[name]
            lines.append(f"{name:<24}{row['ours']:>10,}{row['web3']:>10,}  {row['unit']:<16}{row['ratio']:>8}")
    for name in ("submission", "latency", "memory", "start", "cli"):
        if name in report:
            lines.append(f"{name}: " + ", ".join(f"{key} {value}" for key, value in report[name].items()))
    for name, row in report.get("scale", {}).items():
        lines += [f"{name}, {row['size']:,}: " + ", ".join(f"{key} x{value}" for key, value in row["ratio"].items())]
        lines += [f"  {key}: {value}" for key, value in row.items() if key not in ("size", "ratio")]
    return lines


def failures(report: dict[str, Any]) -> list[str]:
    """Return what is not as promised."""
    found = [
        f"{name}: {report[name]['ratio']} times the baseline, promised are {least}"
        for name, least in LEAST_RATIOS.items()
        if name in report and report[name]["ratio"] < least
    ]
    if report.get("submission", {}).get("lost"):
        found.append(f"submission: {report['submission']['lost']} lost")
    for name, row in report.get("scale", {}).items():
        found += [f"{name}: {key} x{value}" for key, value in row["ratio"].items() if value > MOST_GROWTH]
        found += [f"{name}: {key} {row[key]}" for key in row if key.startswith("blocks_") and row[key] > MOST_BLOCKS]
    latency = report.get("latency")
    if latency and latency["p95_milliseconds"] > MOST_P95_MILLISECONDS:
        found.append(f"latency: p95 {latency['p95_milliseconds']} ms")
    if latency and latency["most_blocks_after_the_first_possible_one"] > 0:
        found.append("latency: an order was matched later than possible")
    if report.get("start", {}).get("ratio", 0) > MOST_START_RATIO:
        found.append(f"start: {report['start']['ratio']} times the engine's own")
    found += [f"cli: {miss}" for miss in speed_cli.missed(report["cli"])] if "cli" in report else []
    if report.get("memory", {}).get("kilobytes_per_1000_blocks", 0) > MOST_KILOBYTES:
        found.append("memory: grows")
    return found


async def measured(names: list[str]) -> dict[str, Any]:
    report: dict[str, Any] = {}
    for name in names:
        print(f"--- {name}", file=sys.stderr)
        report |= await PARTS[name]()
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS, help="one part; the others stay as they were")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    report = asyncio.run(measured([arguments.only] if arguments.only else list(PARTS)))
    print("\n".join(table(report)))
    known = json.loads(REPORT.read_text(encoding="ascii")) if arguments.only and REPORT.exists() else {}
    REPORT.write_text(json.dumps(known | report, indent=2) + "\n", encoding="ascii")
    found = failures(report)
    for failure in found:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
