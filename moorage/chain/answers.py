"""Many calls of a node at once, each with an answer of its own: one that is refused does not take the others along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moorage.chain.rpc import ChainError, NodeRefused, NodeUnavailable, Rpc

Calls = Sequence[tuple[str, Sequence[Any]]]
PART = 200
"""Calls in one request: what was refused is looked for within it."""


async def each_answer(rpc: Rpc, calls: Calls) -> list[Any | ChainError]:
    """Return for each call what the node says: a result, NodeRefused, or NodeUnavailable; nothing is raised.

    Calls may be made twice, so this is for those of which the second time changes nothing.
    """
    found: list[Any | ChainError] = []
    for start in range(0, len(calls), PART):
        found += await _answers(rpc, calls[start : start + PART])
    return found


async def _answers(rpc: Rpc, calls: Calls) -> list[Any | ChainError]:
    try:
        if len(calls) > 1:
            return await rpc.batch(calls)
        return [await rpc.call(method, *params) for method, params in calls]
    except NodeUnavailable as error:
        return [error] * len(calls)
    except NodeRefused as error:
        if len(calls) == 1:
            return [error]
    middle = len(calls) // 2
    return [*await _answers(rpc, calls[:middle]), *await _answers(rpc, calls[middle:])]
