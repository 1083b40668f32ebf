"""Takes measurements that need a look at everything: seldom, and beside the cycles."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from moorage.chain.rpc import ChainError

EVERY_SECONDS = 5.0

log = structlog.get_logger(__name__)


async def keep_measuring(measure: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    """Measure until `stop` is set; a measurement that fails is left out."""
    while not stop.is_set():
        try:
            await measure()
        except ChainError as error:
            log.warning("not measured", reason=str(error))
        except Exception:  # nothing of a daemon depends on what is measured
            log.exception("not measured")
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), EVERY_SECONDS)
