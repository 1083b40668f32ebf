"""Asks for the logs of each block again some blocks later: a node that withheld some is found out.

Nothing else tells of an event that was never given: what is not known is not compared with the chain's state either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from moorage.chain.logs import EventLog, Happening
from moorage.chain.rpc import NodeUnavailable
from moorage.snapshot import Block

AGAIN_BLOCKS = (2, 8, 40)
"""How much later: for a node whose logs come after its blocks, for one that was ill for a while, and for longer."""
AT_A_TIME = 16
SPAN_BLOCKS = 64
"""Of what was read at once, so many of the newest blocks are looked at again; what is older is not."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Note:
    """How many events there were in some blocks."""

    first: int
    last: Block
    count: int
    looks: int = 0

    @property
    def due_block(self) -> int:
        return self.last.number + AGAIN_BLOCKS[self.looks]


class SecondLook:
    """Remembers how many events each block had."""

    def __init__(self, events: EventLog) -> None:
        self._events = events
        self._notes: list[_Note] = []
        self.withheld: Block | None = None
        """The newest of blocks of which something was withheld; None: of none, as far as the node tells by now."""

    def note(self, first: int, last: Block, happenings: Sequence[Happening]) -> None:
        """Remember what was told of the blocks from `first` to `last`."""
        first = max(first, last.number - SPAN_BLOCKS + 1)
        self._notes.append(_Note(first, last, sum(each.block_number >= first for each in happenings)))

    def forget(self, after: int = -1) -> None:
        """Drop what was told of the blocks after a height: it is taken back, or will be read again."""
        self._notes = [note for note in self._notes if note.last.number <= after]
        self.withheld = None

    async def look(self, head: Block) -> None:
        """Ask again for what is due. What the node does not answer is asked for at the next block."""
        self._notes = [note for note in self._notes if head.number - note.due_block <= SPAN_BLOCKS]
        due = [note for note in self._notes if note.due_block <= head.number][:AT_A_TIME]
        try:
            counts = await self._counts(due)
        except NodeUnavailable as error:
            log.info("events not compared with what was told before", reason=str(error))
            return
        for note, count in zip(due, counts, strict=True):
            if note in self._notes:  # else it was taken back meanwhile
                self._notes.remove(note)
                if count > note.count:
                    self.withheld = note.last
                elif note.looks + 1 < len(AGAIN_BLOCKS):
                    self._notes.append(replace(note, looks=note.looks + 1))

    async def _counts(self, notes: Sequence[_Note]) -> list[int]:
        single = [note.last for note in notes if note.first == note.last.number]
        found = iter(await self._events.of_blocks(single) if single else [])
        return [
            len(next(found) if note.first == note.last.number else await self._between(note.first, note.last))
            for note in notes
        ]

    async def _between(self, first: int, last: Block) -> list[Happening]:
        return await self._events.between(first, last.number)
