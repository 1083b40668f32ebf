"""The facilitator, as a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

from demo.chain import ROOT, Actors
from demo.processes import Processes


def start(rpc_url: str, market: Path, actors: Actors, processes: Processes) -> None:
    """Start it with its key among the actors'."""
    command: list[str | Path] = [sys.executable, "-m", "facilitator_bot.main", "run", "--rpc", rpc_url]
    command += ["--market", market, "--key-file", actors.key_files["facilitator"], "--metrics", ""]
    command += ["--data-dir", processes.folder / "facilitator-data"]
    processes.start("facilitator", command, {"PYTHONPATH": str(ROOT)})
