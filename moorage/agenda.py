"""When each of many things is due: looking costs what changes and what is due, not what there is."""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=bytes)

SLACK = 64
"""Outdated entries up to this number, and up to the number of items, are left where they are."""


class Agenda(Generic[Item]):
    """Items with the block in which each is due. What is due stays so until it gets another block, or none."""

    def __init__(self) -> None:
        self._when: dict[Item, int] = {}
        self._queue: list[tuple[int, Item]] = []  # a heap; entries that `_when` does not confirm are outdated
        self._ready: dict[Item, None] = {}

    def __len__(self) -> int:
        return len(self._when)

    def __contains__(self, item: Item) -> bool:
        return item in self._when

    def set(self, item: Item, block: int | None) -> None:
        """Say when an item is due: at a block, or never again."""
        if self._when.get(item) == block:
            return
        self._ready.pop(item, None)
        if block is None:
            del self._when[item]
            return
        self._when[item] = block
        heapq.heappush(self._queue, (block, item))
        if len(self._queue) > 2 * len(self._when) + SLACK:
            self._queue = [(when, each) for each, when in self._when.items() if each not in self._ready]
            heapq.heapify(self._queue)

    def clear(self) -> None:
        """Forget everything."""
        self._when.clear()
        self._queue.clear()
        self._ready.clear()

    def due(self, block: int) -> list[Item]:
        """Return the items that are due at a block, the longest due first."""
        while self._queue and self._queue[0][0] <= block:
            when, item = heapq.heappop(self._queue)
            if self._when.get(item) == when:
                self._ready[item] = None
        return list(self._ready)

    def is_due(self, block: int) -> bool:
        """Return whether anything is due at a block."""
        return bool(self._ready or self.due(block))
