"""Runs `moorage` many times at once: each time a process of its own, forked from one that has imported the program.

To import it takes a second of a processor, which is most of what a command takes.

outcomes = await moorage_at_once([Run(("status", "-f", "moorage.yml"), folder, variables), ...])
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.bytecode import ROOT

PATIENCE_SECONDS = 240.0
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the program."""

    arguments: tuple[str, ...]
    folder: str
    """Its current directory."""
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    status: int
    output: str
    """What it has written, errors too."""


async def moorage_at_once(runs: Sequence[Run]) -> list[Outcome]:
    """Start all of them at the same time, and return how they have ended once all have.

    Those that take longer than `PATIENCE_SECONDS` are interrupted.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.cli_forks"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        answer, _ = await process.communicate(json.dumps([asdict(run) for run in runs]).encode())
        return [Outcome(**outcome) for outcome in json.loads(answer)]
    finally:
        if process.returncode is None:
            os.killpg(process.pid, 9)
            await process.wait()


def _main() -> None:
    import cli.commands.delete
    import cli.commands.deploy
    import cli.commands.status  # noqa: F401

    with tempfile.TemporaryDirectory() as folder:
        runs = json.load(sys.stdin)
        outputs = [Path(folder) / str(index) for index in range(len(runs))]
        places = {_start(run, output): index for index, (run, output) in enumerate(zip(runs, outputs, strict=True))}
        statuses = _ends(places)
        texts = [output.read_text(encoding="utf-8", errors="replace") for output in outputs]
    json.dump([{"status": status, "output": text} for status, text in zip(statuses, texts, strict=True)], sys.stdout)


def _ends(places: Mapping[int, int]) -> list[int]:
    """Wait for processes, pid -> place, and return their exit codes, each in its place."""
    running, statuses, until = dict(places), [0] * len(places), time.monotonic() + PATIENCE_SECONDS
    while running:
        process, status = os.waitpid(-1, os.WNOHANG)
        if process:
            statuses[running.pop(process)] = os.waitstatus_to_exitcode(status)
        elif time.monotonic() < until:
            time.sleep(POLL_SECONDS)
        else:
            until = math.inf
            for late in running:
                os.kill(late, signal.SIGTERM)
    return statuses


def _start(run: Mapping[str, Any], output: Path) -> int:
    """Fork a process that is a run of the program, and return its pid."""
    if process := os.fork():
        return process
    from cli.main import run as moorage

    with output.open("wb") as file, open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    os.environ.update(run["variables"])
    os.chdir(run["folder"])
    status = moorage(run["arguments"])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # what is to be done in the end is to be done by the process that this one was forked from


if __name__ == "__main__":
    _main()
