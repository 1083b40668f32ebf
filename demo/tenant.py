"""The tenant: everything through the command line, as a person would."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from demo.chain import ROOT, Actors
from demo.processes import Processes, run

DEPLOY = "tenant-deploy"
"""The name of the process that runs `moorage deploy`."""
EXAMPLE = ROOT / "examples/webapp/moorage.yml"
PAGE_TIMEOUT = aiohttp.ClientTimeout(total=3)


@dataclass(frozen=True)
class Tenant:
    """Runs `moorage` with the tenant's key against the demo's chain."""

    folder: Path
    environment: Mapping[str, str]
    example: Path = EXAMPLE
    """What it deploys."""
    process: str = DEPLOY

    async def moorage(self, *arguments: str) -> str:
        """Run one command to its end and return what it printed."""
        return await run(self.command(*arguments), self.folder, self.environment, f"moorage {' '.join(arguments)}")

    def deploy(self, processes: Processes) -> None:
        """Start `moorage deploy`, which stays and brings the manifest to every new provider."""
        command = self.command("deploy", "-f", str(self.example), "--fund", "1h", "--yes")
        processes.start(self.process, command, self.environment)

    async def groups(self) -> list[dict[str, Any]]:
        """Return what `moorage status` says of each datacenter."""
        status = json.loads(await self.moorage("status", "-f", str(self.example), "-o", "json"))
        groups: list[dict[str, Any]] = status["groups"]
        return groups

    async def address(self) -> str | None:
        """Return where the page is, or None as long as it is nowhere."""
        for group in await self.groups():
            workloads = group["workloads"]
            if workloads and all(workload["state"] == "running" for workload in workloads):
                return next((address for workload in workloads for address in workload["addresses"]), None)
        return None

    async def page(self) -> tuple[str, str] | None:
        """Fetch the page over HTTP.

        Returns:
            Its address and its body; None if it does not answer.
        """
        address = await self.address()
        if address is None:
            return None
        with suppress(aiohttp.ClientError, TimeoutError):
            async with aiohttp.ClientSession(timeout=PAGE_TIMEOUT) as session, session.get(address) as response:
                if response.status == 200:
                    return address, await response.text()
        return None

    async def wait_for_page(self, seconds: float) -> tuple[str, str]:
        """Fetch the page as soon as it answers."""
        async with asyncio.timeout(seconds):
            while True:
                if (page := await self.page()) is not None:
                    return page
                await asyncio.sleep(1)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "cli.main", *arguments]


def last_report(printed: str) -> str:
    """Return what a command has printed from its last heading on: how the deployment stands in the end."""
    lines = printed.strip().splitlines()
    headings = [index for index, line in enumerate(lines) if line.startswith("deployment ")]
    return "\n".join(lines[headings[-1] :] if headings else lines)


def make_tenant(
    rpc_url: str,
    market: Path,
    actors: Actors,
    folder: Path,
    name: str = "tenant",
    example: Path = EXAMPLE,
    **variables: str,
) -> Tenant:
    """Return a tenant with its environment, and in that what the example reads there."""
    environment = {
        "PYTHONPATH": str(ROOT),
        "MOORAGE_RPC": rpc_url,
        "MOORAGE_MARKET": str(market),
        "MOORAGE_KEY_FILE": str(actors.key_files[name]),
        "XDG_STATE_HOME": str(folder / f"{name}-state"),
        **variables,
    }
    return Tenant(folder, environment, example, f"{name}-deploy")
