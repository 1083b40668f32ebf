"""The loop of a daemon: one cycle for each block, each with a deadline, none of which can end the daemon."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from moorage.chain.heads import HeadFeed, new_blocks
from moorage.chain.rpc import ChainError, Rpc
from moorage.monitor import Monitor
from moorage.snapshot import Block

BEAT_SECONDS = 5.0
"""How often a daemon gives a sign of life, whether or not there are blocks."""
CYCLE_SECONDS = 60.0
"""A cycle that takes longer is given up, and begun anew with the next block."""
PATIENCE_SECONDS = 20.0
"""So long of a cycle a market's history may be read: what is known is still confirmed in it, and the next reads on."""

log = structlog.get_logger(__name__)


async def run_cycles(
    rpc: Rpc,
    stop: asyncio.Event,
    cycle: Callable[[], Awaitable[Block]],
    monitor: Monitor,
    feed: HeadFeed | None = None,
    cycle_seconds: float = CYCLE_SECONDS,
    again: asyncio.Event | None = None,
) -> None:
    """Run a cycle for each new block until `stop` is set. One that fails is repeated at the next block.

    Args:
        cycle: does what is due, and returns the block that it was decided at.
        monitor: is told how each went.
        feed: tells of new blocks sooner than asking does.
        again: asks for a cycle though there is no new block.
    """
    beating = asyncio.create_task(_beat(monitor))
    try:
        async for _ in new_blocks(rpc, stop, feed, again):
            await _guarded(cycle, monitor, cycle_seconds)
    finally:
        beating.cancel()


async def _beat(monitor: Monitor) -> None:
    while True:
        monitor.alive()
        await asyncio.sleep(BEAT_SECONDS)


async def _guarded(cycle: Callable[[], Awaitable[Block]], monitor: Monitor, cycle_seconds: float) -> None:
    started = time.monotonic()
    try:
        async with asyncio.timeout(cycle_seconds):
            block = await cycle()
    except TimeoutError:
        monitor.failed(f"not done after {cycle_seconds:.0f} s")
        log.error("cycle given up", reason=f"not done after {cycle_seconds:.0f} s")
    except ChainError as error:
        monitor.failed(str(error))
        log.warning("cycle given up", reason=str(error))
    except Exception as error:  # the daemon goes on; the same state is looked at again in the next block
        monitor.failed(type(error).__name__)
        log.exception("cycle failed")
    else:
        monitor.completed(block, time.monotonic() - started)
