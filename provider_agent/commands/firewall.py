"""`moorage-provider firewall`: this provider's rules on the engine's host."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from moorage.chain.market import load_market
from provider_agent.core.firewall import table_name
from provider_agent.core.lease_names import Identity
from provider_agent.options import CONFIG
from provider_agent.registration import load_registration
from provider_agent.settings import load_settings
from provider_agent.shell.firewall import Firewall


@click.command(name="firewall")
@CONFIG
@click.option("--remove", "is_removed", is_flag=True, help="Take the rules away, when the agent does not run any more.")
def command(config_file: Path, is_removed: bool) -> None:
    """Say whether the rules that keep workloads and gateways from this host are there. Others are never touched."""
    settings = load_settings(config_file)
    market = load_market(settings.market_file)
    owner = Identity(market.chain_id, market.exchange, load_registration(settings, market).provider).labels
    rules = Firewall(settings.docker_url, owner, settings.gateways.image, settings.isolation.egress)
    if is_removed:
        asyncio.run(rules.remove())
    is_there = asyncio.run(rules.is_there())
    click.echo(f"table inet {table_name(owner)}: {'in place' if is_there else 'not there'}")
