"""Follows what was sent through blocks: into one, out of it again by a reorganisation, and until it is final."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import structlog

from moorage.chain.jobs import Cause, Limits, Observer, Outcome, Rejected
from moorage.chain.journal_rows import Row, State
from moorage.chain.nonces import Nonces
from moorage.chain.receipts import Found, Sight, find_included, outcomes_of
from moorage.chain.rpc import Rpc
from moorage.crash import crash_point
from moorage.snapshot import Block
from moorage.types import Address

log = structlog.get_logger(__name__)


class Inclusions:
    """What becomes of the rows of one key."""

    def __init__(self, rpc: Rpc, sender: Address, nonces: Nonces, limits: Limits, observer: Observer) -> None:
        self._rpc = rpc
        self._sender = sender
        self._nonces = nonces
        self._limits = limits
        self._observer = observer
        self._absent_since: dict[int, int] = {}

    def take_back(self, mined: Sequence[Row], sight: Sight, head: Block) -> None:
        """Have everything sent again whose block was undone."""
        undone = [row for row in mined if row.nonce in sight.undone]
        for row in undone:
            log.warning("transaction undone by a reorganisation", transaction=row.description, nonce=row.nonce)
        self._nonces.record(
            replace(row, state=State.PREPARED, inclusion=None, last_block=head.number) for row in undone
        )

    async def include(self, sight: Sight, head: Block) -> list[Outcome]:
        """Take note of what is in blocks, and of nonces that others have used."""
        rows = [row for row in self._nonces.open() if row.nonce < sight.mined]
        found, absent = await find_included(self._rpc, rows, head.number)
        told = await outcomes_of(self._rpc, self._sender, found)
        crash_point("outbox-included")
        lost = self._lost(rows, absent, head)
        self._nonces.record(
            [
                *(replace(each.row, state=State.MINED, inclusion=each.inclusion) for each, _ in told),
                *(replace(row, state=State.FINAL) for row in lost),
            ]
        )
        _log_used_up([each for each, outcome in told if outcome is None])
        return [outcome for _, outcome in told if outcome is not None] + self._lost_outcomes(lost)

    def _lost_outcomes(self, lost: Sequence[Row]) -> list[Outcome]:
        for row in lost:
            log.error("another program has used this nonce", nonce=row.nonce, transaction=row.description)
        reason = f"another program that uses the key {self._sender} has taken the nonce"
        return [
            Rejected(row.kind, row.items, f"{reason} {row.nonce}", Cause.BUG) for row in lost if row.void_from is None
        ]

    def _lost(self, rows: Sequence[Row], absent: Sequence[int], head: Block) -> list[Row]:
        """Return what can't take place any more: for long its nonce is used, and not by anything of ours."""
        self._absent_since = {nonce: self._absent_since.get(nonce, head.number) for nonce in absent}
        depth = self._limits.depth_blocks
        return [row for row in rows if head.number - self._absent_since.get(row.nonce, head.number) >= depth]

    def finish(self, mined: Sequence[Row], sight: Sight, head: Block) -> None:
        """Let go of what no reorganisation takes back."""
        deep = max(sight.final_block, head.number - self._limits.depth_blocks)
        final = [
            row
            for row in mined
            if row.nonce in sight.confirmed and row.inclusion is not None and row.inclusion.block_number <= deep
        ]
        self._nonces.record(replace(row, state=State.FINAL) for row in final)
        for row in final:
            self._observer.spent(row.kind, row.most_wei)


def _log_used_up(found: Sequence[Found]) -> None:
    for each in found:
        log.info("nonce used up", nonce=each.row.nonce, in_place_of=each.row.description)
