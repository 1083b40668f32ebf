"""Follows a lease's money through the story: how much is ahead at a block, and which refill it has fallen since."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class LeaseFunds:
    """What the story says of a lease's money."""

    ahead_blocks: int
    """While it is awaiting."""
    funded_block: int | None = None
    """None while it is awaiting."""
    fundings: int = 0
    refill: int = 0
    """Which of the fundings, counted from 1, was the last that has lifted it above the limit; 0: the match."""

    def runway_blocks(self, block: int) -> int:
        return self.ahead_blocks if self.funded_block is None else self.funded_block - block

    def confirm(self, block: int) -> None:
        if self.funded_block is None:
            self.funded_block = block + self.ahead_blocks

    def fund(self, blocks: int, block: int, low_blocks: int) -> None:
        self.fundings += 1
        if self.funded_block is None:
            self.ahead_blocks += blocks
        else:
            self.funded_block += blocks
        if self.runway_blocks(block) >= low_blocks:
            self.refill = self.fundings

    def revive(self, blocks: int) -> None:
        """It is prepaid anew; a revival always counts as a refill."""
        self.fundings += 1
        self.refill = self.fundings
        self.ahead_blocks, self.funded_block = blocks, None
