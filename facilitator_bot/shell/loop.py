"""The facilitator's only loop: at each block read a snapshot, decide, send."""

from __future__ import annotations

import asyncio

import structlog

from facilitator_bot.core.decisions import decide
from facilitator_bot.shell.executor import execute
from moorage.chain.blocks import new_blocks
from moorage.chain.reader import MarketReader
from moorage.chain.rpc import ChainError, Rpc
from moorage.chain.sender import Sender

log = structlog.get_logger(__name__)


async def run(rpc: Rpc, reader: MarketReader, sender: Sender | None, stop: asyncio.Event) -> None:
    """Crank the exchange until `stop` is set. A cycle that fails is repeated at the next block."""
    async for _ in new_blocks(rpc, stop):
        try:
            snapshot = await reader.snapshot()
            await execute(reader.exchange, sender, decide(snapshot))
        except ChainError as error:
            log.warning("cycle given up", reason=str(error))
        except Exception:  # the daemon goes on; the same state is looked at again in the next block
            log.exception("cycle failed")
