"""When a fault strikes: for which methods, in which blocks, how often, and by which chance."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tests.chaos.fault import Fault


@dataclass(frozen=True, slots=True)
class Schedule:
    """All conditions have to be met.

    Attributes:
        methods: None is all that the fault is about.
        first_block: of the true chain.
        last_block: included; None is no end.
        on_blocks: of each `of_blocks`, counted from the first block, so many have the fault.
        skip: so many calls of a method go by before.
        times: so many calls of a method are struck; None is all.
        probability: that a call is struck.
    """

    methods: frozenset[str] | None = None
    first_block: int = 0
    last_block: int | None = None
    on_blocks: int = 1
    of_blocks: int = 1
    skip: int = 0
    times: int | None = None
    probability: float = 1.0

    @property
    def needs_height(self) -> bool:
        return self.first_block > 0 or self.last_block is not None or self.of_blocks > 1

    def later(self, blocks: int) -> Schedule:
        """Return the same so many blocks later."""
        last = None if self.last_block is None else self.last_block + blocks
        return replace(self, first_block=self.first_block + blocks, last_block=last)

    def is_on(self, height: int) -> bool:
        """Return whether the fault may strike after this block."""
        if height < self.first_block or (self.last_block is not None and height > self.last_block):
            return False
        return (height - self.first_block) % self.of_blocks < self.on_blocks


@dataclass(slots=True)
class Rule:
    """A fault with its schedule, and what has become of it so far."""

    fault: Fault
    schedule: Schedule
    seed: str
    struck: int = 0
    """How many calls and pushes it has met: a test whose fault never struck has shown nothing."""
    _seen: Counter[str] = field(default_factory=Counter)

    def strikes_any(self, methods: Sequence[str], height: int) -> list[bool]:
        """Return which calls of one request it strikes, and count them.

        Chance is about the request as a whole: a load balancer gives all of a batch to one node.
        """
        found: list[bool] = []
        drawn: bool | None = None
        for method in methods:
            number = self._take(method, height)
            if number is not None and drawn is None:
                drawn = self._draw(method, number)
            found.append(number is not None and bool(drawn))
        self.struck += sum(found)
        return found

    def strikes(self, method: str, height: int) -> bool:
        """Return whether it strikes a call, and count it."""
        return self.strikes_any([method], height)[0]

    def _take(self, method: str, height: int) -> int | None:
        """Return the number of a call among those that may be struck, None if it may not."""
        schedule = self.schedule
        for methods in (self.fault.methods, schedule.methods):
            if methods is not None and method not in methods:
                return None
        if not schedule.is_on(height):
            return None
        number = self._seen[method]
        self._seen[method] += 1
        if number < schedule.skip or (schedule.times is not None and number >= schedule.skip + schedule.times):
            return None
        return number

    def _draw(self, method: str, number: int) -> bool:
        # by method and number, not by the order in which calls of several connections arrive
        probability = self.schedule.probability
        return probability >= 1 or random.Random(f"{self.seed}:{method}:{number}").random() < probability
