"""The program `moorage-facilitator`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
import structlog

from facilitator_bot.settings import Settings
from facilitator_bot.shell import loop
from moorage.chain.market import check_market, load_market
from moorage.chain.reader import MarketReader
from moorage.chain.rpc import ChainError, NodeUnavailable, Rpc
from moorage.chain.sender import Sender
from moorage.daemon import run_program
from moorage.keys import KeyFileError, load_key
from moorage.signals import stop_on_signals
from moorage.units import UnitError

log = structlog.get_logger(__name__)


@click.group()
def program() -> None:
    """Match orders, end stale leases and close deployments for everybody, and earn the tips."""


@program.command()
@click.option("--rpc", "rpc_url", envvar="MOORAGE_RPC", default="http://127.0.0.1:8545", show_default=True)
@click.option("--market", "market_file", envvar="MOORAGE_MARKET", type=click.Path(path_type=Path), required=True)
@click.option("--key-file", envvar="MOORAGE_KEY_FILE", type=click.Path(path_type=Path), help="Without: dry mode.")
@click.option("--password-file", envvar="MOORAGE_PASSWORD_FILE", type=click.Path(path_type=Path))
def run(rpc_url: str, market_file: Path, key_file: Path | None, password_file: Path | None) -> None:
    """Watch the exchange and send what is due at each block."""
    asyncio.run(serve(Settings(rpc_url, market_file, key_file, password_file)))


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        ChainError, KeyFileError: it cannot start; the message says what to do.
    """
    market = load_market(settings.market_file)
    account = load_key(settings.key_file, settings.password_file) if settings.key_file else None
    async with Rpc(settings.rpc_url) as rpc:
        try:
            await check_market(rpc, market)
        except NodeUnavailable as error:
            raise NodeUnavailable(f"{error}: is the node running, and is --rpc (MOORAGE_RPC) right?") from error
        sender = Sender(rpc, account, market.chain_id) if account else None
        reader = MarketReader(rpc, market)
        log.info("facilitator started", exchange=market.exchange, address=account.address if account else "dry mode")
        await loop.run(rpc, reader, sender, stop_on_signals())
        log.info("facilitator stopped")


def main() -> None:
    """Run the program; every expected failure is one line and exit code 2."""
    run_program("moorage-facilitator", program, (ChainError, KeyFileError, UnitError))


if __name__ == "__main__":
    main()
