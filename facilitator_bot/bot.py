"""Builds the facilitator of its parts and runs it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from facilitator_bot.settings import Settings
from facilitator_bot.shell import loop
from moorage.chain.market import Market, check_market, load_market
from moorage.chain.reader import MarketReader
from moorage.chain.rpc import NodeUnavailable, Rpc
from moorage.chain.sender import Sender
from moorage.keys import load_key
from moorage.signals import stop_on_signals

log = structlog.get_logger(__name__)


@asynccontextmanager
async def market_node(settings: Settings, market: Market) -> AsyncIterator[Rpc]:
    """Connect to the node of the settings, and see that the market is there.

    Raises:
        MarketError: it is not.
        NodeUnavailable: the node does not answer.
    """
    async with Rpc(settings.rpc_url) as rpc:
        try:
            await check_market(rpc, market)
        except NodeUnavailable as error:
            raise NodeUnavailable(f"{error}: is the node running, and is --rpc (MOORAGE_RPC) right?") from error
        yield rpc


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        ChainError, KeyFileError: it cannot start; the message says what to do.
    """
    market = load_market(settings.market_file)
    account = load_key(settings.key_file, settings.password_file) if settings.key_file else None
    async with market_node(settings, market) as rpc:
        sender = Sender(rpc, account, market.chain_id) if account else None
        reader = MarketReader(rpc, market)
        log.info("facilitator started", exchange=market.exchange, address=account.address if account else "dry mode")
        await loop.run(rpc, reader, sender, stop_on_signals())
        log.info("facilitator stopped")
