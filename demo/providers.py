"""Providers: settings, registration, and their agents as processes of their own."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from demo.chain import ROOT, Actors, free_port
from demo.hosts import Host
from demo.processes import Processes, run
from moorage.types import ProviderNumber

SETTINGS = """\
rpc = "{rpc}"
market = "{market}"
data_dir = "provider-{number}"
operator_key_file = "{operator_key}"
region = "{region}"
endpoint = "https://{address}:{port}"
listen = "{address}:{port}"
publish_address = "{address}"
public_host = "{address}"
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
{more}"""
NO_RULES = '[egress]\nfirewall = "off"  # nothing of the demo stays in the firewall of the machine that it runs on\n'
DEPOSIT = "250"
CLAIM_AFTER_SECONDS = 20
"""A claim is due when so much of a lease is confirmed and not claimed."""
CORE_PRICES = {1: "0.40", 2: "0.55"}
"""The first provider is cheaper: it wins as long as it is there."""


@dataclass(frozen=True)
class Site:
    """Where a provider's agent and engine are, and what the provider asks."""

    docker: str
    core_price: str
    """Tokens per core and hour."""
    region: str = "local"
    address: str = "127.0.0.1"
    port: int = field(default_factory=free_port)
    host: Host | None = None
    """The machine that the agent runs on; None: this one."""
    more: str = ""
    """More settings, as tables."""


@dataclass(frozen=True)
class Datacenter:
    """One provider of the demo."""

    number: ProviderNumber
    settings: Path
    host: Host | None = None

    @property
    def process(self) -> str:
        return f"agent-{self.number}"

    def start(self, processes: Processes) -> None:
        """Start its agent."""
        command: list[str | Path] = [sys.executable, "-m", "provider_agent.main", "run", "-c", self.settings]
        command.append("--accept-known-holes")  # whatever engine is here runs only the demo's own images
        if self.host is not None:
            command = self.host.inside(command)
        processes.start(self.process, command, {"PYTHONPATH": str(ROOT)})


async def register(number: int, site: Site, rpc_url: str, market: Path, actors: Actors, folder: Path) -> Datacenter:
    """Write a provider's settings, and register it under its owner's key with some collateral."""
    path = folder / f"provider-{number}.toml"
    path.write_text(
        SETTINGS.format(
            rpc=rpc_url,
            market=market,
            number=number,
            operator_key=actors.key_files[f"operator-{number}"],
            region=site.region,
            address=site.address,
            port=site.port,
            docker=site.docker,
            core_price=site.core_price,
            claim_after=CLAIM_AFTER_SECONDS,
            more=site.more if site.host is not None else f"{site.more}{NO_RULES}",
        ),
        encoding="utf-8",
    )
    command: list[str | Path] = [sys.executable, "-m", "provider_agent.main", "register", "-c", path]
    command += ["--owner-key-file", actors.key_files[f"owner-{number}"], "--deposit", DEPOSIT]
    await run(command, folder, {"PYTHONPATH": str(ROOT)}, "moorage-provider register")
    return Datacenter(ProviderNumber(number), path, site.host)
