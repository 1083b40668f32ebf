"""The agent's cycle on the chain, with a market and an outbox that are whatever a test says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from moorage.chain.contracts import Call
from moorage.chain.jobs import Cause, Job, Outcome, Rejected
from moorage.dispatch import Dispatch
from moorage.maintenance import Maintenance
from moorage.snapshot import Block, Snapshot
from moorage.types import Account, Address, Order, OrderId, Provider
from provider_agent.core.admission import Admission
from provider_agent.core.advertisement import AdvertisementPolicy
from provider_agent.core.pricing import PricePolicy
from provider_agent.shell.advertiser import Advertiser
from provider_agent.shell.loop import MarketLoop, Offer
from tests.markets import UNIT, US, make_account, make_order, make_provider, make_snapshot

PRICES = PricePolicy(Fraction(0), Fraction(0), Fraction(0), minimum=1)
NEVER = AdvertisementPolicy(longest_blocks=0, shortest_blocks=0)
POISON = make_order(0, created_block=10)
YOUNGER = make_order(1, created_block=11)


class Market:
    """Reader, registry, exchange and outbox in one; bids on the poison are always refused."""

    def __init__(self, *orders: Order) -> None:
        self.exchange = self
        self.orders = orders
        self.block = 900
        self.bids: list[tuple[OrderId, ...]] = []
        self.reconciled = 0

    def reconcile(self) -> None:
        self.reconciled += 1

    async def snapshot(self) -> Snapshot:
        self.block += 1
        return make_snapshot(self.block, orders=self.orders)

    async def provider(self, block: Block, number: int) -> Provider:
        return make_provider()

    async def accounts(self, block: Block, accounts: Sequence[Any]) -> list[Account]:
        return [make_account()]

    def submit_fulfillment(self, *_: Any) -> Call:
        return Call(Address("0x5FbDB2315678afecb367f032d93F642f64180aa3"), b"", "submit_fulfillment")

    def is_under_way(self, kind: str, item: bytes) -> bool:
        return False

    async def advance(self, head: Block) -> list[Outcome]:
        return []

    async def submit(self, jobs: Sequence[Job]) -> list[Outcome]:
        self.bids += [tuple(OrderId(item) for item in job.items) for job in jobs]
        return [Rejected(job.kind, job.items, "refused", Cause.INVALID) for job in jobs if POISON.id in job.items]


def loop_of(market: Any, folder: Path, note: Callable[[Snapshot], None] = lambda _: None) -> MarketLoop:
    return MarketLoop(
        market,
        market,
        Dispatch(market),
        US,
        Offer(UNIT, PRICES, 10_000, Admission()),  # one order fits
        Maintenance(folder),
        Advertiser(market, US, UNIT, None, NEVER),
        note,
    )


async def test_g20_cycle__bid_that_is_always_refused__takes_no_capacity_from_other_orders(tmp_path: Path) -> None:
    market: Any = Market(POISON, YOUNGER)
    loop = loop_of(market, tmp_path)

    for _ in range(8):
        await loop.cycle(frozenset())

    assert market.bids.count((POISON.id,)) == 4
    assert market.bids.count((YOUNGER.id,)) == 4


async def test_g20_cycle__snapshot_that_cannot_be_taken_in__everything_is_read_again(tmp_path: Path) -> None:
    def fail(_: Snapshot) -> None:
        raise RuntimeError("odd")

    market: Any = Market()
    loop = loop_of(market, tmp_path, fail)

    with pytest.raises(RuntimeError):
        await loop.cycle(frozenset())

    assert market.reconciled == 1


async def test_cycle__nothing_odd__reads_nothing_again(tmp_path: Path) -> None:
    market: Any = Market()

    await loop_of(market, tmp_path).cycle(frozenset())

    assert market.reconciled == 0
