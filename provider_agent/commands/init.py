"""`moorage-provider init`: make the root certificate and what is issued below it, before the registration."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from moorage import pki
from moorage.chain.market import load_market
from moorage.chain.market_node import market_node
from provider_agent.options import CONFIG
from provider_agent.rotation import create_authorities
from provider_agent.settings import load_settings


@click.command(name="init")
@CONFIG
def command(config_file: Path) -> None:
    """Make this datacenter's root and intermediate certificates. What is there is never overwritten."""

    async def act() -> None:
        settings = load_settings(config_file)
        market = load_market(settings.market_file)
        async with market_node(settings.rpc_urls, market, settings.rpc_setting) as rpc:
            root = await create_authorities(rpc, market, settings)
        click.echo(f"root of {pki.name_of(root)} made in {settings.data_dir}")
        click.echo("next: moorage-provider register; once it is done, root.pem can be kept elsewhere (root.crt stays)")

    asyncio.run(act())
