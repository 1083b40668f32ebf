"""Reads all registered providers at one block: what the registry stores, their accounts, and what they advertised."""

from __future__ import annotations

from collections.abc import Collection

from cli.core.candidates import Candidate
from cli.session import Session
from moorage.advertisement import Advertisement
from moorage.chain.contracts import Registry, provider_account
from moorage.chain.index import read_block
from moorage.chain.logs import RANGE_BLOCKS
from moorage.snapshot import Block
from moorage.types import ProviderNumber

LOOKED_BACK_BLOCKS = 100_000
"""What was advertised before is not known; agents tell the registry anew much sooner."""


async def read_candidates(session: Session) -> tuple[int, tuple[Candidate, ...]]:
    """Return the block, and each provider that is registered at it.

    Raises:
        NodeUnavailable: the node does not answer everything.
    """
    registry = Registry(session.rpc, session.market)
    block = await read_block(session.rpc)
    numbers = [ProviderNumber(number) for number in range(1, await registry.count(block) + 1)]
    bidders = await registry.bidders(block, numbers)
    registered = {number: bidder for number, bidder in zip(numbers, bidders, strict=True) if bidder[0]}
    accounts = await session.exchange.accounts(block, [provider_account(number) for number in registered])
    told = await _advertisements(session, registry, block, registered.keys())
    return block.number, tuple(
        Candidate(number, region, cap, account, told.get(number))
        for (number, (region, cap)), account in zip(registered.items(), accounts, strict=True)
    )


async def _advertisements(
    session: Session, registry: Registry, block: Block, wanted: Collection[ProviderNumber]
) -> dict[ProviderNumber, Advertisement]:
    """Return what each provider has advertised last: read backwards, until nobody is missing."""
    found: dict[ProviderNumber, Advertisement] = {}
    first = max(session.market.first_block, block.number - LOOKED_BACK_BLOCKS)
    last = block.number
    while last >= first and not found.keys() >= set(wanted):
        start = max(first, last - RANGE_BLOCKS + 1)
        found = await registry.advertisements(start, last) | found
        last = start - 1
    return found
