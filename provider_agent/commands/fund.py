"""`moorage-provider fund`: add collateral."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from moorage.chain.market import load_market
from moorage.chain.market_node import market_node
from moorage.chain.sender import Sender
from moorage.chain.signer import market_calls
from moorage.keys import load_key
from provider_agent.collateral import Treasury
from provider_agent.options import CONFIG, PATH
from provider_agent.registration import load_registration
from provider_agent.settings import load_settings


@click.command(name="fund")
@CONFIG
@click.option("--key-file", type=PATH, required=True, help="Whose tokens are paid in.")
@click.option("--password-file", type=PATH)
@click.argument("amount")
def command(config_file: Path, key_file: Path, password_file: Path | None, amount: str) -> None:
    """Pay AMOUNT tokens into this provider's account, as collateral for more bids."""

    async def act() -> None:
        settings = load_settings(config_file)
        market = load_market(settings.market_file)
        provider = load_registration(settings, market).provider
        payer = load_key(key_file, password_file)
        async with market_node(settings.rpc_urls, market, settings.rpc_setting) as rpc:
            treasury = Treasury(rpc, market, Sender(rpc, payer, market.chain_id, allowed=market_calls(market)))
            base_units = treasury.base_units(amount, "AMOUNT")
            await treasury.check(None, base_units)
            await treasury.pay(provider, base_units)
        click.echo(f"provider {provider}: {amount} {market.token_symbol} paid in")

    asyncio.run(act())
