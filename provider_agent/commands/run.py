"""`moorage-provider run`: the agent."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from provider_agent.agent import serve
from provider_agent.options import ACCEPT, CONFIG
from provider_agent.settings import load_settings


@click.command(name="run")
@CONFIG
@ACCEPT
def command(config_file: Path, accepts_holes: bool) -> None:
    """Bid, run workloads and confirm leases until stopped. Stopping leaves the workloads running."""
    asyncio.run(serve(load_settings(config_file), accepts_holes))
