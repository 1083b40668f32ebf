"""`moorage-provider register`: bring this datacenter onto the chain."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from moorage.chain.market import load_market
from moorage.chain.market_node import market_node
from moorage.keys import load_key
from moorage.sending import address_of
from provider_agent.options import CONFIG, PATH
from provider_agent.registrar import Registrar
from provider_agent.settings import load_settings


@click.command(name="register")
@CONFIG
@click.option("--owner-key-file", type=PATH, required=True, help="The cold key; not kept.")
@click.option("--owner-password-file", type=PATH)
@click.option("--deposit", default="0", show_default=True, help="Tokens of the owner to pay in as collateral.")
def command(config_file: Path, owner_key_file: Path, owner_password_file: Path | None, deposit: str) -> None:
    """Register this datacenter on chain under the owner's key. Run it again if it was interrupted."""

    async def act() -> None:
        settings = load_settings(config_file)
        market = load_market(settings.market_file)
        owner = load_key(owner_key_file, owner_password_file)
        operator = address_of(settings.sending)
        async with market_node(settings.rpc_urls, market, settings.rpc_setting) as rpc:
            registrar = Registrar(rpc, market, settings, owner, click.echo)
            registration = await registrar.register(operator, deposit)
        click.echo(f"provider {registration.provider}: owner {owner.address}, operator {operator}")

    asyncio.run(act())
