"""`moorage-provider status`: what this provider has on the market now."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click

from moorage.chain.market import load_market
from moorage.chain.market_node import market_node
from moorage.money import Money
from provider_agent.options import CONFIG, JSON
from provider_agent.settings import load_settings
from provider_agent.status import Status, as_text, document, read_status


@click.command(name="status")
@CONFIG
@JSON
def command(config_file: Path, output: str) -> None:
    """Show leases, bids, account and coin as the chain has them now."""

    async def read() -> Status:
        async with market_node(settings.rpc_urls, market, settings.rpc_setting) as rpc:
            return await read_status(rpc, market, settings)

    settings = load_settings(config_file)
    market = load_market(settings.market_file)
    money = Money(market.token_symbol, market.parameters.token_decimals, market.seconds_per_block)
    status = asyncio.run(read())
    if output == "json":
        click.echo(json.dumps(document(status, money), indent=2))
    else:
        click.echo("\n".join(as_text(status, money)))
