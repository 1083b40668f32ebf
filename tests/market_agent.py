"""The part of an agent that talks to the chain, in a test's own process: bids and confirms, and has no engine.

async with market_agent(story, tmp_path) as agent:
    await agent.blocks(5)
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from moorage.chain.contracts import Registry
from moorage.chain.reader import MarketReader
from moorage.chain.rpc import ChainError, Rpc
from moorage.chain.signer import market_calls
from moorage.dispatch import Dispatch
from moorage.maintenance import Maintenance
from moorage.private_file import write_private
from moorage.sending import Sending, opened_outbox
from moorage.types import Address, ComputeUnit, Lease, OrderId
from provider_agent.core.admission import Admission
from provider_agent.core.advertisement import AdvertisementPolicy
from provider_agent.core.pricing import PricePolicy
from provider_agent.shell.advertiser import ADVERTISE, Advertiser
from provider_agent.shell.executor import PRIORITIES
from provider_agent.shell.loop import MarketLoop, Offer
from tests.fakes.outboxes import Seen
from tests.lease_story import Story

CAPACITY = ComputeUnit(100_000, 2**40, 10**13)
PRICES = PricePolicy(Fraction(0), Fraction(0), Fraction(0), minimum=500)
NEVER = AdvertisementPolicy(longest_blocks=0, shortest_blocks=0)


@dataclass
class MarketAgent:
    """One provider's loop; a test lets blocks pass."""

    story: Story
    loop: MarketLoop
    seen: Seen
    maintenance: Maintenance
    failures: int = 0

    async def blocks(self, count: int, base_fee: int | None = None) -> None:
        """Let blocks come, and a cycle after each; base fee in wei, None for whatever the chain makes of it."""
        for _ in range(count):
            if base_fee is not None:
                await self.story.chain.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(base_fee))
            await self.story.chain.mine(1)
            await self.cycle()

    async def cycle(self) -> None:
        try:
            await self.loop.cycle(frozenset())
        except ChainError:  # what was not done is done at the next block
            self.failures += 1

    async def leases(self) -> dict[OrderId, Lease]:
        """Return what lives, as the chain itself has it."""
        return dict((await self.story.snapshot()).leases)


@asynccontextmanager
async def market_agent(
    story: Story,
    folder: Path,
    *,
    rpc: Rpc | None = None,
    signer_url: str | None = None,
    fee_cap_wei: int | None = None,
    wei_per_ledger_unit: Fraction | None = None,
) -> AsyncIterator[MarketAgent]:
    """Open an agent of the story's first provider until the end of the block.

    Args:
        rpc: opened; the chain's own if there is none.
        signer_url: of a remote signer with the operator's key, in place of a file.
    """
    node, seen, maintenance = rpc or story.chain.rpc, Seen(), Maintenance(folder)
    registry, operator = Registry(node, story.market), story.chain.operators[0]
    write_private(folder / "operator", operator.key.hex().encode())
    key_file, address = (None, Address(operator.address)) if signer_url else (folder / "operator", None)
    sending = Sending(key_file, None, signer_url, address, fee_cap_wei, None, folder / "transactions.db")
    allowed = market_calls(story.market, PRIORITIES, [ADVERTISE])
    async with opened_outbox(node, sending, allowed, seen) as outbox:
        loop = MarketLoop(
            MarketReader(node, story.market, story.us),
            registry,
            Dispatch(outbox),
            story.us,
            Offer(CAPACITY, PRICES, 10_000, Admission(), wei_per_ledger_unit=wei_per_ledger_unit),
            maintenance,
            Advertiser(registry, story.us, CAPACITY, None, NEVER),
            lambda _: None,
        )
        yield MarketAgent(story, loop, seen, maintenance)
