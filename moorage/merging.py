"""Merges streams that are each in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AsyncExitStack, aclosing
from typing import TypeVar

Item = TypeVar("Item")


async def merged(
    streams: Iterable[AsyncGenerator[Item, None]], key: Callable[[Item], str]
) -> AsyncGenerator[Item, None]:
    """Yield the items of all streams in the order of their keys; it holds one item of each."""
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(aclosing(stream)) for stream in streams]
        firsts = await asyncio.gather(*(anext(stream, None) for stream in opened))
        heads = {index: item for index, item in enumerate(firsts) if item is not None}
        while heads:
            index = min(heads, key=lambda each: (key(heads[each]), each))
            yield heads[index]
            item = await anext(opened[index], None)
            if item is None:
                del heads[index]
            else:
                heads[index] = item
