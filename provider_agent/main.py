"""The program `moorage-provider`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from moorage.chain.market import load_market
from moorage.chain.rpc import ChainError
from moorage.chain.sender import Sender
from moorage.chain.signer import market_calls
from moorage.daemon import run_program
from moorage.keys import KeyFileError, load_key
from moorage.pki import PkiError
from moorage.types import Address
from provider_agent.agent import market_node, serve
from provider_agent.collateral import Treasury
from provider_agent.registrar import Registrar
from provider_agent.registration import load_registration
from provider_agent.settings import SettingsError, load_settings
from provider_agent.shell.engine import EngineError

CONFIG = click.option(
    "--config", "-c", "config_file", type=click.Path(path_type=Path), default="provider.toml", show_default=True
)


@click.group()
def program() -> None:
    """Lease this machine's capacity: bid, run tenants' workloads, confirm, get paid."""


@program.command(name="register")
@CONFIG
@click.option("--owner-key-file", type=click.Path(path_type=Path), required=True, help="The cold key; not kept.")
@click.option("--owner-password-file", type=click.Path(path_type=Path))
@click.option("--deposit", default="0", show_default=True, help="Tokens of the owner to pay in as collateral.")
def register_command(config_file: Path, owner_key_file: Path, owner_password_file: Path | None, deposit: str) -> None:
    """Register this datacenter on chain under the owner's key. Run it again if it was interrupted."""

    async def act() -> None:
        settings = load_settings(config_file)
        market = load_market(settings.market_file)
        owner = load_key(owner_key_file, owner_password_file)
        operator = load_key(settings.operator_key_file, settings.operator_password_file)
        async with market_node(settings, market) as rpc:
            registrar = Registrar(rpc, market, settings, owner, click.echo)
            registration = await registrar.register(Address(operator.address), deposit)
        click.echo(f"provider {registration.provider}: owner {owner.address}, operator {operator.address}")

    asyncio.run(act())


@program.command(name="fund")
@CONFIG
@click.option("--key-file", type=click.Path(path_type=Path), required=True, help="Whose tokens are paid in.")
@click.option("--password-file", type=click.Path(path_type=Path))
@click.argument("amount")
def fund_command(config_file: Path, key_file: Path, password_file: Path | None, amount: str) -> None:
    """Pay AMOUNT tokens into this provider's account, as collateral for more bids."""

    async def act() -> None:
        settings = load_settings(config_file)
        market = load_market(settings.market_file)
        provider = load_registration(settings, market).provider
        payer = load_key(key_file, password_file)
        async with market_node(settings, market) as rpc:
            treasury = Treasury(rpc, market, Sender(rpc, payer, market.chain_id, allowed=market_calls(market)))
            base_units = treasury.base_units(amount, "AMOUNT")
            await treasury.check(None, base_units)
            await treasury.pay(provider, base_units)
        click.echo(f"provider {provider}: {amount} {market.token_symbol} paid in")

    asyncio.run(act())


@program.command()
@CONFIG
def run(config_file: Path) -> None:
    """Bid, run workloads and confirm leases until stopped. Stopping leaves the workloads running."""
    asyncio.run(serve(load_settings(config_file)))


def main() -> None:
    """Run the program; every expected failure is one line and exit code 2."""
    run_program("moorage-provider", program, (ChainError, EngineError, KeyFileError, PkiError, SettingsError))


if __name__ == "__main__":
    main()
