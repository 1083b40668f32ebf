"""`moorage-provider rotate`: replace the root certificate, one step at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from moorage.chain.market import load_market
from moorage.chain.market_node import market_node
from moorage.chain.sender import Sender
from moorage.chain.signer import market_calls
from moorage.keys import load_key
from provider_agent.options import CONFIG, PATH
from provider_agent.rotation import Rotation
from provider_agent.settings import load_settings


@click.command(name="rotate")
@CONFIG
@click.option("--owner-key-file", type=PATH, required=True, help="The cold key; not kept.")
@click.option("--owner-password-file", type=PATH)
def command(config_file: Path, owner_key_file: Path, owner_password_file: Path | None) -> None:
    """Replace the root certificate on chain and here. Run it again until it says that it is complete."""

    async def act() -> str:
        settings = load_settings(config_file)
        market = load_market(settings.market_file)
        owner = load_key(owner_key_file, owner_password_file)
        async with market_node(settings.rpc_urls, market, settings.rpc_setting) as rpc:
            sender = Sender(rpc, owner, market.chain_id, allowed=market_calls(market))
            return await Rotation(rpc, market, settings, sender).step()

    click.echo(asyncio.run(act()))
