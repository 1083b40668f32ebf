"""Wakes a daemon's loop at each new block."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import structlog

from moorage.chain.rpc import ChainError, Rpc, as_number

POLL_SECONDS = 0.2
RETRY_SECONDS = 2.0

log = structlog.get_logger(__name__)


async def new_blocks(rpc: Rpc, stop: asyncio.Event) -> AsyncIterator[int]:
    """Yield the height at each new block until `stop` is set; a slow consumer misses blocks, which is fine."""
    last = -1
    while not stop.is_set():
        wait = POLL_SECONDS
        try:
            height = as_number(await rpc.call("eth_blockNumber"))
            if height != last:
                last = height
                yield height
        except ChainError as error:
            log.warning("node unavailable", reason=str(error))
            wait = RETRY_SECONDS
        try:
            await asyncio.wait_for(stop.wait(), wait)
        except TimeoutError:
            continue
