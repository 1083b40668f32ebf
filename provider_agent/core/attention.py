"""What the next pass over the engine has to look at: what has changed and what is due, not all that there is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from moorage.agenda import Agenda
from moorage.types import OrderId

PERIOD_SECONDS = 120
"""Everything is looked at after so long, whatever was told."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one pass has to look at."""

    leases: frozenset[OrderId] = frozenset()
    """Those whose needs are worked out again."""
    on_engine: frozenset[OrderId] = frozenset()
    """Those of which the engine is asked; they are among the leases."""
    is_everything: bool = False

    def __bool__(self) -> bool:
        return self.is_everything or bool(self.leases)


class Attention:
    """Collects what there is to look at. A hint that is lost costs a period at most."""

    def __init__(self, period_seconds: int = PERIOD_SECONDS) -> None:
        self._period_seconds = period_seconds
        self._leases: set[OrderId] = set()
        self._on_engine: set[OrderId] = set()
        self._is_everything = True
        self._is_hearing = False
        self._last_seconds: int | None = None
        self._blocks: Agenda[OrderId] = Agenda()
        self._seconds: Agenda[OrderId] = Agenda()

    def everything(self) -> None:
        """Have all that there is looked at."""
        self._is_everything = True

    def leases(self, leases: Iterable[OrderId]) -> None:
        """Have the needs of leases worked out again."""
        self._leases.update(leases)

    def engine(self, lease: OrderId) -> None:
        """Have the engine asked what a lease has on it."""
        self._on_engine.add(lease)

    def hears(self, is_hearing: bool) -> None:
        """Say whether changes of the engine are told; if not, it is looked at in each pass."""
        self._is_hearing = is_hearing
        self._is_everything = True

    def at_block(self, lease: OrderId, block: int | None) -> None:
        """Have a lease looked at from a block on, until it gets another one or none."""
        self._blocks.set(lease, block)

    def at_second(self, lease: OrderId, seconds: int | None) -> None:
        """Have a lease looked at from a Unix time on, until it gets another one or none."""
        self._seconds.set(lease, seconds)

    def take(self, block: int, now_seconds: int) -> Look:
        """Return what to look at now; it counts as seen unless it is put back."""
        last = self._last_seconds
        is_due = last is None or not 0 <= now_seconds - last < self._period_seconds
        look = Look(
            frozenset({*self._leases, *self._on_engine, *self._blocks.due(block), *self._seconds.due(now_seconds)}),
            frozenset(self._on_engine),
            self._is_everything or not self._is_hearing or is_due,
        )
        self._leases.clear()
        self._on_engine.clear()
        self._is_everything = False
        if look.is_everything:
            self._last_seconds = now_seconds
        return look

    def put_back(self, look: Look) -> None:
        """Have it all looked at again: the pass has failed."""
        self._leases |= look.leases
        self._on_engine |= look.on_engine
        self._is_everything |= look.is_everything
