"""Reads of one block by its hash: a node that lacks it is asked again, for there may be several behind one address."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from moorage.chain.rpc import NodeRefused, Rpc

ATTEMPTS = 4
PAUSE_SECONDS = 0.02


async def read_pinned(rpc: Rpc, calls: Sequence[tuple[str, Sequence[Any]]], kind: Any = Any) -> list[Any]:
    """Return the results of calls that name their block by its hash, so that any node may answer each of them.

    Raises:
        NodeUnavailable: no usable answer.
        NodeRefused: the node refused each time.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return await rpc.batch(calls, kind)
        except NodeRefused:
            await asyncio.sleep(PAUSE_SECONDS)
    return await rpc.batch(calls, kind)
