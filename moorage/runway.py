"""How long a balance lasts at the rate at which it has been falling. A few numbers, however long it is watched."""

from __future__ import annotations

import math

BUCKET_SECONDS = 3_600
BUCKETS = 24
SHORTEST_SECONDS = 3_600
"""A start is busier than the rest of a day: what was spent in minutes counts as if it had been an hour."""


class Runway:
    """Watches a balance: what it falls by was spent, what it rises by was paid in."""

    def __init__(self) -> None:
        self._first: float | None = None
        self._balance = 0
        self._spent: dict[int, int] = {}
        """Number of an hour -> spent in it."""

    def observe(self, balance: int, now: float) -> None:
        """Take a balance in; `now` is seconds, of a clock that does not go back."""
        if self._first is None:
            self._first = now
        elif balance < self._balance:
            hour = int(now // BUCKET_SECONDS)
            self._spent[hour] = self._spent.get(hour, 0) + self._balance - balance
        self._balance = balance
        self._forget(now)

    def hours(self, now: float) -> float:
        """Return for how many hours the balance lasts: infinite if nothing was spent, not a number if not known yet."""
        if self._first is None:
            return math.nan
        self._forget(now)
        spent = sum(self._spent.values())
        if not spent:
            return math.inf
        seconds = min(max(now - self._first, SHORTEST_SECONDS), BUCKETS * BUCKET_SECONDS)
        return self._balance * seconds / spent / 3_600

    def _forget(self, now: float) -> None:
        oldest = int(now // BUCKET_SECONDS) - BUCKETS + 1
        for hour in [hour for hour in self._spent if hour < oldest]:
            del self._spent[hour]
