"""The nonces of a key that are not done with, in memory as they are in the journal: what is under way, what is next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable

from moorage.chain.journal import Journal
from moorage.chain.journal_rows import Row, State


class Nonces:
    """The journal's rows up to their final block. What is recorded is on the disk first."""

    def __init__(self, journal: Journal, day: Callable[[], int]) -> None:
        """
        Args:
            journal: of the key.
            day: tells the number of today, for what is spent.
        """
        self._journal = journal
        self._day = day
        self._rows = {row.nonce: row for row in journal.load()}
        self._under_way: Counter[tuple[str, bytes]] = Counter()
        for row in self._rows.values():
            self._under_way.update(_claims(row))
        self.next = journal.next_nonce()

    def __contains__(self, nonce: int) -> bool:
        return nonce in self._rows

    def open(self) -> list[Row]:
        """Return what is in no block, by nonce."""
        return [self._rows[nonce] for nonce in sorted(self._rows) if self._rows[nonce].is_open]

    def mined(self) -> list[Row]:
        """Return what is in a block that is not final, by nonce."""
        return [self._rows[nonce] for nonce in sorted(self._rows) if not self._rows[nonce].is_open]

    def is_under_way(self, kind: str, item: bytes) -> bool:
        """Return whether a transaction acts on something and is in no block yet."""
        return self._under_way[(kind, item)] > 0

    def follow(self, used: int) -> int:
        """Go on behind nonces that somebody else has used; return how many those are."""
        others = max(0, used - self.next)
        self.next += others
        return others

    def committed_wei(self) -> int:
        """Return what everything that is in no block can cost."""
        return sum(row.most_wei for row in self._rows.values() if row.is_open)

    def spent_today_wei(self) -> int:
        """Return what today has cost and can still cost by what was sent."""
        return self._journal.spent_wei(self._day()) + sum(row.most_wei for row in self._rows.values())

    def record(self, rows: Iterable[Row], unaccepted: Collection[int] = ()) -> None:
        """Write new and changed rows.

        Args:
            rows: all of them are written, or none.
            unaccepted: nonces among them that no node has taken: those after which nothing was sent are free again.

        Raises:
            JournalFault: nothing has changed, here and there.
        """
        changed = {row.nonce: row for row in rows}
        if not changed:
            return
        released = self._free_again(unaccepted)
        kept = [row for nonce, row in changed.items() if nonce not in released]
        self._journal.save(kept, released, self._day())
        for nonce in changed:
            self._forget(nonce)
        for row in kept:
            if row.state is not State.FINAL:
                self._rows[row.nonce] = row
                self._under_way.update(_claims(row))
        self.next = min(released) if released else max(self.next, *(nonce + 1 for nonce in changed))

    def _free_again(self, unaccepted: Collection[int]) -> list[int]:
        released: list[int] = []
        while self.next - 1 - len(released) in unaccepted:
            released.append(self.next - 1 - len(released))
        return released

    def _forget(self, nonce: int) -> None:
        row = self._rows.pop(nonce, None)
        for claim in _claims(row) if row is not None else ():
            self._under_way[claim] -= 1
            if not self._under_way[claim]:
                del self._under_way[claim]


def _claims(row: Row) -> list[tuple[str, bytes]]:
    return [(row.kind, item) for item in row.items] if row.is_open and row.void_from is None else []
