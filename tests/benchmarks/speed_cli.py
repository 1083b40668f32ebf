"""How long `moorage` takes to answer, beside a Python that does nothing: processes started in turn, medians told.

That Python is the same interpreter as `-I -S -c pass`: without `site`, so without the .pth files of an environment for
development, which take as long again. The program is run with all of that.

`python -m tests.benchmarks.speed_cli` prints the figures; it fails when a command takes longer than is promised. It is
also a part of tests.benchmarks.speed. Nobody may listen where a node is by default, or `validate` asks it too.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 15
NOTHING = ("-I", "-S", "-c", "pass")
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "validate": ("-m", "cli.main", "validate", "-f", str(ROOT / "examples" / "webapp" / "moorage.yml")),
    "schema": ("-m", "cli.main", "schema"),
    "help": ("-m", "cli.main", "--help"),
}
"""Name -> arguments of Python."""
PROMISED: Mapping[str, float] = {"validate": 25, "help": 15}
"""How many times as long as a Python that does nothing a command may take."""


async def measure() -> dict[str, Any]:
    """Return medians in milliseconds, how often each is a Python that does nothing."""
    return await asyncio.to_thread(_measured)


def _measured() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as home:
        runs = [_round(home) for _ in range(ROUNDS + 1)][1:]  # the first one fills the caches
    medians = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    ratios = {name: statistics.median(run[name] / run["nothing"] for run in runs) for name in COMMANDS}
    return {
        "milliseconds": {name: round(1_000 * seconds, 1) for name, seconds in medians.items()},
        "times_a_python_that_does_nothing": {name: round(ratio, 1) for name, ratio in ratios.items()},
        "promised": dict(PROMISED),
    }


def _round(home: str) -> dict[str, float]:
    """Run everything once, one after the other, so that whatever else the machine does slows all alike."""
    return {name: _seconds(arguments, home) for name, arguments in {"nothing": NOTHING, **COMMANDS}.items()}


def _seconds(arguments: tuple[str, ...], home: str) -> float:
    variables = {"HOME": home, "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    started = time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], env=variables, cwd=home, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return time.perf_counter() - started


def missed(found: dict[str, Any]) -> list[str]:
    """Return which figures are not what is promised."""
    ratios = found["times_a_python_that_does_nothing"]
    return [
        f"{name} takes {ratios[name]} times as long as a Python that does nothing, promised are {most}"
        for name, most in PROMISED.items()
        if ratios[name] > most
    ]


def main() -> int:
    """Print the figures; the exit code says whether they are what is promised."""
    found = _measured()
    print(json.dumps(found, indent=2))
    for miss in missed(found):
        print(f"FAILED: {miss}", file=sys.stderr)
    return 1 if missed(found) else 0


if __name__ == "__main__":
    sys.exit(main())
