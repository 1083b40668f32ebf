"""What a tunnel carries, beside the same proxy set up by hand and beside plain TCP, and what a hundred of them cost.

`python -m tests.benchmarks.tunnels` prints figures, writes reports/tunnels.json and fails when one is not as promised.
All ways are measured in turn, several times; a ratio is the median of those of the rounds. Figures depend on the
machine and on what else it does, ratios much less.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import structlog

from tests.benchmarks.tunnel_load import Load, load_command
from tests.benchmarks.tunnel_sites import TunnelSites, tunnel_sites
from tests.benchmarks.tunnel_twin import twin
from tests.bytecode import ROOT

REPORT = ROOT / "reports" / "tunnels.json"
ROUNDS = 9
MANY = 100
LEAST_RATIO = 0.9
"""Of what a proxy set up by hand carries; its latency may be so much lower."""
MOST_SECONDS_IN_ALL = 600
MOST_SECONDS = 1.0
"""From a tunnel that is given to both gateways until it answers."""


async def measure() -> dict[str, Any]:
    async with asyncio.timeout(MOST_SECONDS_IN_ALL), tunnel_sites() as sites:
        await sites.serve()
        one = sites.ends(1)
        await sites.east.give(one[0])
        await sites.europe.give(one[1])
        await sites.until_up(1)
        report: dict[str, Any] = {"processors": os.cpu_count(), "rounds": ROUNDS}
        report |= await _loads(sites)
        report |= await _many(sites)
    return report


async def _loads(sites: TunnelSites) -> dict[str, Any]:
    """Load each way in turn."""
    port = sites.tunnels[0].port
    async with twin(sites, port) as (address, twin_port):
        ways = {
            "tunnel": await sites.europe.in_workload("web", _load(await sites.door("db"), port)),
            "proxy": await sites.europe.in_workload("web", _load(address, twin_port)),
            "tcp": sites.europe.host.inside(_load(sites.east.host.address, port + 1)),
        }
        await sites.begin(sites.east.host.inside(load_command("serve", sites.east.host.address, str(port + 1))))
        rounds: dict[str, list[Load]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, command in ways.items():
                rounds[name].append(Load(**json.loads(await _run(command))))
    return {
        "ways": {name: _medians(loads) for name, loads in rounds.items()},
        "tunnel_to_proxy": _ratios(rounds["tunnel"], rounds["proxy"]),
        "tunnel_to_tcp": _ratios(rounds["tunnel"], rounds["tcp"]),
    }


def _medians(loads: Sequence[Load]) -> dict[str, float]:
    return {key: round(median(getattr(each, key) for each in loads), 2) for key in asdict(loads[0])}


def _ratios(ours: Sequence[Load], others: Sequence[Load]) -> dict[str, float]:
    """Return how much better a way is than another one: more of what is carried, or less of a time."""
    found = {}
    for key in asdict(ours[0]):
        pairs = [(getattr(a, key), getattr(b, key)) for a, b in zip(ours, others, strict=True)]
        found[key] = round(median(b / a if "microseconds" in key else a / b for a, b in pairs), 3)
    return found


async def _many(sites: TunnelSites) -> dict[str, Any]:
    """Have a hundred tunnels in use, and add one more."""
    before = await sites.east.memory_bytes() + await sites.europe.memory_bytes()
    many = sites.ends(MANY)
    await sites.east.give(many[0])
    await sites.europe.give(many[1])
    await sites.until_up(MANY)
    memory = await sites.east.memory_bytes() + await sites.europe.memory_bytes() - before
    doors = {server: await sites.door(server) for server in ("db", "store")}
    addresses = [f"{doors[each.server]}:{each.port}" for each in sites.tunnels[:MANY]]
    holding = await sites.begin(await sites.europe.in_workload("web", load_command("hold", *addresses)))
    seconds = await _add(sites, doors)
    await asyncio.sleep(2)
    output, _ = await asyncio.to_thread(holding.communicate, "")
    return {
        "tunnels": MANY,
        "one_more_seconds": round(seconds, 3),
        "live": json.loads(output),
        "kilobytes_per_tunnel": round(memory / 1_024 / (MANY - 1), 1),
    }


async def _add(sites: TunnelSites, doors: dict[str, str]) -> float:
    """Give both gateways one tunnel more; return how long it takes until it answers, in seconds."""
    last = sites.tunnels[MANY]
    command = await sites.europe.in_workload("web", load_command("reach", doors[last.server], str(last.port)))
    reaching = await sites.begin(command, says_something=False)
    await asyncio.sleep(1)
    began = time.monotonic()
    into, out = sites.ends(MANY + 1)
    await asyncio.gather(sites.east.give(into), sites.europe.give(out))  # two agents, of which none waits for the other
    output, _ = await asyncio.to_thread(reaching.communicate)
    return float(output) - began


def _load(host: str, port: int) -> list[str | Path]:
    return load_command("load", host, str(port))


async def _run(command: Sequence[str | Path]) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, cwd=ROOT)
    output, _ = await process.communicate()
    assert process.returncode == 0, command
    return output.decode()


def failures(report: dict[str, Any]) -> list[str]:
    """Return what is not as promised."""
    found = [
        f"{key}: {ratio} of a proxy set up by hand, promised are {LEAST_RATIO}"
        for key, ratio in report["tunnel_to_proxy"].items()
        if ratio < LEAST_RATIO
    ]
    if report["one_more_seconds"] > MOST_SECONDS:
        found.append(f"one more tunnel takes {report['one_more_seconds']} s, promised is {MOST_SECONDS} s")
    if report["live"]["broken"] or report["live"]["connections"] != MANY:
        found.append(f"{report['live']['broken']} of {report['live']['connections']} live connections broke")
    return found


def main() -> int:
    """Measure, print and write; the exit code says whether all is as promised."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    report = asyncio.run(measure())
    print(json.dumps(report, indent=2))
    REPORT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    found = failures(report)
    print(*found, sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
