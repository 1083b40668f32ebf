"""`moorage-provider rotate`: replace the root certificate, one step at a time."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from moorage.chain.market import load_market
from moorage.chain.market_node import market_node
from moorage.chain.sender import Sender
from moorage.chain.signer import market_calls
from moorage.keys import load_key
from provider_agent.options import CONFIG, PATH
from provider_agent.registration import RegistrationError
from provider_agent.rotation import Rotation, beginning
from provider_agent.settings import load_settings


@click.command(name="rotate")
@CONFIG
@click.option("--owner-key-file", type=PATH, required=True, help="The cold key; not kept.")
@click.option("--owner-password-file", type=PATH)
@click.option("--yes", "-y", "is_agreed", is_flag=True, help="Begin a rotation without being asked.")
def command(config_file: Path, owner_key_file: Path, owner_password_file: Path | None, is_agreed: bool) -> None:
    """Replace the root certificate on chain and here. Run it again until it says that it is complete.

    Before it begins, and only then, it says what it is about to do and asks.
    """
    settings = load_settings(config_file)
    about = beginning(settings)
    if about is not None:
        _agree(about, is_agreed)

    async def act() -> str:
        market = load_market(settings.market_file)
        owner = load_key(owner_key_file, owner_password_file)
        async with market_node(settings.rpc_urls, market, settings.rpc_setting) as rpc:
            sender = Sender(rpc, owner, market.chain_id, allowed=market_calls(market))
            return await Rotation(rpc, market, settings, sender).step()

    click.echo(asyncio.run(act()))


def _agree(about: str, is_agreed: bool) -> None:
    """Return if the operator agrees to a new rotation.

    Raises:
        RegistrationError: nobody is there.
        click.Abort: it does not agree.
    """
    if not is_agreed and not sys.stdin.isatty():
        raise RegistrationError(f"{about} Nobody to ask: give --yes to begin a rotation")
    click.echo(about, err=True)
    if not is_agreed:
        click.confirm("Begin a rotation?", abort=True, err=True)
