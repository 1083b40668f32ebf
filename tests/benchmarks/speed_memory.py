"""Memory of an agent's market side and of a facilitator over thousands of blocks in which leases begin and end."""

from __future__ import annotations

import gc
import os
from typing import Any

from moorage.snapshot import Snapshot
from moorage.types import OrderId, OrderState
from tests.benchmarks.speed_scale import agent, facilitator
from tests.benchmarks.speed_world import open_world

BLOCKS = 10_000
WARM_BLOCKS = 2_000
"""By then every list has the length that it keeps."""
EVERY = 10
"""Blocks between two orders."""
WAIT_BLOCKS = 2
LIFE_BLOCKS = 30
PERIOD = 100


async def measure(blocks: int = BLOCKS) -> dict[str, Any]:
    """Return how much memory grows in a thousand blocks, after a while."""
    async with (
        open_world(providers=1, period=PERIOD) as world,
        agent(world) as (loop, _),
        facilitator(world) as (crank, _),
    ):
        sizes: list[tuple[int, int]] = []
        begun: list[tuple[int, Any]] = []
        for number in range(blocks):
            if number % EVERY == 0:
                begun.append((number, (await world.order(1, WAIT_BLOCKS))[0]))
            if begun and number - begun[0][0] >= LIFE_BLOCKS:
                _, key = begun.pop(0)
                await world.send(world.chain.tenant, [world.exchange.close_deployment(key.deployment, [key])])
            await world.chain.mine()
            await loop.cycle(_closing(loop.newest))
            await crank.cycle()
            if number >= min(WARM_BLOCKS, blocks // 5) and number % 500 == 0:
                gc.collect()
                sizes.append((number, _resident_kilobytes()))
        assert crank.newest is not None
        lives = len(crank.newest.orders) + len(crank.newest.leases)
    return {
        "blocks": blocks,
        "leases_that_ended": blocks // EVERY - lives,
        "alive_at_the_end": lives,
        "kilobytes_per_1000_blocks": round(_slope(sizes) * 1_000, 1),
        "resident_kilobytes": [size for _, size in sizes],
    }


def _closing(snapshot: Snapshot | None) -> frozenset[OrderId]:
    leases = snapshot.leases.values() if snapshot is not None else ()
    return frozenset(lease.id for lease in leases if lease.state is OrderState.LEASE_CLOSING)


def _resident_kilobytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1_024


def _slope(points: list[tuple[int, int]]) -> float:
    """Return the line through points that has the least squares."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
