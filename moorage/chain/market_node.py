"""The node of a program's settings, on which the market was found."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from moorage.chain.market import Market, check_market
from moorage.chain.nodes import connect
from moorage.chain.rpc import NodeUnavailable, Rpc


@asynccontextmanager
async def market_node(urls: Sequence[str], market: Market, setting: str) -> AsyncIterator[Rpc]:
    """Connect to a node, or several, and see that the market is there.

    Args:
        setting: where the URLs were set, as a message names it.

    Raises:
        MarketError: it is not.
        NodeUnavailable: no node answers.
    """
    async with connect(urls) as rpc:
        try:
            await rpc.verify(lambda node: check_market(node, market))
        except NodeUnavailable as error:
            raise NodeUnavailable(f"{error}: is the node running, and is {setting} right?") from error
        yield rpc
