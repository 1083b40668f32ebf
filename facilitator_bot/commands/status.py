"""`moorage-facilitator status`: what is on the market now, and what of it waits."""

from __future__ import annotations

import asyncio
import json

import click

from facilitator_bot.options import JSON, with_settings
from facilitator_bot.settings import Settings
from facilitator_bot.status import Status, as_text, document, read_status
from moorage.chain.market import load_market
from moorage.chain.market_node import market_node
from moorage.money import Money


@click.command(name="status")
@with_settings
@JSON
def command(settings: Settings, output: str) -> None:
    """Show what is on the market now, what of it waits for a facilitator, and what this key has."""

    async def read() -> Status:
        async with market_node(settings.rpc_urls, market, settings.rpc_setting) as rpc:
            return await read_status(rpc, market, settings)

    market = load_market(settings.market_file)
    money = Money(market.token_symbol, market.parameters.token_decimals, market.seconds_per_block)
    status = asyncio.run(read())
    if output == "json":
        click.echo(json.dumps(document(status, money), indent=2))
    else:
        click.echo("\n".join(as_text(status, money)))
