"""How long from an order's event to our bid in the node's pool, at a block each second; and when orders are matched.

An observer of its own, in another thread, is told of the blocks by the same node. The facilitator joins for the last
orders only: it shares one process with the agent here, which it does not in earnest.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from contextlib import suppress
from typing import Any

import aiohttp

from moorage import terms
from moorage.chain import abi
from moorage.chain.contracts import Exchange
from moorage.chain.heads import HeadFeed, new_blocks
from moorage.chain.index import LogIndex, read_block
from moorage.chain.rpc import Rpc
from moorage.chain.transactions import read
from moorage.types import OrderId
from tests.benchmarks.speed_scale import FOREVER, CountingRpc, agent, facilitator
from tests.benchmarks.speed_world import World
from tests.chain import ONE_TOKEN, deploy_market, deposit, register_provider, start_chain

ORDERS = 40
MATCHED = 10
WAIT_BLOCKS = 4
BID = abi.load("Exchange").functions["submit_fulfillment"].selector


class Observer(threading.Thread):
    """Notes when the node tells of each block."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self.block_to_seconds: dict[int, float] = {}

    def run(self) -> None:
        asyncio.run(self._listen())

    async def _listen(self) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(self._url) as connection:
            await connection.send_json({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]})
            with suppress(aiohttp.ClientError):
                async for message in connection:
                    told = time.perf_counter()
                    params = json.loads(message.data).get("params")
                    if params is not None:
                        self.block_to_seconds[int(params["result"]["number"], 16)] = told


async def measure(orders: int = ORDERS) -> dict[str, Any]:
    """Submit an order for each block, and return the latencies of bids and the blocks of matches."""
    async with start_chain(block_time=1) as chain:
        market = await deploy_market(chain, period=10_000, grace=10)
        await deposit(chain, market, chain.tenant.address, 10**8 * ONE_TOKEN)
        world = World(chain, market, Exchange(chain.rpc, market), (await register_provider(chain, market),))
        ws_url = chain.url.replace("http", "ws")
        observer = Observer(ws_url)
        observer.start()
        accepted: dict[bytes, float] = {}
        stop = asyncio.Event()
        async with agent(world) as (loop, agent_rpc), facilitator(world) as (crank, facilitator_rpc):
            _note_bids(agent_rpc, accepted)

            async def bid() -> None:
                await loop.cycle(frozenset())

            async def match() -> None:
                await crank.cycle()

            bidding = asyncio.create_task(_run(agent_rpc, stop, bid, ws_url))
            await _offer(world, orders, FOREVER)
            matching = asyncio.create_task(_run(facilitator_rpc, stop, match, ws_url))
            await _offer(world, MATCHED, WAIT_BLOCKS)
            await asyncio.sleep(WAIT_BLOCKS + 4)
            stop.set()
            await asyncio.gather(bidding, matching)
        index = LogIndex(chain.rpc, market)
        await index.follow(await read_block(chain.rpc))
    return _figures(index, observer, accepted)


async def _run(rpc: Rpc, stop: asyncio.Event, cycle: Any, ws_url: str) -> None:
    async for _ in new_blocks(rpc, stop, HeadFeed(ws_url)):
        await cycle()


async def _offer(world: World, orders: int, wait_blocks: int) -> None:
    """Submit an order in each block."""
    await asyncio.sleep(3)
    for _ in range(orders):
        await world.offer_one(wait_blocks)
        await asyncio.sleep(1)


def _note_bids(rpc: CountingRpc, accepted: dict[bytes, float]) -> None:
    """Note when the node has taken a bid on a deployment's order."""
    answered = rpc._answered

    async def noting(body: Any) -> Any:
        found = await answered(body)
        for call in body if isinstance(body, list) else [body]:
            if call["method"] == "eth_sendRawTransaction":
                data = read(bytes.fromhex(call["params"][0][2:]))[0].data
                if data.startswith(BID):
                    accepted.setdefault(data[36:68], time.perf_counter())
        return found

    rpc._answered = noting  # type: ignore[method-assign]


def _figures(index: LogIndex, observer: Observer, accepted: dict[bytes, float]) -> dict[str, Any]:
    facts = index.facts.orders.values()
    ordered = sorted(
        accepted[each.key.deployment] - observer.block_to_seconds[each.created_block]
        for each in facts
        if terms.wait_duration_blocks(each.key) == FOREVER
    )
    matched: dict[OrderId, int] = {
        each.arguments["lease"]: each.block_number for each in index.facts.happenings if each.name == "LeaseCreated"
    }
    late = [
        matched[each.id] - each.created_block - WAIT_BLOCKS
        for each in facts
        if terms.wait_duration_blocks(each.key) == WAIT_BLOCKS
    ]
    return {
        "orders": len(ordered),
        "p50_milliseconds": round(ordered[len(ordered) // 2] * 1_000, 1),
        "p95_milliseconds": round(ordered[int(len(ordered) * 0.95)] * 1_000, 1),
        "most_milliseconds": round(ordered[-1] * 1_000, 1),
        "matched": len(late),
        "most_blocks_after_the_first_possible_one": max(late),
    }
