"""Decides which leases are over: nothing is removed without two proofs from different final blocks.

A node that errs, lags or says nothing proves nothing. Leases that are just missing get time: their containers are
stopped first, and what they have is kept for a while, so that a lease that comes back finds it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from moorage.snapshot import Block
from moorage.types import OrderId

STOP_AFTER_BLOCKS = 32
"""Between the first proof that a lease was never this provider's and the stop of its containers."""
ALONE_BLOCKS = 64
"""Between two proofs from the same node where there are several, of which each is asked in its turn."""
REMOVE_AFTER_BLOCKS = 7_200
"""Until what it has is removed: a day of blocks of 12 seconds."""


class Standing(StrEnum):
    """What a lease is to this provider at one block."""

    LIVE = "live"
    OVER = "over"
    """It was this provider's, and has ended or is closing."""
    NEVER = "never"
    """It is somebody else's, or no lease at all."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a lease was at a final block. Made only of what a node has answered for the hash of that block."""

    lease: OrderId
    standing: Standing
    block: Block
    node: int
    """The position of the node that said so, of `nodes` that can be asked."""
    nodes: int

    def is_borne_out_by(self, other: Proof) -> bool:
        """Return whether another one says the same of another block, and another node does if there are several.

        A node whose companions do not answer has to say the same for long.
        """
        is_same = (self.lease, self.standing) == (other.lease, other.standing)
        blocks = abs(self.block.number - other.block.number)
        is_independent = self.nodes == 1 or self.node != other.node or blocks >= ALONE_BLOCKS
        return is_same and is_independent and blocks > 0


@dataclass(frozen=True, slots=True)
class Over:
    """A lease that may be removed with all that it has: there is none without both proofs."""

    first: Proof
    second: Proof

    def __post_init__(self) -> None:
        if self.first.standing is Standing.LIVE or not self.first.is_borne_out_by(self.second):
            raise ValueError(f"lease {self.first.lease.hex()} is not proved to be over")

    @property
    def lease(self) -> OrderId:
        return self.first.lease


class Endings:
    """Collects proofs about the leases that seem to be over."""

    def __init__(
        self, stop_after_blocks: int = STOP_AFTER_BLOCKS, remove_after_blocks: int = REMOVE_AFTER_BLOCKS
    ) -> None:
        """
        Args:
            stop_after_blocks: see STOP_AFTER_BLOCKS.
            remove_after_blocks: see REMOVE_AFTER_BLOCKS.
        """
        self._stop_after_blocks = stop_after_blocks
        self._remove_after_blocks = remove_after_blocks
        self._suspects: dict[OrderId, Proof | None] = {}
        self._over: dict[OrderId, Over] = {}
        self._resting: set[OrderId] = set()

    @property
    def open(self) -> tuple[OrderId, ...]:
        """The leases of which more proofs are needed."""
        return tuple(lease for lease in self._suspects if lease not in self._over)

    @property
    def over(self) -> tuple[Over, ...]:
        """The leases of which all may be removed."""
        return tuple(self._over.values())

    @property
    def resting(self) -> frozenset[OrderId]:
        """The leases whose containers are to be stopped, and nothing more."""
        return frozenset(self._resting)

    def suspect(self, lease: OrderId) -> None:
        """Note that a lease has something here, and is not one that shall run."""
        self._suspects.setdefault(lease, None)

    def acquit(self, leases: Iterable[OrderId]) -> None:
        """Forget what was proved: these leases run, or nothing is left of them."""
        for lease in leases:
            self._suspects.pop(lease, None)
            self._over.pop(lease, None)
            self._resting.discard(lease)

    def take(self, proof: Proof) -> None:
        """Take a proof in. One that contradicts an earlier one takes its place."""
        lease = proof.lease
        if lease not in self._suspects or lease in self._over:
            return
        first = self._suspects[lease]
        if proof.standing is Standing.LIVE:
            self._suspects[lease] = None
            self._resting.discard(lease)
        elif first is None or first.standing is not proof.standing:
            self._suspects[lease] = proof
        elif first.is_borne_out_by(proof):
            blocks = proof.block.number - first.block.number
            if proof.standing is Standing.OVER or blocks >= self._remove_after_blocks:
                self._over[lease] = Over(first, proof)
                self._resting.discard(lease)
            elif blocks >= self._stop_after_blocks:
                self._resting.add(lease)
