"""Measures how long what agents say has been so: what blinks is not worth telling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How long something has to last until it is told, and how long it is quiet then: no blink is told."""

    again_seconds: float = 60.0
    """That a workload runs that was down."""
    complete_seconds: float = 10.0
    """That a workload runs for the first time, that all workloads run."""
    failing_seconds: float = 60.0
    """That a workload of a new version does not come up."""
    absent_seconds: float = 300.0
    """That an agent does not answer, or lacks the manifest."""
    down_seconds: float = 30.0
    """That a workload is down that ran."""
    interval_blocks: int = 0
    """In which the same is not told again of a workload; counted in blocks, it goes on while no watcher runs."""


class Lasting:
    """What lasts at one look; `since_seconds` is what the next look goes on from."""

    def __init__(self, before: Mapping[str, float], now_seconds: float) -> None:
        """
        Args:
            before: what lasted at the look before -> since when.
            now_seconds: of a clock that never goes back.
        """
        self._before = before
        self._now = now_seconds
        self.since_seconds: dict[str, float] = {}

    def holds(self, what: str, is_so: bool, limit_seconds: float) -> bool:
        """Return whether something has been so all the time, for long enough."""
        return is_so and self._is_old(what, limit_seconds)

    def comes_back(self, what: str, is_so: bool, is_over: bool, limit_seconds: float) -> bool:
        """Return whether something is so, and was for the first time long enough ago: pauses do not count as its end.

        Args:
            is_over: it has ended; if it comes again, that is the first time.
        """
        if is_over or not (is_so or what in self._before):
            return False
        return self._is_old(what, limit_seconds) and is_so

    def _is_old(self, what: str, limit_seconds: float) -> bool:
        since = self._before.get(what, self._now)
        self.since_seconds[what] = since
        return self._now - since >= limit_seconds
