"""A run's connection to its market: node, contracts and money, checked before anything else is done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.market_choice import choose_market
from cli.options import Options
from cli.patience import waiting_for
from cli.tenant_reader import TenantReader
from moorage.chain.contracts import Exchange, Token
from moorage.chain.market import Market, check_market
from moorage.chain.rpc import NodeRefused, NodeUnavailable, Rpc, as_number
from moorage.money import Money


@dataclass(frozen=True, slots=True)
class Session:
    """A market that is what it says."""

    rpc: Rpc
    market: Market
    market_file: Path
    money: Money
    exchange: Exchange
    token: Token
    reader: TenantReader


@asynccontextmanager
async def open_session(options: Options) -> AsyncIterator[Session]:
    """Connect to the market that is asked for.

    Raises:
        NodeUnavailable: the node does not answer.
        MarketError: there is no such market on its chain.
        Failure: the working directory names it, and nobody has agreed to that.
    """
    async with Rpc(options.rpc_url) as rpc:
        what = f"the node at {rpc.name}"
        with waiting_for(what):
            chain_id = 0 if options.market_file else await _chain_id(rpc)
        file, market = choose_market(options, chain_id)
        with waiting_for(what):
            await check_market(rpc, market)
        money = Money(market.token_symbol, market.parameters.token_decimals, market.seconds_per_block)
        reader = TenantReader(rpc, market)
        yield Session(rpc, market, file, money, Exchange(rpc, market), Token(rpc, market), reader)


async def _chain_id(rpc: Rpc) -> int:
    try:
        return as_number(await rpc.call("eth_chainId"))
    except NodeRefused as error:
        raise NodeUnavailable(f"the node at {rpc.name} does not say which chain it is on: {error}") from error
