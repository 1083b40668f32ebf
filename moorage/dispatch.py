"""Hands jobs to the outbox and learns from what comes of them: what fails goes alone, and more and more seldom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import structlog

from moorage.chain.jobs import Cause, Job, Landed, Outcome, Rejected
from moorage.chain.outbox import Outbox
from moorage.quarantine import Quarantine
from moorage.snapshot import Block

BLAMED = (Cause.LOST_RACE, Cause.INVALID, Cause.BUG, Cause.NODE_REFUSED)
"""Causes that lie in what a transaction acts on; the others lie in the key's coin, or in the node."""

log = structlog.get_logger(__name__)


class Dispatch:
    """What a daemon sends with one key; without an outbox it says what it would send."""

    def __init__(self, outbox: Outbox | None) -> None:
        self._outbox = outbox
        self._quarantine = Quarantine()
        self._block = -1

    @property
    def quarantined(self) -> int:
        """How many things fail again and again, as of the newest block."""
        return self._quarantine.count(self._block)

    @property
    def under_way(self) -> int:
        """How many transactions are in no block yet."""
        return 0 if self._outbox is None else self._outbox.count_under_way

    async def look_at_coin(self) -> None:
        """Have the coin of the key measured, if there is a key; nothing has to be sent for it."""
        if self._outbox is not None:
            await self._outbox.look_at_coin()

    def is_under_way(self, kind: str, item: bytes) -> bool:
        """Return whether a transaction acts on something and is in no block that was looked at."""
        return self._outbox is not None and self._outbox.is_under_way(kind, item)

    def is_set_aside(self, kind: str, item: bytes, block: Block) -> bool:
        """Return whether something has failed lately, and is not tried in the block after this one."""
        return self._quarantine.is_set_aside(kind, item, block.number)

    async def look(self, block: Block) -> None:
        """Learn what became of what was sent, as of a block.

        Raises:
            ChainError: the node does not answer, or the journal cannot be written.
        """
        if self._outbox is not None:
            self._learn(await self._outbox.advance(block), block)
        self._quarantine.forget(block.number)
        self._block = block.number

    async def send(self, jobs: Sequence[Job], block: Block) -> None:
        """Send what is not under way and not set aside; does not wait for blocks.

        Raises:
            ChainError: the node does not answer, or the journal cannot be written; nothing was sent.
        """
        admitted = [part for job in jobs for part in self._admitted(job, block)]
        if self._outbox is not None:
            if admitted:
                self._learn(await self._outbox.submit(admitted), block)
            return
        for job in admitted:
            log.info("dry mode: not sent", transaction=job.make(range(len(job.items))).description)

    def _admitted(self, job: Job, block: Block) -> Iterator[Job]:
        """Yield a job without what is set aside, and each of its suspects as a job of its own."""
        together, alone = self._quarantine.sort(job.kind, job.items, block.number)
        if job.priority == 0:  # too much is at stake to wait
            alone = [position for position in range(len(job.items)) if position not in together]
        if len(together) == len(job.items):
            yield job
            return
        for positions in (together, *([position] for position in alone)):
            if positions:
                yield _part(job, positions)

    def _learn(self, outcomes: Sequence[Outcome], block: Block) -> None:
        for outcome in outcomes:
            items = [item.hex() for item in outcome.items]
            match outcome:
                case Landed(kind=kind):
                    self._quarantine.absolve(kind, outcome.items)
                    log.info("transaction in a block", kind=kind, items=items, block=outcome.block_number)
                case Rejected(kind=kind, reason=reason, cause=cause):
                    if cause in BLAMED:
                        self._quarantine.blame(kind, outcome.items, block.number)
                    # who was second finds the work done: the next snapshot tells
                    tell = log.info if cause is Cause.LOST_RACE else log.warning
                    tell("transaction refused", kind=kind, items=items, reason=reason, cause=cause)


def _part(job: Job, positions: Sequence[int]) -> Job:
    items = tuple(job.items[position] for position in positions)
    worth = None if job.worth_wei is None else tuple(job.worth_wei[position] for position in positions)
    return replace(job, items=items, make=lambda at: job.make([positions[each] for each in at]), worth_wei=worth)
