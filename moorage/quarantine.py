"""Sets aside what fails again and again, so that one odd thing on chain holds nothing else up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LONGEST_BLOCKS = 256
"""Nothing is set aside for longer: what was wrong may have been mended."""
FORGOTTEN_BLOCKS = 4 * LONGEST_BLOCKS

Thing = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class _Record:
    faults: int
    block: int
    """Of the newest fault."""

    @property
    def until(self) -> int:
        return self.block + min(1 << self.faults - 1, LONGEST_BLOCKS)


class Quarantine:
    """Remembers by kind and item what has failed; the second fault in a row costs twice as many blocks as the first."""

    def __init__(self) -> None:
        self._records: dict[Thing, _Record] = {}

    def count(self, block: int) -> int:
        """Return how many items are set aside because they failed again; once is most often a race that was lost."""
        return sum(record.faults > 1 and block < record.until for record in self._records.values())

    def blame(self, kind: str, items: Iterable[bytes], block: int) -> None:
        """Note that something that acts on these items has failed; it is not known which of them it was."""
        for item in items:
            known = self._records.get((kind, item))
            self._records[kind, item] = _Record(known.faults + 1 if known else 1, block)

    def absolve(self, kind: str, items: Iterable[bytes]) -> None:
        """Forget the faults of items that something has succeeded with."""
        for item in items:
            self._records.pop((kind, item), None)

    def is_set_aside(self, kind: str, item: bytes, block: int) -> bool:
        """Return whether an item has failed and is not tried again yet."""
        record = self._records.get((kind, item))
        return record is not None and block < record.until

    def sort(self, kind: str, items: Sequence[bytes], block: int) -> tuple[list[int], list[int]]:
        """Return the positions of the items that may go together, and of those that may be tried again, each alone."""
        together, alone = [], []
        for position, item in enumerate(items):
            record = self._records.get((kind, item))
            if record is None:
                together.append(position)
            elif block >= record.until:
                alone.append(position)
        return together, alone

    def forget(self, block: int) -> None:
        """Drop what has not failed for long: it has ended, or is well."""
        old = [thing for thing, record in self._records.items() if block - record.block > FORGOTTEN_BLOCKS]
        for thing in old:
            del self._records[thing]
