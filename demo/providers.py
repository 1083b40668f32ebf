"""Two providers on this machine: settings, registration, and their agents as processes of their own."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from demo.chain import ROOT, Actors, free_port
from demo.processes import Processes, run
from moorage.types import ProviderNumber

SETTINGS = """\
rpc = "{rpc}"
market = "{market}"
data_dir = "provider-{number}"
operator_key_file = "{operator_key}"
region = "local"
endpoint = "https://127.0.0.1:{port}"
listen = "127.0.0.1:{port}"
docker = "{docker}"
metrics = ""
collateral_cap = "500"
claim_after = "{claim_after}s"

[capacity]
cpu = 2
memory = "2GiB"
disk = "10GB"

[prices]  # tokens per hour: one core, 1 GiB of memory, 1 GB of disk
cpu = "{core_price}"
memory = "0.05"
disk = "0.01"
"""
DEPOSIT = "250"
CLAIM_AFTER_SECONDS = 20
"""A claim is due when so much of a lease is confirmed and not claimed."""
CORE_PRICES = {1: "0.40", 2: "0.55"}
"""The first provider is cheaper: it wins as long as it is there."""


@dataclass(frozen=True)
class Datacenter:
    """One provider of the demo."""

    number: ProviderNumber
    settings: Path

    @property
    def process(self) -> str:
        return f"agent-{self.number}"

    def start(self, processes: Processes) -> None:
        """Start its agent."""
        command: list[str | Path] = [sys.executable, "-m", "provider_agent.main", "run", "-c", self.settings]
        command.append("--accept-known-holes")  # whatever engine is here runs only the demo's own images
        processes.start(self.process, command, {"PYTHONPATH": str(ROOT)})


async def register(number: int, rpc_url: str, market: Path, docker: str, actors: Actors, folder: Path) -> Datacenter:
    """Write a provider's settings, and register it under its owner's key with some collateral."""
    path = folder / f"provider-{number}.toml"
    path.write_text(
        SETTINGS.format(
            rpc=rpc_url,
            market=market,
            number=number,
            operator_key=actors.key_files[f"operator-{number}"],
            port=free_port(),
            docker=docker,
            core_price=CORE_PRICES[number],
            claim_after=CLAIM_AFTER_SECONDS,
        ),
        encoding="utf-8",
    )
    command: list[str | Path] = [sys.executable, "-m", "provider_agent.main", "register", "-c", path]
    command += ["--owner-key-file", actors.key_files[f"owner-{number}"], "--deposit", DEPOSIT]
    await run(command, folder, {"PYTHONPATH": str(ROOT)}, "moorage-provider register")
    return Datacenter(ProviderNumber(number), path)
