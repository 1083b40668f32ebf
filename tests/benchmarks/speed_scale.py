"""What a block costs at 10 % and at 100 % of the size: 5,000 orders with 50,000 bids, 1,000 leases of one provider.

In each block a few things happen. Counted are requests and bytes to the node and calls of Python functions; time is
that of the processor. A cycle must cost what has changed, not what there is.
"""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

import msgspec

from facilitator_bot.shell.loop import Crank
from moorage.chain.contracts import Registry
from moorage.chain.outbox import Outbox
from moorage.chain.reader import MarketReader
from moorage.chain.rpc import Rpc
from moorage.chain.signer import LocalSigner
from moorage.dispatch import Dispatch
from moorage.maintenance import Maintenance
from moorage.snapshot import Block
from moorage.types import ComputeUnit
from provider_agent.core.admission import Admission
from provider_agent.core.advertisement import AdvertisementPolicy
from provider_agent.core.pricing import PricePolicy
from provider_agent.shell.advertiser import Advertiser
from provider_agent.shell.loop import MarketLoop, Offer
from tests.benchmarks.speed_world import World, open_world

ORDERS, BIDS, LEASES = 5_000, 10, 1_000
CYCLES = 35
CHANGES = 4
"""Orders that something happens to in each measured block."""
BIDS_A_BLOCK = 250
FOREVER = 1_000_000
ENDLESS = ComputeUnit(10**12, 2**62, 10**18)
PRICES = PricePolicy(Fraction(1, 1_000), Fraction(0), Fraction(0), minimum=1)


class CountingRpc(Rpc):
    """Counts what is asked of a node."""

    requests = 0
    bytes_both_ways = 0

    async def _answered(self, body: Any) -> Any:
        self.requests += 1
        self.bytes_both_ways += len(msgspec.json.encode(body))
        found = await super()._answered(body)
        answers = found if isinstance(found, list) else [found]
        self.bytes_both_ways += sum(len(bytes(answer.result)) for answer in answers)
        return found


@dataclass(frozen=True)
class Cost:
    """Of a cycle, medians."""

    requests: float
    kilobytes: float
    function_calls: float
    milliseconds: float


@asynccontextmanager
async def facilitator(world: World) -> AsyncIterator[tuple[Crank, CountingRpc]]:
    with TemporaryDirectory() as folder:
        async with CountingRpc(world.chain.url) as rpc:
            signer = LocalSigner(world.chain.facilitator)
            async with Outbox(rpc, signer, world.chain.chain_id, Path(folder) / "transactions.db") as outbox:
                yield Crank(MarketReader(rpc, world.market), Dispatch(outbox), Maintenance(Path(folder))), rpc


@asynccontextmanager
async def agent(world: World) -> AsyncIterator[tuple[MarketLoop, CountingRpc]]:
    """Run the market side of an agent of the first provider, whose capacity is endless."""
    provider = world.providers[0]
    with TemporaryDirectory() as folder:
        async with CountingRpc(world.chain.url) as rpc:
            signer = LocalSigner(world.chain.operators[0])
            async with Outbox(rpc, signer, world.chain.chain_id, Path(folder) / "transactions.db") as outbox:
                registry = Registry(rpc, world.market)
                policy = AdvertisementPolicy(longest_blocks=0, shortest_blocks=0)
                yield (
                    MarketLoop(
                        MarketReader(rpc, world.market, provider),
                        registry,
                        Dispatch(outbox),
                        provider,
                        Offer(ENDLESS, PRICES, FOREVER, Admission()),
                        Maintenance(Path(folder)),
                        Advertiser(registry, provider, ENDLESS, None, policy),
                        lambda _: None,
                    ),
                    rpc,
                )


async def cost(
    cycle: Callable[[], Awaitable[Block]], rpc: CountingRpc, change: Callable[[int], Awaitable[None]]
) -> Cost:
    """Let something happen in block after block, and measure the cycle that follows."""
    rows: list[tuple[float, float, float, float]] = []
    for number in range(CYCLES):
        await change(number)
        before = rpc.requests, rpc.bytes_both_ways
        calls = 0

        def count(frame: FrameType, event: str, argument: Any) -> None:
            nonlocal calls
            calls += event in ("call", "c_call")

        counts_calls = number % 2 == 0
        started = time.process_time()
        if counts_calls:
            sys.setprofile(count)
        try:
            await cycle()
        finally:
            sys.setprofile(None)
        busy = time.process_time() - started
        rows.append((rpc.requests - before[0], rpc.bytes_both_ways - before[1], calls, busy))
    counted, timed = rows[2::2], rows[3::2]
    return Cost(
        requests=median(row[0] for row in rows[2:]),
        kilobytes=round(median(row[1] for row in rows[2:]) / 1_000, 1),
        function_calls=median(row[2] for row in counted),
        milliseconds=round(median(row[3] for row in timed) * 1_000, 2),
    )


async def facilitator_cost(orders: int, bids: int = BIDS) -> tuple[Cost, dict[str, Any]]:
    """Return what a cycle costs with so many open orders; and then of a burst: all of them may be matched at once."""
    async with open_world(providers=bids + 1) as world:
        wait = 6 + CYCLES + orders // BIDS_A_BLOCK
        keys = await world.order(orders, wait)
        for start in range(0, orders, BIDS_A_BLOCK):
            await world.bid(keys[start : start + BIDS_A_BLOCK], world.providers[:-1])
        await world.chain.mine()
        async with facilitator(world) as (crank, rpc):
            started = time.perf_counter()
            await crank.cycle()
            first = time.perf_counter() - started
            assert crank.newest is not None
            known = crank.newest.orders.values()
            assert (len(known), sum(order.bid_count for order in known)) == (orders, orders * bids)
            late = world.providers[-1:]

            async def change(number: int) -> None:
                await world.bid(keys[number * CHANGES : (number + 1) * CHANGES], late)

            found = await cost(crank.cycle, rpc, change)
            return found, {"first_cycle_seconds": round(first, 2)} | await _burst(world, crank)


async def _burst(world: World, crank: Crank) -> dict[str, Any]:
    """Come to the block before the one in which all orders may be matched, and count the blocks until they are."""
    assert crank.newest is not None
    orders = crank.newest.orders
    match_block = next(iter(orders.values())).match_block
    while await world.chain.block_number() < match_block - 1:
        await world.chain.mine()
    count, blocks = len(orders), 0
    started = time.perf_counter()
    await crank.cycle()
    sent = time.perf_counter() - started
    while crank.newest.orders and blocks < 10:
        await world.chain.mine()
        blocks += 1
        await crank.cycle()
    return {"burst": count, "blocks_until_all_are_matched": blocks, "seconds_to_send_the_burst": round(sent, 2)}


async def agent_cost(leases: int) -> tuple[Cost, dict[str, Any]]:
    """Return what a cycle costs with so many leases, and of a burst: all have to be confirmed at once."""
    period = 100
    async with open_world(providers=1, period=period) as world:
        keys = await world.order(leases, 2)
        for start in range(0, leases, BIDS_A_BLOCK):
            await world.bid(keys[start : start + BIDS_A_BLOCK], world.providers)
        await world.chain.mine(2)
        ids = await world.match(keys)
        await world.confirm(ids)
        await world.chain.mine()
        async with agent(world) as (loop, rpc):

            async def cycle() -> Block:
                return await loop.cycle(frozenset())

            await cycle()

            async def change(number: int) -> None:
                await world.order(CHANGES, FOREVER)

            found = await cost(cycle, rpc, change)
            assert loop.newest is not None and len(loop.newest.leases) == leases
            confirmed = max(lease.confirmed_block for lease in loop.newest.leases.values())
            while await world.chain.block_number() < confirmed + period // 2:
                await world.chain.mine()
            blocks = 0
            await cycle()
            while blocks < 10 and any(lease.confirmed_block <= confirmed for lease in loop.newest.leases.values()):
                await world.chain.mine()
                blocks += 1
                await cycle()
            return found, {"burst": leases, "blocks_until_all_are_confirmed": blocks}


def ratios(small: Cost, large: Cost) -> dict[str, float]:
    names = ("requests", "kilobytes", "function_calls", "milliseconds")
    return {name: round(getattr(large, name) / getattr(small, name), 2) for name in names}


async def measure(orders: int = ORDERS, leases: int = LEASES) -> dict[str, Any]:
    """Return costs at 10 % and 100 %, and their ratios."""
    result: dict[str, Any] = {}
    for name, size, run in (("facilitator", orders, facilitator_cost), ("agent", leases, agent_cost)):
        small, _ = await run(size // 10)
        large, more = await run(size)
        result[name] = {
            "size": size,
            "at_10_percent": msgspec.to_builtins(small),
            "at_100_percent": msgspec.to_builtins(large),
            "ratio": ratios(small, large),
        } | more
    return result
